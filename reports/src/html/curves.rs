//! Latency over offered load, a small chart a dependency.

use peakdrill_bottleneck::{CallCurve, CallPoint, NodeCurve};
use peakdrill_drill_model::verdict::{AnalysisState, Bottleneck, Estimate, NodeKind};

use crate::flow::{self, Call};
use crate::markup::Page;
use crate::numbers::{NOT_MEASURED, figure, millis, percent, rate};
use crate::sentences::{capacity_in_words, standing, whole, within};

use super::chart::{path, pct};
use super::scale::{Scale, round_step};
use super::{Report, section};

/// Dependencies that are drawn: those that most of the time passes through.
const CALLS_MAX: usize = 24;
/// Nodes in the table of figures.
const NODES_MAX: usize = 60;
const HEIGHT: u32 = 130;
/// Free room to the right of the highest rate, as a part of it.
const BEYOND: f64 = 1.06;

const TITLE: &str = "What does each dependency do under load?";

/// Writes the section; nothing where no spans were received, which the map says.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let Some(part) = report.record.analysis.as_ref() else { return };
    let calls = flow::calls(report.record, &report.verdict.dependencies);
    let mut drawn: Vec<(&Call<'_>, &CallCurve)> = calls
        .iter()
        .filter_map(|call| Some((call, call.curve.filter(|curve| !curve.points.is_empty())?)))
        .collect();
    if drawn.is_empty() {
        unknown(page, &calls);
        return;
    }
    const LEAD: &str = "Across: journeys a second that were offered, the same in all charts. Up: what a caller waited \
        for each call. Where the lines bend up but the dotted one stays flat, the time is lost further behind. The band \
        is the knee: where the called node is full, with 95% certainty.";
    section(page, "curves", TITLE, LEAD);
    page.raw("<p class=\"legend\"><span class=\"key s2\">p99</span> <span class=\"key s1\">p50</span> ");
    page.raw("<span class=\"key s3\">p50 of the called node alone</span> <span class=\"key band\">knee</span></p>\n");
    let through = |call: &Call<'_>| call.through().unwrap_or(0.0);
    drawn.sort_by(|a, b| through(b.0).total_cmp(&through(a.0)));
    let offered = drawn.iter().flat_map(|(_, curve)| &curve.points).map(|point| point.offered);
    let largest = offered.filter(|offered| offered.is_finite()).fold(0.0, f64::max);
    let x = Scale::exactly(largest * BEYOND, 4, round_step);
    page.raw("<div class=\"multiples\">\n");
    for (call, curve) in drawn.iter().take(CALLS_MAX) {
        let ranked = part.bottlenecks.iter().find(|node| node.node == curve.to);
        let points = curve.points.iter().filter_map(Point::of).collect();
        Small { call, curve, points, ranked, report, x: &x, largest }.write(page);
    }
    page.raw("</div>\n");
    if drawn.len() > CALLS_MAX {
        page.put(
            "<p class=\"small\">Of {} calls, the {} are drawn that most of the time passed through.</p>\n",
            &[&drawn.len(), &CALLS_MAX],
        );
    }
    page.raw(
        "<p class=\"small\">Seconds after the peak in which its work was still there are left out.</p>\n",
    );
    beyond_peak(page, &part.curves);
    table(page, &part.curves);
    page.raw("</section>\n");
}

/// What to change so that there is something to draw.
fn unknown(page: &mut Page, calls: &[Call<'_>]) {
    if calls.is_empty() {
        return;
    }
    section(page, "curves", TITLE, "");
    page.raw("<p class=\"none\">Not measured: no rate was held for two seconds after the first two.</p>\n");
    page.raw("<p>A ramp, or stairs of some seconds each, shows where a dependency bends.</p>\n</section>\n");
}

/// A level of load at which something was measured.
struct Point<'a> {
    at: &'a CallPoint,
    p50_ms: f64,
    p99_ms: f64,
}

impl<'a> Point<'a> {
    fn of(at: &'a CallPoint) -> Option<Self> {
        Some(Self { at, p50_ms: at.p50_ms?, p99_ms: at.p99_ms? })
    }
}

/// What a line of a chart shows of a point, milliseconds.
type Value = fn(&Point<'_>) -> Option<f64>;

struct Small<'a> {
    call: &'a Call<'a>,
    curve: &'a CallCurve,
    points: Vec<Point<'a>>,
    /// What is known of the called node.
    ranked: Option<&'a Bottleneck>,
    report: &'a Report<'a>,
    x: &'a Scale,
    /// Highest offered rate of all calls.
    largest: f64,
}

