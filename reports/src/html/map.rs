//! The service map, and the calls behind it.

use std::collections::BTreeMap;

use peakdrill_drill_model::verdict::{Bottleneck, Dependency, NodeVerdict};

use crate::markup::Page;
use crate::numbers::{count, figure, millis, percent};
use crate::sentences::{kind, limiting, standing};

use super::layout::{Layers, layers};
use super::{Report, section};

/// Calls that are drawn; the table has more.
const CALLS_DRAWN_MAX: usize = 60;
/// Calls in the table.
const CALLS_LISTED_MAX: usize = 500;
/// Free border of a map, pixels.
const EDGE: f64 = 14.0;

/// Writes the section.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let all = &report.verdict.dependencies;
    if all.is_empty() {
        return;
    }
    const LEAD: &str = "Calls of this run, beginning with the load. The thicker a call, the more of the time that \
        users waited was spent in it.";
    section(page, "map", "Who calls whom, and where does the time go?", LEAD);
    let mut drawn: Vec<&Dependency> = all.iter().collect();
    drawn.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
    drawn.truncate(CALLS_DRAWN_MAX);
    let edges: Vec<(&str, &str)> = drawn.iter().map(|call| (call.from.as_str(), call.to.as_str())).collect();
    let graph = layers(&edges, "load");
    let wide = if graph.layers.len() <= 4 { &WIDE } else { &DENSE };
    for style in [wide, &DOWN] {
        Map::new(report, &drawn, &graph, style).write(page);
    }
    if all.len() > CALLS_DRAWN_MAX {
        page.put(
            "<p class=\"small\">The {} most frequent of {} calls are drawn.</p>\n",
            &[&CALLS_DRAWN_MAX, &all.len()],
        );
    }
    table(page, all);
    page.raw("</section>\n");
}

/// How a map is drawn: layers from left to right, or downwards where the page is narrow.
struct Style {
    class: &'static str,
    down: bool,
    /// Size of a node.
    node: Point,
    /// Room between layers, and between the nodes of one.
    gaps: (f64, f64),
    /// Room that a call which passes through a layer takes.
    passage: f64,
    /// Longer names are cut.
    name_max: usize,
}

const WIDE: Style = Style {
    class: "right",
    down: false,
    node: (150.0, 46.0),
    gaps: (96.0, 30.0),
    passage: 36.0,
    name_max: 18,
};
/// Five layers of this fit the page without scrolling.
const DENSE: Style = Style { node: (134.0, 46.0), gaps: (66.0, 30.0), name_max: 16, ..WIDE };
const DOWN: Style =
    Style { class: "down", down: true, node: (104.0, 44.0), gaps: (46.0, 12.0), passage: 26.0, name_max: 13 };

/// A place as (along the layers, across them), or on the page as (right, down).
type Point = (f64, f64);

struct Map<'a> {
    style: &'static Style,
    calls: &'a [&'a Dependency],
    graph: &'a Layers,
    known: BTreeMap<&'a str, &'a Bottleneck>,
    limiting: Option<&'a str>,
    /// Middles of all places, along and across.
    places: BTreeMap<usize, Point>,
    /// Half of a node, along and across.
    half: Point,
    /// Size along and across.
    size: Point,
}

