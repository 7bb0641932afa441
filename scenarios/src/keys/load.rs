//! Load, phases and shapes.

use super::{Block, Ty, may, must};

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
        may(
            "unit",
            Ty::Choice(&["journeys", "requests"]),
            "What the rates of phases count; `requests` is turned into journeys by the expected number of requests a journey; `journeys` when not given.",
        ),
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
        may(
            "until",
            Ty::List(&Ty::Condition),
            "Any of these ends the phase, not the run; the next one begins.",
        ),
        may(
            "objective",
            Ty::List(&Ty::Condition),
            "What must hold at a rate of a `search`: all of these, such as `rate >= 99% of intended`, which counts answers.",
        ),
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
        may("curve", Ty::Block(&CURVE), CURVE_DOC),
        may("pause", Ty::Duration, "No load, for so long."),
        may("sum", Ty::List(&Ty::Variant(&SUMMAND)), "Several shapes at once: their rates add."),
        may("tank", Ty::Text, TANK_DOC),
        may("jmeter", Ty::Text, JMETER_DOC),
        may("users", Ty::Block(&USERS), "Closed loop: a fixed number of users, each waiting for its answer."),
        may(
            "search",
            Ty::Block(&SEARCH),
            "Searches for the highest rate that meets the phase's `objective`.",
        ),
    ],
};

const CURVE_DOC: &str = "A curve from a CSV file.";
const TANK_DOC: &str = "Yandex Tank's schedule: `line(1,100,10m) const(100,5m) step(5,25,5,60s)`.";
const JMETER_DOC: &str =
    "JMeter's schedule: `rate(0/min) random_arrivals(10 min) rate(50/min)`; its arrivals are the phase's.";

pub(crate) static SEARCH: Block = Block {
    id: "search",
    what: "a `search` shape",
    fields: &[
        must("low", Ty::Rate, "Lowest rate that is tried, and the first."),
        must("high", Ty::Rate, "Highest rate that is tried, and the second."),
        must(
            "settle",
            Ty::Duration,
            "After each change of the rate, so long is not judged; longer than a journey takes.",
        ),
        must("probe", Ty::Duration, "So long each rate is judged."),
        may(
            "tolerance",
            Ty::Percent,
            "Ends when the rate that failed is at most so much above the one that held; 2% when not given.",
        ),
        may(
            "within",
            Ty::Duration,
            "Ends at the latest after so long; enough for every probe when not given.",
        ),
    ],
};

/// What can be added to others: neither a closed loop nor another sum.
pub(crate) static SUMMAND: Block = Block {
    id: "sum_part",
    what: "a part of a `sum`",
    fields: &[
        may("hold", Ty::Block(&HOLD), "One rate, with `for`."),
        may("ramp", Ty::Block(&RAMP), "Straight from one rate to another."),
        may("spike", Ty::Block(&SPIKE), "Up, stay, down."),
        may("steps", Ty::Block(&STAIRS), "A staircase."),
        may("curve", Ty::Block(&CURVE), CURVE_DOC),
        may("tank", Ty::Text, TANK_DOC),
        may("jmeter", Ty::Text, JMETER_DOC),
    ],
};

pub(crate) static HOLD: Block = Block {
    id: "hold",
    what: "a `hold` shape",
    fields: &[
        must("rate", Ty::Rate, "Journeys a second."),
        may("for", Ty::Duration, "How long; this or `until`."),
        may(
            "until",
            Ty::Text,
            "Until this instant, as RFC 3339: `2026-11-11T00:00:00+08:00`. The run does not start when it is over by the time the phase begins.",
        ),
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
        may(
            "interpolate",
            Ty::Choice(&["linear", "step"]),
            "`linear`: straight between rows; `step`: each row's rate up to the next row's time, so the last row only ends it. `linear` when not given.",
        ),
    ],
};

pub(crate) static USERS: Block = Block {
    id: "users",
    what: "a `users` shape",
    fields: &[must("count", Ty::Whole, "How many."), must("for", Ty::Duration, "How long.")],
};
