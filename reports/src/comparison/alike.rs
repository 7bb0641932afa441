//! Whether two runs are of the same drill: else what differs between them is not what is looked for.

use peakdrill_drill_model::plan::{DataFile, Feeder, Plan, Target};

use super::Side;

/// Why two runs cannot be compared; empty: they can.
pub(super) fn differences(run: &Side, baseline: &Side) -> Vec<String> {
    let (new, old) = (&run.plan, &baseline.plan);
    let mut out = targets(new, old);
    if new.journeys != old.journeys || new.steps != old.steps {
        out.push("the journeys are other ones".to_owned());
    }
    let phases = |plan: &Plan| plan.load.phases.iter().map(|phase| phase.name.clone()).collect::<Vec<_>>();
    if phases(new) == phases(old) {
        let pairs = new.load.phases.iter().zip(&old.load.phases);
        out.extend(
            pairs.filter(|(a, b)| a != b).map(|(a, _)| format!("phase {} asks for another load", a.name)),
        );
    } else {
        out.push(format!("the phases are {}, and were {}", phases(new).join(", "), phases(old).join(", ")));
    }
    let limits = |plan: &Plan| (plan.load.arrivals, plan.load.pacing, plan.load.max_in_flight);
    if limits(new) != limits(old) {
        out.push("arrivals are spaced, paced or limited in another way".to_owned());
    }
    out.extend(carried(new, old));
    if new.shadow.is_some() != old.shadow.is_some() {
        out.push("one of them is tagged as shadow, and one is not".to_owned());
    }
    let (a, b) = (&run.environment, &baseline.environment);
    for (what, a, b) in [
        ("processors of the generator", a.machine.cpus, b.machine.cpus),
        ("agents", a.agents, b.agents),
        ("load threads", a.shards, b.shards),
    ] {
        // What is not known may be anything.
        if a != b || a == 0 {
            let told = |n: u32| if n == 0 { "not known".to_owned() } else { n.to_string() };
            out.push(format!("{what}: {}, and {} before", told(a), told(b)));
        }
    }
    // What requests carry is not kept in a record; the scenario's hash knows of it.
    if out.is_empty() && new.scenario_sha256 != old.scenario_sha256 {
        out.push(
            "the scenario is another text: bodies, queries or other literals of requests may differ"
                .to_owned(),
        );
    }
    out
}

/// What requests carry, and who answers them.
fn carried(new: &Plan, old: &Plan) -> Vec<String> {
    let mut out = Vec::new();
    // Where a file lies says nothing; its hash does.
    let feeders = |plan: &Plan| {
        let bare = |feeder: &Feeder| Feeder {
            csv: String::new(),
            rows: std::sync::Arc::default(),
            ..feeder.clone()
        };
        plan.feeders.iter().map(bare).collect::<Vec<_>>()
    };
    if feeders(new) != feeders(old) {
        out.push("the feeders have other rows, or give them in another way".to_owned());
    }
    let files = |plan: &Plan| {
        let known = |file: &DataFile| (file.bytes, file.sha256.clone());
        plan.files.iter().map(known).collect::<Vec<_>>()
    };
    if files(new) != files(old) {
        out.push("the files that are sent are other ones".to_owned());
    }
    if new.isolation.stubs != old.isolation.stubs {
        out.push("third parties are stubbed in another way".to_owned());
    }
    if new.isolation.stores != old.isolation.stores {
        out.push("stores are isolated in another way".to_owned());
    }
    out
}

fn targets(new: &Plan, old: &Plan) -> Vec<String> {
    let elsewhere = |target: &Target| Target { base_url: String::new(), ..target.clone() };
    let all = |plan: &Plan| plan.targets.iter().map(elsewhere).collect::<Vec<_>>();
    if all(new) != all(old) {
        return vec!["the targets are other ones, or reached in another way".to_owned()];
    }
    let pairs = new.targets.iter().zip(&old.targets).filter(|(a, b)| a.base_url != b.base_url);
    pairs.map(|(a, b)| format!("target {} is {}, and was {}", a.name, a.base_url, b.base_url)).collect()
}

/// What may matter, and does not keep them from being compared.
pub(super) fn remarks(run: &Side, baseline: &Side) -> Vec<String> {
    let mut out = Vec::new();
    let (a, b) = (&run.environment.version, &baseline.environment.version);
    if a != b {
        out.push(format!("measured by peakdrill {a}, and by {b} before"));
    }
    let part = |side: &Side| side.plan.telemetry.traces_ppm;
    if part(run) != part(baseline) {
        out.push(
            "another part of the requests is traced: calls are compared by fewer or more of them".into(),
        );
    }
    out
}
