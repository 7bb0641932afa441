//! Ready drills, and the scenario that `peakdrill init` writes.

/// Ready drills by name.
pub const LIBRARY: &[(&str, &str)] = &[
    ("smoke", include_str!("../library/smoke.yaml")),
    ("midnight-spike", include_str!("../library/midnight-spike.yaml")),
    ("steps-to-saturation", include_str!("../library/steps-to-saturation.yaml")),
    ("capacity-search", include_str!("../library/capacity-search.yaml")),
    ("replayed-evening-curve", include_str!("../library/replayed-evening-curve.yaml")),
    ("checkout-journey", include_str!("../library/checkout-journey.yaml")),
    ("live-feed", include_str!("../library/live-feed.yaml")),
    ("production-template", include_str!("../library/production-template.yaml")),
];

/// The data files that the ready drills name, by their path beside the drill.
pub const LIBRARY_FILES: &[(&str, &str)] = &[
    ("data/access-log-by-hour.csv", include_str!("../library/data/access-log-by-hour.csv")),
    ("data/sign-in.yaml", include_str!("../library/data/sign-in.yaml")),
    ("data/skus.jsonl", include_str!("../library/data/skus.jsonl")),
    ("data/users.csv", include_str!("../library/data/users.csv")),
];

/// A commented scenario to start from, with the line that tells editors about the schema.
#[must_use]
pub fn scaffold() -> &'static str {
    include_str!("../library/scaffold.yaml")
}
