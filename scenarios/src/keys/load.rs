//! Load, phases and shapes.

use super::{Block, Ty, later, may, must};

/// Spellings of [`Pacing`](peakdrill_drill_model::plan::Pacing).
pub(crate) static PACINGS: &[&str] = &["auto", "precise", "economy"];

pub(crate) static LOAD: Block = Block {
    id: "load",
    what: "the load block",
    fields: &[
        may("arrivals", Ty::Choice(&["poisson", "even"]), "Spacing of arrivals; `poisson` when not given."),
        may(
            "pacing",
            Ty::Choice(PACINGS),
            "How arrivals are waited for: each to within microseconds, or those of a millisecond together; \
             `auto` when not given: precise while the generator's core has room.",
        ),
        may("seed", Ty::Whole, "Seed of everything random; 1 when not given."),
        may(
            "max_in_flight",
            Ty::Whole,
            "Over so many journeys in flight, arrivals are missed; 100000 when not given.",
        ),
        may("latency_from", Ty::Choice(&["intended"]), "Latency runs from the intended start, always."),
        may("unit", Ty::Choice(&["journeys"]), "What a rate counts; `requests` is not built yet."),
        must("phases", Ty::List(&Ty::Block(&PHASE)), "One after the other."),
    ],
};

pub(crate) static PHASE: Block = Block {
    id: "phase",
    what: "a phase",
    fields: &[
        must("name", Ty::Text, "Its name."),
        must("shape", Ty::Variant(&SHAPE), "The rate over its time."),
        may("arrivals", Ty::Choice(&["poisson", "even"]), "Spacing in this phase."),
        may("measure", Ty::Bool, "Whether gates look at it; true when not given."),
        may("mix", Ty::Map(&Ty::Number), "Shares in this phase."),
        later("until", "Ends the phase by a condition."),
        later("objective", "What a search aims at."),
    ],
};

pub(crate) static SHAPE: Block = Block {
    id: "shape",
    what: "a load shape",
    fields: &[
        may("hold", Ty::Block(&HOLD), "One rate."),
        may("ramp", Ty::Block(&RAMP), "Straight from one rate to another."),
        may("spike", Ty::Block(&SPIKE), "Up, stay, down."),
        may("steps", Ty::Block(&STAIRS), "A staircase."),
        may("curve", Ty::Block(&CURVE), "A curve from a CSV file."),
        may("users", Ty::Block(&USERS), "Closed loop: a fixed number of users, each waiting for its answer."),
        later("search", "Search for the highest rate that holds."),
        later("pause", "No load; write `hold` with `rate: 0/s`."),
        later("sum", "Several shapes at once."),
        later("tank", "Yandex Tank's schedule."),
        later("jmeter", "JMeter's schedule."),
    ],
};

pub(crate) static HOLD: Block = Block {
    id: "hold",
    what: "a `hold` shape",
    fields: &[
        must("rate", Ty::Rate, "Journeys a second."),
        must("for", Ty::Duration, "How long."),
        later("until", "Until a time of day."),
    ],
};

pub(crate) static RAMP: Block = Block {
    id: "ramp",
    what: "a `ramp` shape",
    fields: &[
        must("from", Ty::Rate, "At the start."),
        must("to", Ty::Rate, "At the end."),
        must("over", Ty::Duration, "How long."),
    ],
};

pub(crate) static SPIKE: Block = Block {
    id: "spike",
    what: "a `spike` shape",
    fields: &[
        must("from", Ty::Rate, "Before and after."),
        must("to", Ty::Rate, "At the top."),
        must("rise", Ty::Duration, "Time up."),
        must("hold", Ty::Duration, "Time at the top."),
        must("fall", Ty::Duration, "Time down."),
    ],
};

pub(crate) static STAIRS: Block = Block {
    id: "steps_shape",
    what: "a `steps` shape",
    fields: &[
        must("from", Ty::Rate, "First stair."),
        must("by", Ty::Rate, "Height of a stair."),
        must("every", Ty::Duration, "Length of a stair."),
        must("max", Ty::Rate, "Last stair."),
    ],
};

pub(crate) static CURVE: Block = Block {
    id: "curve",
    what: "a `curve` shape",
    fields: &[
        must("csv", Ty::Text, "A CSV file with a header line, relative to the scenario's folder."),
        must("time", Ty::Text, "Column of times: seconds, or RFC 3339 instants."),
        must("value", Ty::Text, "Column of rates, a second."),
        may("scale", Ty::Number, "Rates are multiplied by this; 1 when not given."),
        may("speed", Ty::Text, "`10x`: ten seconds of the file in one; `1x` when not given."),
        may("interpolate", Ty::Choice(&["linear"]), "Straight between points."),
    ],
};

pub(crate) static USERS: Block = Block {
    id: "users",
    what: "a `users` shape",
    fields: &[must("count", Ty::Whole, "How many."), must("for", Ty::Duration, "How long.")],
};
