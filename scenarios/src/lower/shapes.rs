//! Shapes of load.

use std::str::FromStr;

use jiff::Timestamp;
use peakdrill_drill_model::plan::Arrivals;
use peakdrill_drill_model::search::Range;
use peakdrill_drill_model::shape::Shape;
use peakdrill_timebase::{NS_PER_MS, format_duration};

use super::curve;
use crate::codes::{E0311, E0318, E0319, E0402, E0403, E0701};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys::{self, Block};
use crate::limits;
use crate::node::{Node, Span};
use crate::schedule::ScheduleError;
use crate::schedule::jmeter::Jmeter;
use crate::schedule::tank::Tank;

/// Phases and their parts last at least a millisecond.
const TIME_RANGE_NS: std::ops::RangeInclusive<u64> = NS_PER_MS..=limits::MAX_DURATION_NS;

/// Finest and coarsest search.
const TOLERANCE_RANGE: std::ops::RangeInclusive<f64> = 0.001..=0.5;
/// A recovery after a failed probe lasts at least about so long when it is given up.
const RECOVER_NS: u64 = 5_000 * NS_PER_MS;
/// What is told late is waited for so long after a probe.
const LATE_NS: u64 = 2_000 * NS_PER_MS;

/// A shape, and the spacing of its arrivals where the shape itself says it.
pub(super) type Lowered = (Shape, Option<Arrivals>);

pub(super) fn lower(ctx: &Ctx<'_>, node: &Node, place: Span) -> Option<Lowered> {
    lower_as(ctx, node, place, &keys::SHAPE)
}

fn lower_as(ctx: &Ctx<'_>, node: &Node, place: Span, shapes: &'static Block) -> Option<Lowered> {
    let (kind, key, value) = ctx.variant(node, place, shapes)?;
    match kind {
        "pause" => {
            let for_ns = ctx.duration(value, "`pause`", TIME_RANGE_NS)?;
            return Some((Shape::Pause { for_ns }, None));
        }
        "sum" => return sum(ctx, value, key),
        "tank" => {
            let (tank, written): (Tank, _) = schedule(ctx, value, "tank")?;
            return Some((bounded(ctx, value, written, tank.pieces())?, None));
        }
        "jmeter" => {
            let (jmeter, written): (Jmeter, _) = schedule(ctx, value, "jmeter")?;
            return Some((bounded(ctx, value, written, jmeter.pieces())?, jmeter.spacing()));
        }
        _ => {}
    }
    let block = match kind {
        "hold" => &keys::HOLD,
        "ramp" => &keys::RAMP,
        "spike" => &keys::SPIKE,
        "steps" => &keys::STAIRS,
        "curve" => &keys::CURVE,
        "search" => &keys::SEARCH,
        _ => &keys::USERS,
    };
    let fields = ctx.fields(value, key, block)?;
    let read = Reader { ctx, fields: &fields };
    let shape = match kind {
        "hold" => read.hold(std::ptr::eq(shapes, &keys::SHAPE)),
        "ramp" => read.ramp(),
        "spike" => read.spike(),
        "steps" => read.stairs(),
        "curve" => curve::lower(ctx, &fields),
        "search" => read.search(),
        _ => read.users(),
    };
    Some((shape?, None))
}

/// A schedule in the words of another tool, and how it was written.
fn schedule<S: FromStr<Err = ScheduleError>>(ctx: &Ctx<'_>, node: &Node, tool: &str) -> Option<(S, String)> {
    let text = ctx.text(node, &format!("`{tool}`"))?;
    match text.parse() {
        Ok(schedule) => {
            Some((schedule, format!("{tool} {}", text.split_whitespace().collect::<Vec<_>>().join(" "))))
        }
        Err(error) => {
            let piece = text.get(error.range).unwrap_or_default();
            ctx.push(draft(error.code, ctx.within(node, piece), error.message).help(error.help));
            None
        }
    }
}

