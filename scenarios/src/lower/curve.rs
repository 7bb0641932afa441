//! A curve from a CSV file.

use jiff::Timestamp;
use peakdrill_drill_model::shape::{Piece, Shape};

use super::feeders::{Table, table};
use crate::codes::{E0402, E0403, E0423, E0425, E0426};
use crate::ctx::{Ctx, Fields, draft, list_of};
use crate::limits;
use crate::node::Node;

/// Largest factor of time and of rate.
const MAX_FACTOR: f64 = 1e6;

pub(super) fn lower(ctx: &Ctx<'_>, fields: &Fields<'_>) -> Option<Shape> {
    let scale = fields.get("scale").map_or(Some(1.0), |node| ctx.number(node, "`scale`", 0.0..=MAX_FACTOR));
    let speed = fields.get("speed").map_or(Some(1.0), |node| speed(ctx, node));
    let steps =
        fields.get("interpolate").and_then(|node| ctx.choice(node, "`interpolate`", &["linear", "step"]));
    let name =
        |key: &str| fields.get(key).and_then(|node| Some((node, ctx.text(node, &format!("`{key}`"))?)));
    let (time, value) = (name("time"), name("value"));
    let (csv, path) = name("csv")?;
    let table = table(ctx, csv, &path, Some(b'#'))?;
    let column = |node: &Node, name: &str| column(ctx, &table, node, name, &path);
    let time = time.and_then(|(node, name)| Some((node, column(node, &name)?)));
    let value = value.and_then(|(node, name)| Some((node, column(node, &name)?)));
    let (time, value, scale, speed) = (time?, value?, scale?, speed?);
    if table.rows.len() > limits::MAX_CURVE_POINTS {
        ctx.push(draft(
            E0426,
            csv.span,
            format!("`{path}` has more than {} points", limits::MAX_CURVE_POINTS),
        ));
        return None;
    }
    let points = points(ctx, &table, time, value, (scale, speed))?;
    if points.len() < 2 {
        ctx.push(draft(E0425, csv.span, format!("`{path}` has fewer than two points")));
        return None;
    }
    if points.last().is_some_and(|(at, _)| *at > limits::MAX_DURATION_NS) {
        ctx.push(draft(E0403, csv.span, "the curve lasts longer than 24 hours").help("raise `speed`"));
        return None;
    }
    if points.iter().any(|(_, rate)| *rate > limits::MAX_RATE_PER_S) {
        ctx.push(draft(E0403, csv.span, "the curve goes beyond 1000k/s").help("lower `scale`"));
        return None;
    }
    if steps == Some("step") {
        let flat = |w: &[(u64, f64)]| Piece::flat(w[1].0 - w[0].0, w[0].1);
        let written = format!("curve of {} points, in steps", points.len());
        return Some(Shape::Pieces { written, pieces: points.windows(2).map(flat).collect() });
    }
    Some(Shape::Curve { points })
}

fn speed(ctx: &Ctx<'_>, node: &Node) -> Option<f64> {
    let text = ctx.text(node, "`speed`")?;
    match text.strip_suffix('x').map(|number| number.trim().parse::<f64>()) {
        Some(Ok(speed)) if speed > 0.0 && speed <= MAX_FACTOR => Some(speed),
        Some(Ok(_)) => {
            ctx.push(
                draft(E0403, node.span, "`speed` is out of range")
                    .label("must be above 0x, at most 1000000x"),
            );
            None
        }
        _ => {
            ctx.push(draft(E0402, node.span, format!("`speed` cannot be `{text}`")).help("write `10x`"));
            None
        }
    }
}

fn column(ctx: &Ctx<'_>, table: &Table, node: &Node, name: &str, path: &str) -> Option<usize> {
    let found = table.columns.iter().position(|column| column == name);
    if found.is_none() {
        let columns: Vec<_> = table.columns.iter().map(String::as_str).collect();
        let message = format!("`{path}` has no column `{name}`");
        ctx.push(draft(E0423, node.span, message).label(format!("expected {}", list_of(&columns))));
    }
    found
}

fn points(
    ctx: &Ctx<'_>,
    table: &Table,
    (time_node, time): (&Node, usize),
    (value_node, value): (&Node, usize),
    (scale, speed): (f64, f64),
) -> Option<Vec<(u64, f64)>> {
    let mut out: Vec<(u64, f64)> = Vec::with_capacity(table.rows.len());
    let mut first = None;
    for (at, row) in table.rows.iter().enumerate() {
        let cell = |column: usize| row.get(column).map_or("", |cell| cell.trim());
        let Some(ns) = instant_ns(cell(time)) else {
            let message = format!("row {}: `{}` is no time", at + 1, cell(time));
            ctx.push(draft(E0423, time_node.span, message).help("seconds, or RFC 3339 instants"));
            return None;
        };
        let Some(rate) = cell(value).parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate >= 0.0)
        else {
            let message = format!("row {}: `{}` is no rate", at + 1, cell(value));
            ctx.push(draft(E0423, value_node.span, message).help("a number of journeys a second"));
            return None;
        };
        let start = *first.get_or_insert(ns);
        let since = (ns - start) as f64 / speed;
        let ascends = out.last().is_none_or(|(last, _)| since.is_finite() && since >= *last as f64 + 1.0);
        if !ascends {
            let message = format!("row {}: times must ascend", at + 1);
            ctx.push(draft(E0425, time_node.span, message));
            return None;
        }
        out.push((since.round() as u64, rate * scale));
    }
    Some(out)
}

/// Seconds or an RFC 3339 instant, in nanoseconds from any fixed point.
fn instant_ns(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds.abs() < 1e12).then_some((seconds * 1e9) as i128);
    }
    text.parse::<Timestamp>().ok().map(|instant| instant.as_nanosecond())
}
