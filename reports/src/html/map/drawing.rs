//! The map as a drawing: layers from left to right, or downwards where the page is narrow.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill_drill_model::verdict::{Bottleneck, NodeKind, NodeVerdict};

use crate::flow::Call;
use crate::html::Report;
use crate::html::layout::Layers;
use crate::markup::Page;
use crate::numbers::{count, millis, percent, rate};
use crate::sentences::{limiting, standing};

use super::shapes::{LID, outline};

/// Free border of a map, pixels.
const EDGE: f64 = 14.0;
/// A node with more calls into it than this has them drawn without figures: the table has them.
const LABELLED_MAX: usize = 7;
/// Lines that rise more than this to their end are steep, pixels.
const STEEP: f64 = 10.0;
/// Height of a line of figures, pixels.
const LINE: f64 = 13.0;
/// Thinnest line, and what the whole time adds to it, pixels.
const STROKE: (f64, f64) = (1.5, 8.0);

/// How a map is drawn.
pub(super) struct Style {
    class: &'static str,
    down: bool,
    /// Least size of a node.
    node: Point,
    /// Room between layers, and between the nodes of one.
    gaps: (f64, f64),
    /// Room that a call takes where it ends, and where it passes through a layer.
    port: f64,
    passage: f64,
    /// Longer names are cut.
    name_max: usize,
}

pub(super) const WIDE: Style = Style {
    class: "right",
    down: false,
    node: (150.0, 48.0),
    gaps: (96.0, 26.0),
    port: 32.0,
    passage: 32.0,
    name_max: 18,
};
/// Five layers of this fit the page without scrolling.
pub(super) const DENSE: Style = Style { node: (134.0, 48.0), gaps: (66.0, 26.0), name_max: 16, ..WIDE };
/// Six layers of this do.
pub(super) const TIGHT: Style = Style { node: (110.0, 48.0), gaps: (58.0, 26.0), name_max: 13, ..WIDE };
pub(super) const DOWN: Style = Style {
    class: "down",
    down: true,
    node: (94.0, 46.0),
    gaps: (58.0, 10.0),
    port: 50.0,
    passage: 24.0,
    name_max: 11,
};

/// A place as (along the layers, across them), or on the page as (right, down).
type Point = (f64, f64);

/// A map, laid out.
pub(super) struct Map<'a> {
    style: &'static Style,
    report: &'a Report<'a>,
    /// Calls, and whether they are on the critical path.
    calls: &'a [(Call<'a>, bool)],
    graph: &'a Layers,
    known: BTreeMap<&'a str, &'a Bottleneck>,
    limiting: Option<&'a str>,
    /// Middles of all places, along and across.
    places: BTreeMap<usize, Point>,
    /// Size of the nodes across the layers.
    across: Vec<f64>,
    /// Size of a node along the layers.
    along: f64,
    /// Size along and across.
    size: Point,
}

/// The way of a call: where it leaves its caller, and pieces between layers up to the called node.
type Pieces = Vec<(Point, Point)>;