fn bounded(
    ctx: &Ctx<'_>,
    node: &Node,
    written: String,
    pieces: Vec<peakdrill_drill_model::shape::Piece>,
) -> Option<Shape> {
    let total = pieces.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len_ns));
    if total > limits::MAX_DURATION_NS || pieces.len() > limits::MAX_CURVE_POINTS {
        ctx.push(draft(E0701, node.span, "the schedule lasts longer than 24 hours or has too many parts"));
        return None;
    }
    Some(Shape::Pieces { written, pieces })
}

fn sum(ctx: &Ctx<'_>, node: &Node, place: Span) -> Option<Lowered> {
    let items = ctx.items(node, place, "`sum`")?;
    if items.is_empty() {
        ctx.push(draft(E0318, place, "`sum` is empty: write at least one shape"));
        return None;
    }
    if items.len() > limits::MAX_SUM_PARTS {
        ctx.push(draft(E0701, place, format!("more than {} parts of a sum", limits::MAX_SUM_PARTS)));
        return None;
    }
    let parts: Vec<_> = items.iter().map(|item| lower_as(ctx, item, item.span, &keys::SUMMAND)).collect();
    let mut spacing = None;
    let mut out = Vec::new();
    for (item, part) in items.iter().zip(parts) {
        let (shape, own) = part?;
        if let (Some(known), Some(own)) = (spacing, own)
            && known != own
        {
            ctx.push(draft(
                E0319,
                item.span,
                "parts of one sum are spaced differently: a phase has one spacing",
            ));
        }
        spacing = spacing.or(own);
        out.push(shape);
    }
    let sum = Shape::Sum(out);
    if sum.peak() > limits::MAX_RATE_PER_S {
        ctx.push(draft(E0403, place, "the sum goes beyond 1000k/s"));
        return None;
    }
    Some((sum, spacing))
}

struct Reader<'r> {
    ctx: &'r Ctx<'r>,
    fields: &'r Fields<'r>,
}