impl<'a> Map<'a> {
    fn new(
        report: &'a Report<'_>,
        calls: &'a [&'a Dependency],
        graph: &'a Layers,
        style: &'static Style,
    ) -> Self {
        let turned = |(x, y): Point| if style.down { (y, x) } else { (x, y) };
        let node = turned(style.node);
        let room =
            |place: &usize| if *place < graph.nodes.len() { node.1 + style.gaps.1 } else { style.passage };
        let used = |layer: &Vec<usize>| layer.iter().map(room).sum::<f64>();
        let across = graph.layers.iter().map(used).fold(0.0, f64::max) + EDGE;
        let mut places = BTreeMap::new();
        for (index, layer) in graph.layers.iter().enumerate() {
            let along = EDGE + node.0 / 2.0 + index as f64 * (node.0 + style.gaps.0);
            let mut at = (across - used(layer)) / 2.0;
            for place in layer {
                places.insert(*place, (along, at + room(place) / 2.0));
                at += room(place);
            }
        }
        let along = graph.layers.len() as f64 * (node.0 + style.gaps.0) - style.gaps.0 + 2.0 * EDGE;
        let known = report.verdict.bottlenecks.iter().map(|node| (node.node.as_str(), node)).collect();
        let limiting = limiting(report.verdict).map(|node| node.node.as_str());
        let half = (node.0 / 2.0, node.1 / 2.0);
        Self { style, calls, graph, known, limiting, places, half, size: (along, across) }
    }

    fn on_page(&self, (along, across): Point) -> Point {
        if self.style.down { (across, along) } else { (along, across) }
    }

    fn write(&self, page: &mut Page) {
        let (width, height) = self.on_page(self.size);
        page.put(
            "<div class=\"scroll map {}\"><svg role=\"img\" width=\"{}\" height=\"{}\">",
            &[&self.style.class, &width, &height],
        );
        let marked = self.limiting.map_or_else(String::new, |name| format!("; {name} is the bottleneck"));
        page.put(
            "<title>Service map</title><desc>{} nodes and {} kinds of calls{}.</desc>\n",
            &[&self.graph.nodes.len(), &self.calls.len(), &marked],
        );
        self.calls.iter().for_each(|call| self.call(page, call));
        self.calls.iter().for_each(|call| self.call_label(page, call));
        (0..self.graph.nodes.len()).for_each(|node| self.node(page, node));
        page.raw("</svg></div>\n");
    }

    /// The pieces that a call takes between layers, from the far side of one place to the near side of the next.
    fn pieces(&self, call: &Dependency) -> Vec<(Point, Point)> {
        let index = |name: &str| self.graph.nodes.iter().position(|node| node == name);
        let (Some(from), Some(to)) = (index(&call.from), index(&call.to)) else { return Vec::new() };
        let between = self.graph.through.get(&(from, to)).map_or(&[][..], Vec::as_slice);
        let way = [from].into_iter().chain(between.iter().copied()).chain([to]);
        let places: Vec<Point> = way.filter_map(|node| self.places.get(&node).copied()).collect();
        let piece = |pair: &[Point]| {
            // A call that closes a circle enters on the side where it leaves.
            let side = if pair[1].0 <= pair[0].0 { self.half.0 } else { -self.half.0 };
            ((pair[0].0 + self.half.0, pair[0].1), (pair[1].0 + side, pair[1].1))
        };
        places.windows(2).map(piece).collect()
    }

    fn call(&self, page: &mut Page, call: &Dependency) {
        let spot = |along: f64, across: f64| {
            let (x, y) = self.on_page((along, across));
            format!("{x:.0} {y:.0}")
        };
        let mut path = String::new();
        for (index, (from, to)) in self.pieces(call).into_iter().enumerate() {
            // Through a layer the call runs straight, as long as a node is.
            let bend = self.style.gaps.0 * 0.5;
            let before = if to.0 <= from.0 { to.0 + bend } else { to.0 - bend };
            path.push_str(&format!(
                "{}{}C{} {} {}",
                if index == 0 { 'M' } else { 'L' },
                spot(from.0, from.1),
                spot(from.0 + bend, from.1),
                spot(before, to.1),
                spot(to.0, to.1)
            ));
        }
        let share = call.critical_path_share.filter(|share| share.is_finite()).unwrap_or(0.0).clamp(0.0, 1.0);
        let class = if self.limiting == Some(call.to.as_str()) { "call hot" } else { "call" };
        page.put(
            "<path class=\"{}\" stroke-width=\"{}\" d=\"{}\"><title>{} → {}: {} calls, p99 {}, {} of the \
            critical path</title></path>\n",
            &[
                &class,
                &format!("{:.1}", 1.5 + share * 10.0),
                &path,
                &call.from,
                &call.to,
                &count(call.calls),
                &millis(call.latency_ms.p99),
                &percent(call.critical_path_share),
            ],
        );
    }

    /// The share of a call, half-way on its last piece.
    fn call_label(&self, page: &mut Page, call: &Dependency) {
        let Some((from, to)) = self.pieces(call).last().copied() else { return };
        let Some(share) = call.critical_path_share.filter(|share| (0.01..=1.0).contains(share)) else {
            return;
        };
        let (x, y) = self.on_page(((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0));
        let lift = if self.style.down { -4.0 } else { 6.0 + share * 5.0 };
        page.put(
            "<text class=\"edge\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>\n",
            &[&format!("{x:.0}"), &format!("{:.0}", y - lift), &percent(Some(share))],
        );
    }

    fn node(&self, page: &mut Page, node: usize) {
        let (Some(place), Some(name)) = (self.places.get(&node), self.graph.nodes.get(node)) else { return };
        let (x, y) = self.on_page(*place);
        let name = name.as_str();
        let known = self.known.get(name);
        let (class, below) = match known {
            _ if self.limiting == Some(name) => ("node hot", "◆ bottleneck"),
            Some(node) if node.verdict == NodeVerdict::Contributor => ("node warm", "◇ contributor"),
            Some(node) => ("node", kind(node.kind)),
            None if name == "load" => ("node load", "peakdrill"),
            None => ("node", "not ranked"),
        };
        page.put(
            "<g class=\"{}\"><title>{}{}</title>",
            &[
                &class,
                &name,
                &known.map_or_else(String::new, |node| {
                    format!(": {}, {}", kind(node.kind), standing(node.verdict))
                }),
            ],
        );
        let (width, height) = self.style.node;
        page.put(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/>",
            &[&(x - width / 2.0), &(y - height / 2.0), &width, &height],
        );
        page.put(
            "<text class=\"title\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
            &[&x, &(y - 3.0), &shortened(name, self.style.name_max)],
        );
        page.put(
            "<text class=\"sub\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text></g>\n",
            &[&x, &(y + 13.0), &below],
        );
    }
}

fn shortened(name: &str, max: usize) -> String {
    if name.chars().count() <= max {
        return name.to_owned();
    }
    let start: String = name.chars().take(max - 1).collect();
    format!("{start}…")
}

fn table(page: &mut Page, all: &[Dependency]) {
    page.put("<details><summary>All {} calls</summary><div class=\"scroll\"><table>\n", &[&all.len()]);
    page.raw("<thead><tr><th scope=\"col\">from</th><th scope=\"col\">to</th><th scope=\"col\" class=\"n\">calls</th>");
    page.raw("<th scope=\"col\" class=\"n\">errors</th><th scope=\"col\" class=\"n\">p50</th>");
    page.raw("<th scope=\"col\" class=\"n\">p99</th><th scope=\"col\" class=\"n\">of the critical path</th>");
    page.raw("<th scope=\"col\" class=\"n\">attempts a call</th></tr></thead>\n<tbody>\n");
    for call in all.iter().take(CALLS_LISTED_MAX) {
        let errors = (call.calls > 0).then(|| call.errors as f64 / call.calls as f64);
        page.put(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[&call.from, &call.to, &count(call.calls), &percent(errors)],
        );
        page.put("<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n", &[
            &millis(call.latency_ms.p50),
            &millis(call.latency_ms.p99),
            &percent(call.critical_path_share),
            &call.retry_amplification.map_or_else(|| "–".to_owned(), figure),
        ]);
    }
    page.raw("</tbody></table></div></details>\n");
}
