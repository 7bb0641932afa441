//! The ready drills are drills.

use peakdrill_drill_model::plan::Plan;
use peakdrill_drill_model::shape::Shape;
use peakdrill_scenarios::{
    Files, Input, LIBRARY, LIBRARY_FILES, describe, describe_ascii, expected_requests, parse, render_human,
    scaffold,
};

struct Shelf;

impl Files for Shelf {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = LIBRARY_FILES.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    }
}

pub(crate) fn plan(name: &str, text: &str) -> Plan {
    let parsed = parse(&Input { name, text, sets: &[], env: &|_| None, files: &Shelf });
    assert!(parsed.diagnostics.is_empty(), "{}", render_human(&parsed.diagnostics, false));
    parsed.plan.unwrap()
}

#[test]
fn every_drill_of_the_library_is_planned_without_a_warning() {
    for (name, text) in LIBRARY {
        let plan = plan(name, text);
        assert_eq!(plan.name, *name);
        assert!(plan.duration_ns() > 0);
        let shares: f64 = plan.journeys.iter().map(|journey| journey.share).sum();
        assert!((shares - 1.0).abs() < 1e-9);
        assert!(expected_requests(&plan).iter().all(|count| *count > 0.0), "{name}: a step never runs");
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again.steps, plan.steps);
        assert!(text.contains("$schema="), "{name} has no schema line");
    }
    plan("scaffold", scaffold());
}

#[test]
fn the_evening_has_the_shape_of_the_log() {
    let text = LIBRARY.iter().find(|(name, _)| *name == "replayed-evening-curve").unwrap().1;
    let plan = plan("evening", text);
    let Shape::Curve { points } = &plan.load.phases[0].shape else { panic!("not a curve") };
    assert_eq!(points.len(), 12);
    assert_eq!(points[0], (0, 462.0 * 0.1));
    assert_eq!(plan.duration_ns(), 11 * 3_600 * 1_000_000_000 / 110);
}

#[test]
fn plans_are_described() {
    for (name, text) in LIBRARY {
        insta::assert_snapshot!(format!("describe-{name}"), describe(&plan(name, text)));
    }
    let ascii = describe_ascii(&plan("smoke", LIBRARY[0].1));
    assert!(ascii.is_ascii(), "{ascii}");
}
