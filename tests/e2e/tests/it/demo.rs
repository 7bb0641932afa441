//! The main job.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::support::{expect_exit, json, output, peakdrill};

/// What of a record is made from the rest of it.
const MADE: [&str; 5] = ["verdict.json", "report.html", "junit.xml", "summary.md", "cells.json"];

/// Runs the demo with a planted bottleneck; returns its verdict.
pub(crate) fn demo(folder: &Path, bottleneck: &str, seed: u64) -> Value {
    let started = Instant::now();
    let args =
        ["demo", "--bottleneck", bottleneck, "--seed", &seed.to_string(), "--tui", "never", "--out", "rec"];
    let run = output(peakdrill(folder).args(args));
    expect_exit(&run, 0);
    assert!(started.elapsed().as_secs() < 90, "the demo took {:?}", started.elapsed());
    json(&folder.join("rec/verdict.json"))
}

fn first(verdict: &Value) -> (&str, &str) {
    let node = verdict["bottlenecks"][0]["node"].as_str().unwrap_or_default();
    (node, verdict["analysis"]["state"].as_str().unwrap_or_default())
}

#[test]
fn the_planted_bank_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = demo(folder.path(), "bank", 2);
    assert_eq!(first(&verdict), ("bank", "found"), "{:#}", verdict["bottlenecks"]);
    assert_eq!(verdict["bottlenecks"][0]["kind"], "external");
    the_live_view_kept_up(&verdict);
    made_again_it_is_the_same(folder.path());
    a_finding_names_its_owner(folder.path());
}

/// How old the live ranking was is kept with the rest. It was made anew again and again, as spans came.
fn the_live_view_kept_up(verdict: &Value) {
    let live = &verdict["live_view"];
    let age_ms = |quantile: &str| live["age_ms"][quantile].as_f64().unwrap();
    assert!(live["looks"].as_u64().unwrap() >= 10, "{live}");
    assert!(
        age_ms("p50") > 0.0 && age_ms("p50") <= age_ms("p99") && age_ms("p99") <= age_ms("max"),
        "{live}"
    );
}

/// Owners that are given later are kept in the record, and named wherever the finding is.
fn a_finding_names_its_owner(folder: &Path) {
    let entity = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: bank\n  links:\n    \
                  - { url: \"https://runbooks.example.com/bank\", title: Runbook }\n\
                  spec: { type: service, lifecycle: production, owner: \"group:default/team-money\" }\n";
    fs::write(folder.join("catalog-info.yaml"), entity).unwrap();
    let given = output(peakdrill(folder).args(["report", "rec", "--owners", "catalog-info.yaml"]));
    expect_exit(&given, 0);
    let card = String::from_utf8(given.stdout).unwrap();
    assert!(card.contains("owner team-money, criticality production"), "{card}");
    let again = output(peakdrill(folder).args(["report", "rec", "--format", "json"]));
    expect_exit(&again, 0);
    let verdict: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(verdict["bottlenecks"][0]["owner"], "team-money");
    assert_eq!(verdict["owners"]["bank"]["runbook"], "https://runbooks.example.com/bank");
    let page = fs::read_to_string(folder.join("rec/report.html")).unwrap();
    assert!(page.contains("<a href=\"https://runbooks.example.com/bank\""));
    assert!(page.contains("<b>Best-effort</b>, off the critical path: "), "the consumer of the queue");
    assert!(page.contains("<b>The critical path:</b> load → gateway → order → payment → bank."));
}

/// `report` makes the same bytes, from the cells as from the journal that they were folded from.
fn made_again_it_is_the_same(folder: &Path) {
    let read = || MADE.map(|name| fs::read(folder.join("rec").join(name)).unwrap());
    let first = read();
    expect_exit(&output(peakdrill(folder).args(["report", "rec"])), 0);
    assert!(first == read(), "from the cells");
    for name in MADE {
        fs::remove_file(folder.join("rec").join(name)).unwrap();
    }
    expect_exit(&output(peakdrill(folder).args(["report", "rec"])), 0);
    let again = read();
    for (name, (first, again)) in MADE.iter().zip(first.iter().zip(&again)) {
        assert!(first == again, "{name} from the journal");
    }
}