impl Small<'_> {
    fn write(&self, page: &mut Page) {
        let points = &self.points;
        let own = points.iter().filter_map(|point| point.at.own_p50_ms);
        let values = points.iter().flat_map(|point| [point.p50_ms, point.p99_ms]).chain(own);
        let y = Scale::from_zero(values.filter(|v| v.is_finite()).fold(0.0, f64::max), 3);
        page.put(
            "<figure class=\"small-chart\">\n<figcaption><b>{} → {}</b> <span>{}",
            &[&self.curve.from, &self.curve.to, &self.curve.kind.text()],
        );
        if let Some(node) = self.ranked {
            page.put(" · {}", &[&standing(node.verdict)]);
        }
        page.raw(if self.call.best_effort() { " · best-effort" } else { "" });
        page.raw("</span></figcaption>\n");
        page.put(
            "<div class=\"plot\"><svg role=\"img\" width=\"100%\" height=\"{}\"><title>{} to {}: latency over load</title>",
            &[&HEIGHT, &self.curve.from, &self.curve.to],
        );
        page.put("<desc>{} {}</desc>\n", &[&self.said(), &self.knee()]);
        self.band(page);
        self.grid(page, &y);
        self.lines(page, &y);
        self.dots(page, &y);
        page.raw("</svg></div>\n");
        page.put("<p class=\"foot\">{}</p>\n</figure>\n", &[&self.knee()]);
    }

    fn lines(&self, page: &mut Page, y: &Scale) {
        page.raw(
            "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\">\n",
        );
        let of: [(&'static str, Value); 3] = [
            ("s3", |point| point.at.own_p50_ms),
            ("s2", |point| Some(point.p99_ms)),
            ("s1", |point| Some(point.p50_ms)),
        ];
        for (class, value) in of {
            let place = |point: &Point<'_>| {
                let ms = value(point).filter(|ms| ms.is_finite())?;
                Some((self.x.place(point.at.offered) * 1000.0, (1.0 - y.place(ms)) * 1000.0))
            };
            let places: Vec<(f64, f64)> = self.points.iter().filter_map(place).collect();
            page.put(
                "<path class=\"line {}\" vector-effect=\"non-scaling-stroke\" d=\"{}\"/>\n",
                &[&class, &path(&places)],
            );
        }
        page.raw("</svg>\n");
    }

    fn said(&self) -> String {
        let ends = self.points.first().zip(self.points.last());
        ends.map_or_else(
            || "Not measured.".to_owned(),
            |(first, last)| {
                format!(
                    "p99 {} at {}, {} at {}.",
                    millis(Some(first.p99_ms)),
                    rate(Some(first.at.offered)),
                    millis(Some(last.p99_ms)),
                    rate(Some(last.at.offered))
                )
            },
        )
    }

    /// Where the called node is full, in words.
    fn knee(&self) -> String {
        let (name, tested) = (&self.curve.to, self.report.verdict.analysis.tested_to_per_s);
        let Some(node) = self.ranked else { return format!("{name} is not ranked: no knee is known") };
        if let Some(low) = node.capacity_per_s.low {
            let beyond = if low > self.largest { ", beyond what was tested" } else { "" };
            return format!("knee of {name}: {}{beyond}", capacity_in_words(node));
        }
        match (self.report.verdict.analysis.state, node.kind) {
            (AnalysisState::Withheld, _) => "no knee: the verdict is withheld".to_owned(),
            (_, NodeKind::Queue) => "a queue has no knee of its own".to_owned(),
            _ => format!("no knee up to {}", rate(tested)),
        }
    }

    /// The interval of the capacity, where it lies on the axis.
    fn band(&self, page: &mut Page) {
        let Some(node) = self.ranked else { return };
        let (Some(low), Some(high)) = (node.capacity_per_s.low, node.capacity_per_s.high) else { return };
        if low > self.largest * BEYOND {
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
            let x = pct(self.x.place(point.at.offered));
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
                        "offered {}, {} calls · p50 {} · p99 {} · {} alone p50 {} · errors {}",
                        rate(Some(point.at.offered)),
                        rate(Some(point.at.calls_per_s)),
                        millis(Some(point.p50_ms)),
                        millis(Some(point.p99_ms)),
                        self.curve.to,
                        millis(point.at.own_p50_ms),
                        percent(point.at.errors)
                    ),
                ],
            );
        }
    }
}

/// What the scalability law says of why.
fn why_less(node: &NodeCurve) -> String {
    let Some(found) = node.scaling.and_then(|scaling| scaling.coefficients) else { return String::new() };
    let parts = |of: Estimate, unit: &str| {
        let figures = [of.estimate, of.low, of.high].map(|part| part.map(|part| figure(part * 100.0)));
        let [Some(part), Some(low), Some(high)] = figures else { return NOT_MEASURED.to_owned() };
        format!("{part} % ({low} to {high}) {unit}")
    };
    format!(
        " Each adds {} to what all wait for in turn (contention), and {} to what they have to agree on (coherence).",
        parts(found.contention, "of its work"),
        parts(found.coherence, "for every other"),
    )
}

/// The nodes that get less done the more they have at once.
fn beyond_peak(page: &mut Page, nodes: &[NodeCurve]) {
    for (node, peak) in nodes.iter().filter_map(|node| Some((node, node.scaling?.peak?))) {
        page.put(
            "<p class=\"finding\">{} does less with more than {} operations at a time: at most {}. Give its callers fewer \
            connections, or a limit, and it carries more.{}</p>\n",
            &[&node.node, &whole(&peak.peak_at), &within(&peak.peak_per_s), &why_less(node)],
        );
    }
}

/// The nodes alone, level by level of the load.
fn table(page: &mut Page, nodes: &[NodeCurve]) {
    if nodes.is_empty() {
        return;
    }
    page.raw(
        "<details><summary>The nodes alone, in figures</summary><div class=\"scroll\"><table>\n<thead><tr>",
    );
    page.raw(
        "<th scope=\"col\">node</th><th scope=\"col\" class=\"n\">offered</th><th scope=\"col\" class=\"n\">",
    );
    page.raw(
        "operations</th><th scope=\"col\" class=\"n\">own p50</th><th scope=\"col\" class=\"n\">own p99</th>",
    );
    page.raw("<th scope=\"col\" class=\"n\">at the same time</th></tr></thead>\n<tbody>\n");
    for node in nodes.iter().take(NODES_MAX) {
        for point in &node.points {
            page.put(
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>",
                &[&node.node, &rate(Some(point.offered)), &rate(Some(point.achieved))],
            );
            page.put(
                "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                &[&millis(point.p50_ms), &millis(point.p99_ms), &figure(point.concurrency)],
            );
        }
    }
    page.raw("</tbody></table></div></details>\n");
}
