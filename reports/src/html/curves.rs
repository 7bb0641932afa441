//! Latency over offered load, a small chart a node.

use peakdrill_bottleneck::{CurvePoint, NodeCurve};
use peakdrill_drill_model::verdict::Bottleneck;

use crate::markup::Page;
use crate::numbers::{figure, millis, rate};
use crate::sentences::{capacity, kind, standing};

use super::chart::{path, pct};
use super::scale::{Scale, round_step};
use super::{Report, section};

/// Nodes that are drawn, in the order of the ranking.
const NODES_MAX: usize = 24;
const HEIGHT: u32 = 130;

/// Writes the section.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let Some(part) = report.record.analysis.as_ref().filter(|part| !part.curves.is_empty()) else { return };
    const LEAD: &str = "A node whose line bends up waits more than it works. Across: journeys a second that were \
        offered, the same in all charts; up: its latency. The band is where its capacity lies, with 95% certainty.";
    section(page, "curves", "What does each node do under load?", LEAD);
    let rank = |name: &str| part.bottlenecks.iter().position(|node| node.node == name).unwrap_or(usize::MAX);
    let mut curves: Vec<&NodeCurve> = part.curves.iter().collect();
    curves.sort_by_key(|curve| rank(&curve.node));
    let offered = curves.iter().flat_map(|curve| &curve.points).map(|point| point.offered);
    let largest = offered.filter(|offered| offered.is_finite()).fold(0.0, f64::max);
    let x = Scale::exactly(largest * 1.04, 4, round_step);
    page.raw("<div class=\"multiples\">\n");
    for curve in curves.iter().take(NODES_MAX) {
        let ranked = part.bottlenecks.iter().find(|node| node.node == curve.node);
        let points = curve.points.iter().filter_map(Point::of).collect();
        Small { curve, points, ranked, x: &x, largest }.write(page);
    }
    page.raw("</div>\n");
    if curves.len() > NODES_MAX {
        page.put(
            "<p class=\"small\">The first {} of {} nodes are drawn.</p>\n",
            &[&NODES_MAX, &curves.len()],
        );
    }
    page.raw("</section>\n");
}

/// A level of load at which something was measured.
struct Point {
    offered: f64,
    achieved: f64,
    concurrency: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Point {
    fn of(point: &CurvePoint) -> Option<Self> {
        let CurvePoint { offered, achieved, concurrency, p50_ms, p99_ms } = *point;
        Some(Self { offered, achieved, concurrency, p50_ms: p50_ms?, p99_ms: p99_ms? })
    }
}

struct Small<'a> {
    curve: &'a NodeCurve,
    points: Vec<Point>,
    ranked: Option<&'a Bottleneck>,
    x: &'a Scale,
    /// Highest offered rate of all nodes.
    largest: f64,
}

