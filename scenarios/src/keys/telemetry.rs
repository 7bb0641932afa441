//! What is fetched of the system under test.

use super::{Block, TLS, Ty, may, must};

pub(crate) static TELEMETRY: Block = Block {
    id: "telemetry",
    what: "the telemetry block",
    fields: &[
        may(
            "scrape",
            Ty::List(&Ty::Block(&SCRAPE)),
            "Prometheus endpoints that are looked at while the drill runs: how full resources are.",
        ),
        may(
            "traces",
            Ty::Percent,
            "Of the requests, those that services are asked for spans of, each with all its spans; 100% when not given.",
        ),
    ],
};

pub(crate) static SCRAPE: Block = Block {
    id: "scrape",
    what: "a scrape",
    fields: &[
        must("url", Ty::Text, "Where: `http://host:port/metrics`, or `https://…`."),
        may(
            "service",
            Ty::Text,
            "Whose resources it tells of, by the name of a service or database as spans have it; without it, the labels of each series say so (`container`, `deployment`).",
        ),
        may("every", Ty::Duration, "Time between two looks, 200ms to 10s; 1s when not given."),
        may("tls", Ty::Block(&TLS), "Certificates, as of a target."),
    ],
};
