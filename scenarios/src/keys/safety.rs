//! Shadow, isolation, guards and gates.

use super::{Block, Ty, later, may, must};

pub(crate) static SHADOW: Block = Block {
    id: "shadow",
    what: "the shadow block",
    fields: &[
        may("key", Ty::Text, "The signing key: `${secret:NAME}`."),
        may("lease", Ty::Duration, "Life of a token, 5s to 60s; 60s when not given."),
        may("header", Ty::Text, "The private header; `x-peakdrill` when not given."),
        may("ack", Ty::Block(&ACK), "Acknowledgement of the tag by the first hop."),
    ],
};

pub(crate) static ACK: Block = Block {
    id: "ack",
    what: "shadow.ack",
    fields: &[
        may(
            "response_header",
            Ty::Text,
            "The header of the acknowledgement; `x-peakdrill-ack` when not given.",
        ),
        may(
            "require",
            Ty::Percent,
            "Smallest share of answers that must acknowledge; without it, nothing is looked at and no condition may ask for `ack_missing`.",
        ),
        may("else", Ty::Choice(&["stop"]), "What happens when fewer do."),
    ],
};

pub(crate) static ISOLATION: Block = Block {
    id: "isolation",
    what: "the isolation block",
    fields: &[
        may("stores", Ty::List(&Ty::Variant(&STORE)), "Stores and where shadow data goes in them."),
        may("stubs", Ty::List(&Ty::Block(&STUB)), "Third parties that never see the drill."),
        may("on_leak", Ty::Choice(&["stop", "warn"]), "What a leak does; `stop` when not given."),
        later("proofs", "Marked writes looked for before the drill."),
    ],
};

pub(crate) static STORE: Block = Block {
    id: "store",
    what: "a store",
    fields: &[
        may("sqlite", Ty::Block(&SQL_STORE), "An SQLite database."),
        may("postgres", Ty::Block(&SQL_STORE), "A PostgreSQL database."),
        later("mysql", "A MySQL database."),
        later("redis", "A Redis server."),
        later("kafka", "A Kafka cluster."),
    ],
};

pub(crate) static SQL_STORE: Block = Block {
    id: "sql_store",
    what: "a SQL store",
    fields: &[
        must("service", Ty::Text, "The service that uses it."),
        must("mode", Ty::Variant(&SQL_MODE), "Where shadow rows go."),
        must(
            "tables",
            Ty::Map(&Ty::Choice(POLICIES)),
            "Policy of each table, `*` for all others; what is not declared is refused.",
        ),
        may("dsn", Ty::Text, "`${secret:NAME}` or `${env:NAME}`: where preflight may compare structures."),
    ],
};

/// Policies of a table. `overlay` and `mock` are known words that are not built yet for SQL.
pub(crate) const POLICIES: &[&str] = &["shadow", "read_live", "deny"];

pub(crate) static SQL_MODE: Block = Block {
    id: "sql_mode",
    what: "a mode",
    fields: &[
        may("shadow_table", Ty::Block(&SHADOW_TABLE), "Another table in the same schema."),
        may("shadow_schema", Ty::Text, "The same table in another schema."),
        later("shadow_database", "The same table in another database."),
        later("key_prefix", "A prefix of keys."),
        later("topic_suffix", "A suffix of topics."),
    ],
};

pub(crate) static SHADOW_TABLE: Block = Block {
    id: "shadow_table",
    what: "shadow_table",
    fields: &[
        may("prefix", Ty::Text, "Put before the table's name."),
        may("suffix", Ty::Text, "Put after the table's name."),
    ],
};

pub(crate) static STUB: Block = Block {
    id: "stub",
    what: "a stub",
    fields: &[
        must("host", Ty::Text, "Host, with an optional `:port`."),
        must("reply", Ty::Block(&REPLY), "What it answers."),
    ],
};

pub(crate) static REPLY: Block = Block {
    id: "reply",
    what: "a stub's reply",
    fields: &[
        may("status", Ty::Whole, "Status; 200 when not given."),
        may("latency", Ty::Text, "`80ms`, or `lognormal(80ms, 0.4)` by median and sigma; 0 when not given."),
        may("body", Ty::Text, "Body; empty when not given."),
    ],
};

pub(crate) static GUARDS: Block = Block {
    id: "guards",
    what: "the guards block",
    fields: &[
        may("every", Ty::Duration, "How often conditions are looked at: 250ms."),
        may("limits", Ty::Block(&LIMITS), "What the plan and the run may never exceed."),
        may(
            "stop",
            Ty::List(&Ty::Condition),
            "Any of these stops all load. Only here can `in_flight` be asked for; `ack_missing` needs `shadow.ack.require`.",
        ),
        may("on_stop", Ty::Block(&ON_STOP), "How a stop goes."),
        later("approvals", "Approvals by people."),
        later("hold", "Conditions that freeze the rate."),
        later("invalidate", "Conditions that spoil the data."),
        later("dead_man", "Agents' leases."),
    ],
};

pub(crate) static LIMITS: Block = Block {
    id: "limits",
    what: "guards.limits",
    fields: &[
        may("rate", Ty::Rate, "Journeys a second."),
        may("duration", Ty::Duration, "Length of the drill."),
        may("hosts", Ty::Block(&HOSTS), "Hosts that may be hit."),
        later("window", "Times of day."),
    ],
};

pub(crate) static HOSTS: Block = Block {
    id: "hosts",
    what: "guards.limits.hosts",
    fields: &[
        may("allow", Ty::List(&Ty::Text), "Only these; `*.example.com` is any host below it."),
        may("deny", Ty::List(&Ty::Text), "Never these."),
    ],
};

pub(crate) static ON_STOP: Block = Block {
    id: "on_stop",
    what: "guards.on_stop",
    fields: &[
        may("within", Ty::Duration, "Time from the breach to no load: 1s."),
        may("drain", Ty::Duration, "How long answers are awaited; 5s when not given."),
        later("undo_events", "Undo events."),
        later("notify", "Tell people."),
    ],
};

pub(crate) static GATE: Block = Block {
    id: "gate",
    what: "a gate",
    fields: &[
        must("assert", Ty::Condition, "What must hold."),
        may("name", Ty::Text, "Its name; the assertion when not given."),
        may("during", Ty::List(&Ty::Text), "Names of phases; all that are measured when not given."),
        may(
            "min_samples",
            Ty::Whole,
            "Fewer samples make it inconclusive; 100 for latencies and shares when not given.",
        ),
        may("level", Ty::Choice(&["fail", "warn"]), "`fail` when not given."),
        later("confidence", "Intervals over repeated runs."),
    ],
};