impl<'a> Map<'a> {
    pub(super) fn new(
        report: &'a Report<'a>,
        calls: &'a [(Call<'a>, bool)],
        graph: &'a Layers,
        style: &'static Style,
    ) -> Self {
        let owned = !report.verdict.owners.is_empty() && !style.down;
        let (along, least) = if style.down { (style.node.1, style.node.0) } else { style.node };
        let least = if owned { least + 14.0 } else { least };
        let into = |name: &String| calls.iter().filter(|(call, _)| call.all.to == *name).count();
        let extent = |name: &String| least.max(into(name).min(LABELLED_MAX) as f64 * style.port);
        let across: Vec<f64> = graph.nodes.iter().map(extent).collect();
        let room = |place: &usize| across.get(*place).map_or(style.passage, |size| size + style.gaps.1);
        let used = |layer: &Vec<usize>| layer.iter().map(room).sum::<f64>();
        let widest = graph.layers.iter().map(used).fold(0.0, f64::max) + EDGE;
        let mut places = BTreeMap::new();
        let column = critical(calls, graph);
        for (index, layer) in graph.layers.iter().enumerate() {
            let middle = EDGE + along / 2.0 + index as f64 * (along + style.gaps.0);
            let (mut at, mut layer) = ((widest - used(layer)) / 2.0, layer.clone());
            if style.down {
                // What does not fit a narrow page is found by scrolling: never the critical path.
                layer.sort_by_key(|place| !column.contains(place));
                at = EDGE / 2.0;
            }
            for place in layer {
                places.insert(place, (middle, at + room(&place) / 2.0));
                at += room(&place);
            }
        }
        let length = graph.layers.len() as f64 * (along + style.gaps.0) - style.gaps.0 + 2.0 * EDGE;
        let known = report.verdict.bottlenecks.iter().map(|node| (node.node.as_str(), node)).collect();
        let limiting = limiting(report.verdict).map(|node| node.node.as_str());
        Self { style, report, calls, graph, known, limiting, places, across, along, size: (length, widest) }
    }

    fn on_page(&self, (along, across): Point) -> Point {
        if self.style.down { (across, along) } else { (along, across) }
    }

    pub(super) fn write(&self, page: &mut Page) {
        let (width, height) = self.on_page(self.size);
        page.put(
            "<div class=\"scroll map {}\" role=\"region\" aria-label=\"Service map\" tabindex=\"0\"><svg role=\"img\" width=\"{}\" height=\"{}\">",
            &[&self.style.class, &format!("{width:.0}"), &format!("{height:.0}")],
        );
        let marked = self.limiting.map_or_else(String::new, |name| format!("; {name} is the bottleneck"));
        page.put(
            "<title>Service map</title><desc>{} nodes and {} kinds of calls{}. The critical path is told above, all \
            calls in the table below.</desc>\n",
            &[&self.graph.nodes.len(), &self.calls.len(), &marked],
        );
        let ways: Vec<Pieces> = self.ways();
        // The critical path lies over the other calls, and figures over all of them.
        for critical in [false, true] {
            let of = self.calls.iter().zip(&ways).filter(|((_, on_path), _)| *on_path == critical);
            of.for_each(|((call, on_path), way)| self.call(page, call, *on_path, way));
        }
        self.calls.iter().zip(&ways).for_each(|((call, on_path), way)| self.label(page, call, *on_path, way));
        (0..self.graph.nodes.len()).for_each(|node| self.node(page, node));
        page.raw("</svg></div>\n");
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.graph.nodes.iter().position(|node| node == name)
    }

    /// The places that each call comes by, and where it ends: the calls into a node end one beside the other, in the
    /// order in which they come.
    fn ways(&self) -> Vec<Pieces> {
        let way = |(call, _): &(Call<'a>, bool)| -> Vec<usize> {
            let (Some(from), Some(to)) = (self.index(&call.all.from), self.index(&call.all.to)) else {
                return Vec::new();
            };
            let between = self.graph.through.get(&(from, to)).map_or(&[][..], Vec::as_slice);
            [from].into_iter().chain(between.iter().copied()).chain([to]).collect()
        };
        let ways: Vec<Vec<usize>> = self.calls.iter().map(way).collect();
        let mut ports = vec![0.0; ways.len()];
        for (node, size) in self.across.iter().enumerate() {
            let mut into: Vec<(f64, usize)> = ways
                .iter()
                .enumerate()
                .filter(|(_, way)| way.last() == Some(&node))
                .map(|(index, way)| (self.came_from(way), index))
                .collect();
            into.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let each = self.style.port.min(size / into.len().max(1) as f64);
            let middle = (into.len().max(1) - 1) as f64 / 2.0;
            for (place, (_, index)) in into.into_iter().enumerate() {
                ports[index] = (place as f64 - middle) * each;
            }
        }
        ways.iter().zip(ports).map(|(way, port)| self.pieces(way, port)).collect()
    }

    /// Across the layers, where a call was before it came to its end.
    fn came_from(&self, way: &[usize]) -> f64 {
        let before = way.len().checked_sub(2).and_then(|at| self.places.get(way.get(at)?));
        before.map_or(0.0, |place| place.1)
    }

    fn pieces(&self, way: &[usize], port: f64) -> Pieces {
        let mut places: Vec<Point> = way.iter().filter_map(|node| self.places.get(node).copied()).collect();
        if let Some(last) = places.last_mut() {
            last.1 += port;
        }
        let half = self.along / 2.0;
        let piece = |pair: &[Point]| {
            // A call that closes a circle enters on the side where it leaves.
            let side = if pair[1].0 <= pair[0].0 { half } else { -half };
            ((pair[0].0 + half, pair[0].1), (pair[1].0 + side, pair[1].1))
        };
        places.windows(2).map(piece).collect()
    }

    fn call(&self, page: &mut Page, call: &Call<'_>, on_path: bool, way: &Pieces) {
        let spot = |along: f64, across: f64| {
            let (x, y) = self.on_page((along, across));
            format!("{x:.0} {y:.0}")
        };
        let mut path = String::new();
        for (index, (from, to)) in way.iter().enumerate() {
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
        let class = match (on_path, call.best_effort()) {
            (true, _) => "call path",
            (false, true) => "call effort",
            (false, false) => "call",
        };
        page.put(
            "<path class=\"{}\" stroke-width=\"{}\" d=\"{}\"><title>{} → {}: {} calls, p99 {}; {} of the time of \
            requests passed through{}</title></path>\n",
            &[
                &class,
                &format!("{:.1}", stroke(call)),
                &path,
                &call.all.from,
                &call.all.to,
                &count(call.all.calls),
                &millis(call.all.latency_ms.p99),
                &percent(call.through()),
                &if call.best_effort() { "; best-effort" } else { "" },
            ],
        );
    }

    /// Calls a second and p99 at the highest load, where the call ends.
    fn label(&self, page: &mut Page, call: &Call<'_>, on_path: bool, way: &Pieces) {
        let (Some((from, to)), Some(point)) = (way.last().copied(), call.at_peak()) else { return };
        let into = self.calls.iter().filter(|(other, _)| other.all.to == call.all.to).count();
        if into > LABELLED_MAX {
            return;
        }
        let (x, y) = self.on_page(to);
        let half = stroke(call) / 2.0;
        let (high, low) = (y - half - 4.0, y + half + 11.0);
        // A line that comes in steeply leaves room on one side only.
        let steep = if into == 1 { to.1 - from.1 } else { 0.0 };
        let (anchor, x, above, below) = match steep {
            _ if self.style.down => ("start", x + half + 5.0, y - 19.0, y - 6.0),
            rise if rise > STEEP => ("end", x - 7.0, low, low + LINE),
            rise if rise < -STEEP => ("end", x - 7.0, high - LINE, high),
            _ => ("end", x - 7.0, high, low),
        };
        let class = if on_path { "edge path" } else { "edge" };
        let said = [(above, rate(Some(point.calls_per_s))), (below, millis(point.p99_ms))];
        for (y, text) in said {
            page.put(
                "<text class=\"{}\" text-anchor=\"{}\" x=\"{}\" y=\"{}\">{}</text>",
                &[&class, &anchor, &format!("{x:.0}"), &format!("{y:.0}"), &text],
            );
        }
        page.raw("\n");
    }

    fn kind(&self, name: &str) -> Option<NodeKind> {
        let of_calls =
            || self.calls.iter().find(|(call, _)| call.all.to == name)?.0.curve.map(|curve| curve.kind);
        match self.known.get(name) {
            Some(node) => Some(node.kind),
            None if name == peakdrill_bottleneck::LOAD => None,
            None => Some(of_calls().unwrap_or(NodeKind::Service)),
        }
    }

    /// How a node is marked, and what is written below its name.
    fn marks(&self, name: &str) -> (String, &'static str) {
        let on_path = self.calls.iter().any(|(call, on_path)| *on_path && call.all.to == name);
        let mut into = self.calls.iter().filter(|(call, _)| call.all.to == name).peekable();
        let loose = into.peek().is_some() && into.all(|(call, _)| call.best_effort());
        let (class, below) = match self.known.get(name) {
            _ if self.limiting == Some(name) => ("node hot", "◆ bottleneck"),
            Some(node) if node.verdict == NodeVerdict::Contributor => ("node warm", "◇ contributor"),
            _ if loose => ("node", "best-effort"),
            Some(node) => ("node", node.kind.text()),
            None if name == peakdrill_bottleneck::LOAD => ("node load", "peakdrill"),
            None => ("node", "not ranked"),
        };
        (if on_path { format!("{class} path") } else { class.to_owned() }, below)
    }

    fn node(&self, page: &mut Page, node: usize) {
        let (Some(place), Some(name)) = (self.places.get(&node), self.graph.nodes.get(node)) else { return };
        let (x, y) = self.on_page(*place);
        let across = self.across.get(node).copied().unwrap_or_default();
        let size = self.on_page((self.along, across));
        let (class, below) = self.marks(name);
        let owner = self.report.verdict.owners.get(name);
        let known = self.known.get(name.as_str());
        let known = known.map(|node| format!(": {}, {}", node.kind.text(), standing(node.verdict)));
        let owned = owner.map(|owner| format!(", {}", owner.team));
        page.put(
            "<g class=\"{}\"><title>{}{}{}</title>",
            &[&class, name, &known.unwrap_or_default(), &owned.unwrap_or_default()],
        );
        let (whole, inner) = outline(self.kind(name), (x, y), size);
        page.put("<path class=\"shape\" d=\"{}\"/>", &[&whole]);
        if let Some(inner) = inner {
            page.put("<path class=\"inner\" d=\"{}\"/>", &[&inner]);
        }
        let owner = owner.filter(|_| !self.style.down);
        let lid = if self.kind(name) == Some(NodeKind::Database) { LID } else { 0.0 };
        let lift = if owner.is_some() { 8.0 } else { 0.0 } - lid;
        let lines = [
            ("title", y - 2.0 - lift, shortened(name, self.style.name_max)),
            ("sub", y + 14.0 - lift, below.to_owned()),
            (
                "sub",
                y + 28.0 - lift,
                owner.map_or_else(String::new, |owner| shortened(&owner.team, self.style.name_max + 2)),
            ),
        ];
        for (class, y, text) in lines.iter().filter(|(_, _, text)| !text.is_empty()) {
            page.put(
                "<text class=\"{}\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                &[class, &format!("{x:.0}"), &format!("{y:.0}"), text],
            );
        }
        page.raw("</g>\n");
    }
}

/// The places of the critical path: its nodes, and those that its calls pass through.
fn critical(calls: &[(Call<'_>, bool)], graph: &Layers) -> BTreeSet<usize> {
    let index = |name: &str| graph.nodes.iter().position(|node| node == name);
    let of = calls.iter().filter(|(_, on_path)| *on_path);
    let ends = of.filter_map(|(call, _)| index(&call.all.from).zip(index(&call.all.to)));
    ends.flat_map(|(from, to)| {
        let between = graph.through.get(&(from, to)).map_or(&[][..], Vec::as_slice);
        between.iter().copied().chain([from, to])
    })
    .collect()
}

fn stroke(call: &Call<'_>) -> f64 {
    STROKE.0 + call.through().unwrap_or(0.0) * STROKE.1
}

fn shortened(name: &str, max: usize) -> String {
    if name.chars().count() <= max {
        return name.to_owned();
    }
    let start: String = name.chars().take(max - 1).collect();
    format!("{start}…")
}