// Each value is read before any is given up, so that all findings of a shape come at once.
impl Reader<'_> {
    fn rate(&self, name: &str) -> Option<f64> {
        self.fields.get(name).and_then(|node| self.ctx.rate(node, &format!("`{name}`")))
    }

    fn time(&self, name: &str) -> Option<u64> {
        self.fields.get(name).and_then(|node| self.ctx.duration(node, &format!("`{name}`"), TIME_RANGE_NS))
    }

    /// `alone`: not a part of a sum.
    fn hold(&self, alone: bool) -> Option<Shape> {
        let (rate, for_ns) = (self.rate("rate"), self.time("for"));
        let until = self.fields.get("until");
        let instant = until.and_then(|node| instant(self.ctx, node));
        match (self.fields.get("for"), until) {
            // Keys that were reported already may have been meant for it.
            (None, None) if self.fields.is_empty() && self.ctx.has_errors() => None,
            (None, None) => {
                let found = draft(E0311, self.fields.place, "a `hold` shape needs the key `for` or `until`");
                self.ctx.push(found.label("no `for` here").help("How long."));
                None
            }
            (Some(_), Some(_)) => {
                let message = "`for` and `until` exclude each other";
                self.ctx.push(draft(E0319, self.fields.key_span("until"), message).help("remove one"));
                None
            }
            (None, Some(_)) if !alone => {
                let message = "`until` cannot stand in a `sum`: its parts have lengths";
                self.ctx.push(draft(E0319, self.fields.key_span("until"), message).help("write `for`"));
                None
            }
            (None, Some(_)) => Some(Shape::HoldUntil { rate: rate?, until_unix_ns: instant? }),
            (Some(_), None) => Some(Shape::Hold { rate: rate?, for_ns: for_ns? }),
        }
    }

    fn ramp(&self) -> Option<Shape> {
        let (from, to, over) = (self.rate("from"), self.rate("to"), self.time("over"));
        Some(Shape::Ramp { from: from?, to: to?, over_ns: over? })
    }

    fn spike(&self) -> Option<Shape> {
        let (from, to) = (self.rate("from"), self.rate("to"));
        let (rise, hold, fall) = (self.time("rise"), self.time("hold"), self.time("fall"));
        let (from, to) = (from?, to?);
        if to <= from {
            let message = "a spike goes up: `to` must be above `from`";
            self.ctx.push(draft(E0319, self.fields.key_span("to"), message).help("use `ramp` to go down"));
        }
        Some(Shape::Spike { from, to, rise_ns: rise?, hold_ns: hold?, fall_ns: fall? })
    }

    fn stairs(&self) -> Option<Shape> {
        let (from, by, max, every) =
            (self.rate("from"), self.rate("by"), self.rate("max"), self.time("every"));
        let (from, by, max, every_ns) = (from?, by?, max?, every?);
        if by <= 0.0 {
            self.ctx.push(draft(E0403, self.fields.key_span("by"), "`by` must be above 0"));
            return None;
        }
        if max < from {
            let message = "`max` must not be below `from`";
            self.ctx.push(draft(E0319, self.fields.key_span("max"), message));
            return None;
        }
        if (max - from) / by > limits::MAX_STAIRS {
            let message = format!("more than {} stairs", limits::MAX_STAIRS);
            self.ctx.push(draft(E0403, self.fields.key_span("by"), message));
            return None;
        }
        Some(Shape::Steps { from, by, every_ns, max })
    }

    fn search(&self) -> Option<Shape> {
        let (low, high) = (self.rate("low"), self.rate("high"));
        let (settle_ns, probe_ns, within_ns) = (self.time("settle"), self.time("probe"), self.time("within"));
        let tolerance = self.fields.get("tolerance").map_or(Some(limits::DEFAULT_TOLERANCE), |node| {
            let share = self.ctx.percent(node, "`tolerance`")?;
            if !TOLERANCE_RANGE.contains(&share) {
                let found = draft(E0403, node.span, "`tolerance` is out of range");
                self.ctx.push(found.label("must be 0.1% to 50%"));
                return None;
            }
            Some(share)
        });
        let (low, high, settle_ns, probe_ns) = (low?, high?, settle_ns?, probe_ns?);
        if low <= 0.0 {
            self.ctx.push(draft(E0403, self.fields.key_span("low"), "`low` must be above 0"));
            return None;
        }
        if high <= low {
            self.ctx.push(draft(E0319, self.fields.key_span("high"), "`high` must be above `low`"));
            return None;
        }
        let range = Range { low, high, tolerance: tolerance? };
        // Each probe with its recovery, which is as long as it or a minute, and with what is told late.
        let one_ns = 2 * (settle_ns + probe_ns).max(RECOVER_NS) + RECOVER_NS;
        let enough_ns = u64::from(range.probes_max()).saturating_mul(one_ns);
        let written = self.fields.get("within").is_some();
        if let Some(within_ns) = within_ns.filter(|ns| written && *ns < settle_ns + probe_ns + LATE_NS) {
            let one = format_duration(settle_ns + probe_ns + LATE_NS);
            let message = format!("`within` is too short: one probe takes {one}");
            let found = draft(E0403, self.fields.key_span("within"), message);
            self.ctx.push(found.label(format!("{} is less", format_duration(within_ns))));
            return None;
        }
        let within_ns = if written { within_ns? } else { enough_ns.min(limits::MAX_DURATION_NS / 2) };
        Some(Shape::Search { range, settle_ns, probe_ns, within_ns })
    }

    fn users(&self) -> Option<Shape> {
        let count = self.fields.get("count");
        let count = count.and_then(|node| self.ctx.whole(node, "`count`", 1..=limits::MAX_USERS));
        let for_ns = self.time("for");
        Some(Shape::Users { count: count?, for_ns: for_ns? })
    }
}

/// An RFC 3339 instant, in Unix nanoseconds.
fn instant(ctx: &Ctx<'_>, node: &Node) -> Option<i64> {
    let text = ctx.text(node, "`until`")?;
    let found = text.parse::<Timestamp>().ok().and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    if found.is_none() {
        let found = draft(E0402, node.span, format!("`until` is no instant: `{text}`"));
        ctx.push(found.help("write the date, the time and the offset: `2026-11-11T00:00:00+08:00`"));
    }
    found
}
