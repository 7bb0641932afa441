//! A run beside the one before it.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use peakdrill_testkit::scripted::{Script, Server};
use serde_json::Value;

use crate::support::{ALONE, expect_exit, output, peakdrill};

/// Longer than the 30 windows it takes, and the seconds in which a system gets used to its load.
const LONG: &str = "37s";

/// Long enough to be measured, and too short to be compared.
const SHORT: &str = "2s";

fn drill(folder: &Path, server: &Server, out: &str, length: &str) -> Child {
    let mut run = peakdrill(folder);
    run.args(["run", "--target", &server.url(), "--rate", "60/s", "--for", length, "--out", out]).args(ALONE);
    run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The record of another run that went the same way.
fn again(folder: &Path, name: &str) {
    let (from, to) = (folder.join(name), folder.join(format!("{name}-again")));
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(&from).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    let path = to.join("environment.json");
    let mut environment: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    environment["run"] = "again".into();
    std::fs::write(&path, environment.to_string()).unwrap();
}

#[test]
fn a_slower_run_fails_and_one_that_cannot_be_compared_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let quick = Server::start(Script::Delay(Duration::from_millis(10))).unwrap();
    let slow = Server::start(Script::Delay(Duration::from_millis(25))).unwrap();
    let runs = [
        (&quick, "before", LONG),
        (&slow, "after", LONG),
        (&quick, "short", SHORT),
        (&quick, "short-too", SHORT),
    ];
    let runs = runs.map(|(server, out, length)| drill(folder.path(), server, out, length));
    for mut run in runs {
        assert_eq!(run.wait().unwrap().code(), Some(0));
    }
    again(folder.path(), "before");
    let compare = |args: &[&str]| output(peakdrill(folder.path()).arg("compare").args(args));

    let same = compare(&["before-again", "before"]);
    expect_exit(&same, 0);
    assert!(String::from_utf8(same.stdout).unwrap().contains("PASS"));

    let elsewhere = compare(&["after", "before"]);
    expect_exit(&elsewhere, 81);
    let said = String::from_utf8(elsewhere.stdout).unwrap();
    assert!(said.contains("INCONCLUSIVE") && said.contains(&slow.url()), "{said}");

    let worse = compare(&["after", "before", "--mismatched", "--format", "json"]);
    expect_exit(&worse, 99);
    let found: Value = serde_json::from_slice(&worse.stdout).unwrap();
    assert_eq!(found["verdict"], "fail");
    let p50 = &found["compared"][0];
    assert_eq!((&p50["quantity"], &p50["verdict"]), (&"p50".into(), &"fail".into()), "{p50}");
    assert!(p50["change"]["low"].as_f64().unwrap() > 0.5, "{p50}");
    let xml = compare(&["after", "before", "--mismatched", "--format", "junit"]);
    expect_exit(&xml, 99);
    assert!(String::from_utf8(xml.stdout).unwrap().contains("<failure message="));
    let page = compare(&["before-again", "before", "--format", "md"]);
    expect_exit(&page, 0);
    assert!(String::from_utf8(page.stdout).unwrap().starts_with("## ✓ Pass"));

    // Nothing keeps two runs of one drill apart; only how long they were is too short.
    let short = compare(&["short-too", "short", "--format", "json"]);
    expect_exit(&short, 81);
    let found: Value = serde_json::from_slice(&short.stdout).unwrap();
    assert_eq!(found["because"], Value::Array(Vec::new()), "{found}");
    let compared = found["compared"].as_array().unwrap();
    assert!(!compared.is_empty(), "{found}");
    let is_short = |one: &Value| one["because"].as_str().unwrap().contains("of the 30 it takes");
    assert!(compared.iter().all(is_short), "{found}");
    expect_exit(&compare(&["before", "no-such-record"]), 2);
    expect_exit(&compare(&["before"]), 2);
    let twice = compare(&["before", "before"]);
    expect_exit(&twice, 2);
    assert!(String::from_utf8(twice.stderr).unwrap().contains("is given twice"));
    expect_exit(&compare(&["before-again", "before", "--tolerance", "5"]), 2);
}
