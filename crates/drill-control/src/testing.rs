//! What the tests of this crate share.

use peakdrill_drill_model::plan::{
    Arrivals, Guards, Isolation, Load, PLAN_VERSION, Pacing, Phase, Plan, ShadowPlan,
};
use peakdrill_drill_model::shape::Shape;

/// A plan of one phase and nothing else.
pub(crate) fn plan() -> Plan {
    Plan {
        v: PLAN_VERSION,
        name: "test".into(),
        labels: std::collections::BTreeMap::new(),
        environment: "local".into(),
        scenario_sha256: String::new(),
        targets: Vec::new(),
        shadow: None,
        isolation: Isolation::default(),
        telemetry: peakdrill_drill_model::plan::Telemetry::default(),
        feeders: Vec::new(),
        files: Vec::new(),
        journeys: Vec::new(),
        steps: Vec::new(),
        load: Load {
            arrivals: Arrivals::Even,
            pacing: Pacing::Auto,
            seed: 1,
            max_in_flight: 100,
            phases: vec![Phase::measured(
                "hold",
                Shape::Hold { rate: 10.0, for_ns: 10_000_000_000 },
                Arrivals::Even,
            )],
        },
        guards: Guards::default(),
        gates: Vec::new(),
        reports: Vec::new(),
    }
}

/// Tags whose acknowledgement is required of every answer.
pub(crate) fn shadow() -> ShadowPlan {
    ShadowPlan {
        key_secret: None,
        lease_ns: 60_000_000_000,
        header: "x-shadow".into(),
        ack_require: Some(1.0),
        ack_header: "x-shadow-ack".into(),
    }
}
