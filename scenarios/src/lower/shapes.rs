//! Shapes of load.

use peakdrill_drill_model::shape::Shape;
use peakdrill_timebase::NS_PER_MS;

use super::curve;
use crate::codes::{E0319, E0403};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

/// Phases and their parts last at least a millisecond.
const TIME_RANGE_NS: std::ops::RangeInclusive<u64> = NS_PER_MS..=limits::MAX_DURATION_NS;

pub(super) fn lower(ctx: &Ctx<'_>, node: &Node, place: Span) -> Option<Shape> {
    let (kind, key, value) = ctx.variant(node, place, &keys::SHAPE)?;
    let block = match kind {
        "hold" => &keys::HOLD,
        "ramp" => &keys::RAMP,
        "spike" => &keys::SPIKE,
        "steps" => &keys::STAIRS,
        "curve" => &keys::CURVE,
        _ => &keys::USERS,
    };
    let fields = ctx.fields(value, key, block)?;
    let read = Reader { ctx, fields: &fields };
    match kind {
        "hold" => read.hold(),
        "ramp" => read.ramp(),
        "spike" => read.spike(),
        "steps" => read.stairs(),
        "curve" => curve::lower(ctx, &fields),
        _ => read.users(),
    }
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

    fn hold(&self) -> Option<Shape> {
        let (rate, for_ns) = (self.rate("rate"), self.time("for"));
        Some(Shape::Hold { rate: rate?, for_ns: for_ns? })
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

    fn users(&self) -> Option<Shape> {
        let count = self.fields.get("count");
        let count = count.and_then(|node| self.ctx.whole(node, "`count`", 1..=limits::MAX_USERS));
        let for_ns = self.time("for");
        Some(Shape::Users { count: count?, for_ns: for_ns? })
    }
}
