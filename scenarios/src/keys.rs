//! Every key of the language, in one table.
//!
//! The lowering reads mappings through it (so that no key can be accepted and ignored), and the JSON schema is
//! written from it (so that editors and the reader cannot disagree).

mod load;
mod safety;
mod telemetry;
mod traffic;

pub(crate) use load::*;
pub(crate) use safety::*;
pub(crate) use telemetry::*;
pub(crate) use traffic::*;

/// What stands at a key.
#[derive(Debug)]
pub(crate) enum Ty {
    /// One line of text, variables replaced.
    Text,
    /// Text with holes that are filled for each journey.
    Template,
    /// Any YAML, turned into JSON text.
    Json,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `300ms`.
    Duration,
    /// `500/s`.
    Rate,
    /// `0.05%`.
    Percent,
    /// `p99 < 300ms`.
    Condition,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Items.
    List(&'static Ty),
    /// Names of the writer's choice.
    Map(&'static Ty),
    /// A mapping of these keys.
    Block(&'static Block),
    /// A mapping of exactly one of these keys.
    Variant(&'static Block),
    /// A short form, or a longer one.
    Either(&'static Ty, &'static Ty),
}

/// Whether a key must, may or cannot yet be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Required,
    Optional,
    NotBuilt,
}

/// A key.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) ty: Ty,
    pub(crate) state: State,
    pub(crate) doc: &'static str,
}

/// The keys of a mapping.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its id in the schema.
    pub(crate) id: &'static str,
    /// As it is called in messages: `a load shape`.
    pub(crate) what: &'static str,
    pub(crate) fields: &'static [Field],
}

impl Block {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of the keys that can be used.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().filter(|field| field.state != State::NotBuilt).map(|field| field.name)
    }
}

const fn must(name: &'static str, ty: Ty, doc: &'static str) -> Field {
    Field { name, ty, state: State::Required, doc }
}

const fn may(name: &'static str, ty: Ty, doc: &'static str) -> Field {
    Field { name, ty, state: State::Optional, doc }
}

const fn later(name: &'static str, doc: &'static str) -> Field {
    Field { name, ty: Ty::Text, state: State::NotBuilt, doc }
}

/// The whole file.
pub(crate) static ROOT: Block = Block {
    id: "drill",
    what: "a scenario",
    fields: &[
        must("version", Ty::Whole, "Version of the language: 1."),
        must("name", Ty::Text, "The drill's name."),
        may("labels", Ty::Map(&Ty::Text), "Free labels for people and reports."),
        may(
            "environment",
            Ty::Text,
            "`production` makes shadow, isolation and guards mandatory; `local` when not given.",
        ),
        may(
            "vars",
            Ty::Map(&Ty::Text),
            "Values for `${name}`; `--set name=value` and PEAKDRILL_VAR_name override them.",
        ),
        may(
            "include",
            Ty::List(&Ty::Text),
            "Files with journeys, fragments and feeders, relative to the scenario's folder.",
        ),
        must("targets", Ty::Map(&Ty::Block(&TARGET)), "What is hit."),
        may("shadow", Ty::Block(&SHADOW), "How requests are tagged as drill traffic."),
        may("isolation", Ty::Block(&ISOLATION), "How drill traffic is kept away from real data."),
        may("telemetry", Ty::Block(&TELEMETRY), "Telemetry that the drill fetches itself."),
        later("cells", "Units of the system under test and the routing to them."),
        may("feeders", Ty::Map(&Ty::Block(&FEEDER)), "Data for journeys."),
        may(
            "fragments",
            Ty::Map(&Ty::List(&Ty::Variant(&STEP))),
            "Steps shared by journeys, which `use` them.",
        ),
        must("journeys", Ty::Map(&Ty::Block(&JOURNEY)), "What users do."),
        may("mix", Ty::Map(&Ty::Number), "Relative shares of journeys among arrivals; equal when not given."),
        must("load", Ty::Block(&LOAD), "Load over time."),
        later("events", "Switches, faults and actions at times."),
        may("guards", Ty::Block(&GUARDS), "What protects production, independent of pass or fail."),
        later("baseline", "Earlier runs to compare with."),
        may(
            "gates",
            Ty::List(&Ty::Either(&Ty::Condition, &Ty::Block(&GATE))),
            "What the drill must show to pass. Only here can `capacity` be asked for, and never `in_flight`; `ack_missing` needs `shadow.ack.require`.",
        ),
        may("reports", Ty::List(&Ty::Variant(&REPORT)), "Renderings besides those of the record."),
        later("agents", "How the load is split over agents."),
    ],
};

/// A file that a scenario includes.
pub(crate) static INCLUDED: Block = Block {
    id: "included",
    what: "an included file",
    fields: &[
        may("include", Ty::List(&Ty::Text), "Further files, relative to the scenario's folder."),
        may("feeders", Ty::Map(&Ty::Block(&FEEDER)), "Data for journeys."),
        may("fragments", Ty::Map(&Ty::List(&Ty::Variant(&STEP))), "Steps shared by journeys."),
        may("journeys", Ty::Map(&Ty::Block(&JOURNEY)), "What users do."),
    ],
};

/// A rendering.
pub(crate) static REPORT: Block = Block {
    id: "report",
    what: "a report",
    fields: &[
        may("html", Ty::Block(&REPORT_FILE), "The HTML report."),
        may("junit", Ty::Block(&REPORT_FILE), "JUnit XML of the gates."),
        may("markdown", Ty::Block(&REPORT_FILE), "A Markdown summary."),
        may("json", Ty::Block(&REPORT_FILE), "The verdict as JSON."),
        later("github_summary", "The summary of a GitHub job."),
        later("jsonl", "Ticks as JSON lines."),
        later("hdr", "HdrHistogram log."),
        later("otlp", "Metrics sent over OTLP."),
        later("samples", "Stored failed and slow requests."),
    ],
};

/// Where a rendering goes.
pub(crate) static REPORT_FILE: Block = Block {
    id: "report_file",
    what: "a report",
    fields: &[must("path", Ty::Text, "The file that is written.")],
};

#[cfg(test)]
pub(crate) fn all_blocks() -> Vec<&'static Block> {
    fn walk(block: &'static Block, seen: &mut Vec<&'static Block>) {
        if seen.iter().any(|known| std::ptr::eq(*known, block)) {
            return;
        }
        seen.push(block);
        block.fields.iter().for_each(|field| walk_ty(&field.ty, seen));
    }
    fn walk_ty(ty: &'static Ty, seen: &mut Vec<&'static Block>) {
        match ty {
            Ty::List(inner) | Ty::Map(inner) => walk_ty(inner, seen),
            Ty::Block(block) | Ty::Variant(block) => walk(block, seen),
            Ty::Either(short, long) => {
                walk_ty(short, seen);
                walk_ty(long, seen);
            }
            _ => {}
        }
    }
    let mut seen = Vec::new();
    walk(&ROOT, &mut seen);
    seen
}