impl Small<'_> {
    fn write(&self, page: &mut Page) {
        let points = &self.points;
        let values = points.iter().flat_map(|point| [point.p50_ms, point.p99_ms]);
        let y = Scale::from_zero(values.filter(|v| v.is_finite()).fold(0.0, f64::max), 3);
        let verdict = self.ranked.map_or("", |node| standing(node.verdict));
        page.put(
            "<figure class=\"small-chart v-{}\">\n<figcaption><b>{}</b> <span>{}",
            &[&verdict, &self.curve.node, &kind(self.curve.kind)],
        );
        if let Some(node) = self.ranked {
            page.put(" · {}", &[&standing(node.verdict)]);
        }
        page.raw("</span></figcaption>\n");
        page.put(
            "<div class=\"plot\"><svg role=\"img\" width=\"100%\" height=\"{}\"><title>{}: latency over load",
            &[&HEIGHT, &self.curve.node],
        );
        page.put("</title><desc>{}</desc>\n", &[&self.said()]);
        self.band(page);
        self.grid(page, &y);
        page.raw(
            "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\">\n",
        );
        for (class, value) in [("s2", 1), ("s1", 0)] {
            let place = |point: &Point| {
                let ms = [point.p50_ms, point.p99_ms][value];
                (self.x.place(point.offered) * 1000.0, (1.0 - y.place(ms)) * 1000.0)
            };
            let places: Vec<(f64, f64)> = points.iter().map(place).collect();
            page.put(
                "<path class=\"line {}\" vector-effect=\"non-scaling-stroke\" d=\"{}\"/>\n",
                &[&class, &path(&places)],
            );
        }
        page.raw("</svg>\n");
        self.dots(page, &y);
        page.raw("</svg></div>\n");
        self.foot(page);
        page.raw("</figure>\n");
    }

    fn said(&self) -> String {
        let ends = self.points.first().zip(self.points.last());
        ends.map_or_else(String::new, |(first, last)| {
            format!(
                "p99 {} at {}, {} at {}.",
                millis(Some(first.p99_ms)),
                rate(Some(first.offered)),
                millis(Some(last.p99_ms)),
                rate(Some(last.offered))
            )
        })
    }

    /// The interval of the capacity, where it lies on the axis.
    fn band(&self, page: &mut Page) {
        let Some(node) = self.ranked else { return };
        let (Some(low), Some(high)) = (node.capacity_per_s.low, node.capacity_per_s.high) else { return };
        if low > self.largest * 1.04 {
            return;
        }
        let (from, to) = (self.x.place(low), self.x.place(high));
        page.put(
            "<rect class=\"interval\" x=\"{}\" y=\"0\" width=\"{}\" height=\"100%\"/>\n",
            &[&pct(from), &pct((to - from).max(0.004))],
        );
        if let Some(middle) = node.capacity_per_s.estimate {
            let x = pct(self.x.place(middle));
            page.put("<line class=\"capacity\" x1=\"{}\" x2=\"{}\" y1=\"0\" y2=\"100%\"/>\n", &[&x, &x]);
        }
    }

    fn grid(&self, page: &mut Page, y: &Scale) {
        for tick in &y.ticks {
            let place = pct(1.0 - y.place(*tick));
            page.put("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{}\" y2=\"{}\"/>", &[&place, &place]);
            page.put(
                "<text class=\"tick\" x=\"0\" dx=\"-6\" y=\"{}\" dy=\"4\" text-anchor=\"end\">{}</text>\n",
                &[&place, &millis(Some(*tick))],
            );
        }
        for tick in &self.x.ticks {
            page.put(
                "<text class=\"tick\" x=\"{}\" y=\"100%\" dy=\"16\" text-anchor=\"middle\">{}</text>\n",
                &[&pct(self.x.place(*tick)), &rate(Some(*tick))],
            );
        }
    }

    fn dots(&self, page: &mut Page, y: &Scale) {
        for point in &self.points {
            let x = pct(self.x.place(point.offered));
            for (class, ms) in [("s2", point.p99_ms), ("s1", point.p50_ms)] {
                page.put(
                    "<circle class=\"dot {}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>",
                    &[&class, &x, &pct(1.0 - y.place(ms))],
                );
            }
            page.put(
                "<circle class=\"hint\" cx=\"{}\" cy=\"{}\" r=\"12\"><title>{}</title></circle>\n",
                &[
                    &x,
                    &pct(1.0 - y.place(point.p99_ms)),
                    &format!(
                        "offered {}, achieved {} · p50 {} · p99 {} · {} at the same time",
                        rate(Some(point.offered)),
                        rate(Some(point.achieved)),
                        millis(Some(point.p50_ms)),
                        millis(Some(point.p99_ms)),
                        figure(point.concurrency)
                    ),
                ],
            );
        }
    }

    fn foot(&self, page: &mut Page) {
        page.raw("<p class=\"foot\"><span class=\"key s1\">p50</span> <span class=\"key s2\">p99</span>");
        if let Some(node) = self.ranked {
            let beyond = node.capacity_per_s.low.is_some_and(|low| low > self.largest);
            let place = if beyond { ", not reached" } else { "" };
            page.put("<br/>capacity {}{}", &[&capacity(node), &place]);
        }
        page.raw("</p>\n");
    }
}
