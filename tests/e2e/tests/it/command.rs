//! The command line's contract.

use std::fs;

use peakdrill_testkit::scripted::{Script, Server};
use serde_json::Value;

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

#[test]
fn a_broken_scenario_is_told_with_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let text = "version: 1\nname: x\ntargets: { api: { base_url: \"http://127.0.0.1:1\" } }\n\
                journeys: { home: { steps: [ { get: / } ] } }\n\
                load: { phases: [ { name: a, shape: { hold: { arrivalRate: 500, for: 30s } } } ] }\n";
    fs::write(folder.path().join("drill.yaml"), text).unwrap();
    let human = output(peakdrill(folder.path()).args(["check", "drill.yaml"]));
    expect_exit(&human, 104);
    let said = String::from_utf8(human.stderr).unwrap();
    assert!(said.contains("drill.yaml:5:47"), "{said}");
    assert!(said.contains("error[E"), "{said}");
    let machine = output(peakdrill(folder.path()).args(["check", "drill.yaml", "--format", "json"]));
    expect_exit(&machine, 104);
    let value: Value = serde_json::from_slice(&machine.stdout).unwrap();
    assert!(value.to_string().contains("\"line\":5"), "{value}");
    let github = output(peakdrill(folder.path()).args(["check", "drill.yaml", "--format", "github"]));
    assert!(String::from_utf8(github.stdout).unwrap().starts_with("::error file=drill.yaml,line=5,"));
    expect_exit(&output(peakdrill(folder.path()).args(["run", "drill.yaml"])), 104);
}

#[test]
fn what_init_prints_checks_and_plans() {
    let folder = tempfile::tempdir().unwrap();
    let scaffold = output(peakdrill(folder.path()).arg("init"));
    expect_exit(&scaffold, 0);
    fs::write(folder.path().join("drill.yaml"), &scaffold.stdout).unwrap();
    expect_exit(&output(peakdrill(folder.path()).args(["check", "drill.yaml"])), 0);
    let plan = output(peakdrill(folder.path()).args(["plan", "drill.yaml"]));
    expect_exit(&plan, 0);
    assert!(String::from_utf8(plan.stdout).unwrap().lines().count() > 5);
}

#[test]
fn a_run_without_a_file_sends_what_it_says_and_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Echo).unwrap();
    let run = output(
        peakdrill(folder.path())
            .args(["run", "--target", &format!("{}/orders", server.url()), "--rate", "200/s", "--for", "2s"])
            .args(["--arrivals", "even", "-X", "PUT", "-H", "x-test: yes", "-d", "{\"a\":1}"])
            .args(["--seed", "7", "--out", "rec", "--format", "json"])
            .args(ALONE),
    );
    expect_exit(&run, 0);
    let verdict: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(verdict, json(&folder.path().join("rec/verdict.json")));
    assert_eq!(verdict["load"]["intended"], 400);
    assert_eq!(verdict["load"]["sent"], 400);
    assert_eq!(verdict["load"]["missed"], 0);
    assert_eq!(verdict["seed"], 7);
    assert_eq!(server.requests(), 400);
    let seen = server.log();
    assert!(
        seen.iter()
            .all(|one| one.method == "PUT" && one.path == "/orders" && one.header("x-test") == Some("yes"))
    );
    for file in [
        "plan.json",
        "environment.json",
        "frames.jsonl",
        "events.jsonl",
        "report.html",
        "junit.xml",
        "summary.md",
    ] {
        assert!(folder.path().join("rec").join(file).exists(), "{file}");
    }
}

#[test]
fn a_closed_loop_keeps_exactly_its_connections() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Null).unwrap();
    let run = output(
        peakdrill(folder.path())
            .args(["run", "--target", &server.url(), "--users", "8", "--connections", "8", "--for", "1s"])
            .args(["--out", "rec", "--format", "json"])
            .args(ALONE),
    );
    expect_exit(&run, 0);
    // Preflight opens one of its own to see that the target answers.
    assert!((8..=9).contains(&server.accepted()), "{}", server.accepted());
}

#[test]
fn a_target_elsewhere_wants_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    let run = output(
        peakdrill(folder.path())
            .args(["run", "--target", "http://192.0.2.1/", "--rate", "1/s", "--for", "1s", "--out", "rec"])
            .args(ALONE),
    );
    expect_exit(&run, 80);
    assert!(String::from_utf8(run.stderr).unwrap().contains("--yes"));
    assert!(!folder.path().join("rec").exists());
}

#[test]
fn a_target_that_does_not_answer_is_refused_before_any_load() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = output(
        peakdrill(folder.path())
            .args([
                "run",
                "--target",
                &format!("http://{free}/"),
                "--rate",
                "1/s",
                "--for",
                "1s",
                "--out",
                "rec",
            ])
            .args(ALONE),
    );
    expect_exit(&run, 80);
    assert_eq!(json(&folder.path().join("rec/verdict.json"))["verdict"], "inconclusive");
}

#[test]
fn analyze_names_what_grew() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("quiet.jsonl"), traces(5_000_000)).unwrap();
    fs::write(folder.path().join("slow.jsonl"), traces(400_000_000)).unwrap();
    let found = output(peakdrill(folder.path()).args([
        "analyze",
        "slow.jsonl",
        "--baseline",
        "quiet.jsonl",
        "--format",
        "json",
    ]));
    expect_exit(&found, 0);
    let value: Value = serde_json::from_slice(&found.stdout).unwrap();
    let first = &value["ranking"][0];
    assert_eq!(first["node"], "stock", "{value}");
    assert!(first["score"].is_number() && first["kind"].is_string() && first["evidence"].is_array());
}

#[test]
fn owners_are_kept_in_the_record_and_named_by_analyze() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let server = Server::start(Script::Echo).unwrap();
    fs::write(
        at("owners.yaml"),
        "version: 1\nowners: { stock: { team: team-stock, criticality: tier 1 } }\n",
    )
    .unwrap();
    fs::write(at("broken.yaml"), "version: 1\nowners: { stock: { teem: a } }\n").unwrap();
    let run = |owners: &str| {
        let mut run = peakdrill(folder.path());
        run.args(["run", "--target", &server.url(), "--rate", "50/s", "--for", "1s", "--out", "rec"]);
        output(run.args(ALONE).args(["--owners", owners]))
    };
    let refused = run("broken.yaml");
    expect_exit(&refused, 2);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("broken.yaml:2:20: unknown key: expected `team`"), "{said}");
    assert!(!at("rec").exists(), "nothing was begun");
    expect_exit(&run("owners.yaml"), 0);
    assert_eq!(json(&at("rec/owners.json"))["nodes"]["stock"]["team"], "team-stock");
    fs::write(at("empty.yaml"), "version: 1\nowners: {}\n").unwrap();
    let empty = output(peakdrill(folder.path()).args(["report", "rec", "--owners", "empty.yaml"]));
    expect_exit(&empty, 2);
    assert!(String::from_utf8(empty.stderr).unwrap().contains("no file names an owner"));
    assert_eq!(json(&at("rec/owners.json"))["nodes"]["stock"]["team"], "team-stock", "as it was");
    let elsewhere = output(peakdrill(folder.path()).args(["report", ".", "--owners", "owners.yaml"]));
    expect_exit(&elsewhere, 82);
    assert!(!at("owners.json").exists(), "a folder that is no record gets nothing");

    fs::write(at("quiet.jsonl"), traces(5_000_000)).unwrap();
    fs::write(at("slow.jsonl"), traces(400_000_000)).unwrap();
    let arguments = ["analyze", "slow.jsonl", "--baseline", "quiet.jsonl", "--owners", "owners.yaml"];
    let found = output(peakdrill(folder.path()).args(arguments));
    expect_exit(&found, 0);
    let said = String::from_utf8(found.stdout).unwrap();
    assert!(said.contains("owner team-stock, criticality tier 1"), "{said}");
    let found = output(peakdrill(folder.path()).args(arguments).args(["--format", "json"]));
    let value: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(value["ranking"][0]["owner"]["team"], "team-stock", "{value}");
}

#[test]
fn the_settings_of_services_are_printed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let profile = |arguments: &[&str]| output(peakdrill(folder.path()).arg("otel-profile").args(arguments));
    let plain = profile(&["--service", "order"]);
    expect_exit(&plain, 0);
    let said = String::from_utf8(plain.stdout).unwrap();
    assert!(
        said.contains("\nOTEL_SERVICE_NAME=order\n") && said.contains("\nOTEL_BSP_SCHEDULE_DELAY=200\n"),
        "{said}"
    );
    expect_exit(&profile(&["--format", "kubernetes", "--deployment", "order"]), 2);
    let address = ["--otlp-grpc", "drill-host:4317"];
    let patch = profile(&[&["--format", "kubernetes", "--deployment", "order"][..], &address].concat());
    expect_exit(&patch, 0);
    assert!(String::from_utf8(patch.stdout).unwrap().contains("value: \"http://drill-host:4317\""));
}

/// A hundred traces of front → stock, in which stock works for so long.
fn traces(stock_ns: u64) -> String {
    let span = |trace: u64, id: u64, parent: u64, kind: u8, start: u64, end: u64| {
        let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
        serde_json::json!({
            "traceId": format!("{:032x}", trace + 1), "spanId": format!("{id:016x}"), "parentSpanId": parent,
            "name": "op", "kind": kind, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string(),
        })
    };
    let of = |service: &str, spans: Vec<Value>| {
        serde_json::json!({
            "resource": { "attributes": [ { "key": "service.name", "value": { "stringValue": service } } ] },
            "scopeSpans": [ { "spans": spans } ],
        })
    };
    let line = |trace: u64| {
        let at = 1_700_000_000_000_000_000 + trace * 100_000_000;
        let (a, b) = (at + 1_000_000, at + 1_000_000 + stock_ns);
        let front = vec![span(trace, 1, 0, 2, at, b + 2_000_000), span(trace, 2, 1, 3, a, b)];
        let stock = vec![span(trace, 3, 2, 2, a, b)];
        serde_json::json!({ "resourceSpans": [of("front", front), of("stock", stock)] }).to_string() + "\n"
    };
    (0..100).map(line).collect()
}

#[test]
fn the_reference_commands_answer() {
    let folder = tempfile::tempdir().unwrap();
    for (args, wanted) in [
        (vec!["schema"], "\"$schema\""),
        (vec!["explain"], "E0"),
        (vec!["completions", "bash"], "peakdrill"),
        (vec!["man"], ".TH peakdrill"),
        (vec!["--help"], "Examples:"),
        (vec!["init", "--list"], "midnight"),
    ] {
        let said = output(peakdrill(folder.path()).args(&args));
        expect_exit(&said, 0);
        assert!(String::from_utf8(said.stdout).unwrap().contains(wanted), "{args:?}");
    }
    expect_exit(&output(peakdrill(folder.path()).arg("no-such-verb")), 2);
}

#[test]
fn new_keys_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let made = output(peakdrill(folder.path()).args(["keys", "new", "--kid", "a"]));
    expect_exit(&made, 0);
    let lines = String::from_utf8(made.stdout).unwrap();
    assert!(lines.contains("PEAKDRILL_SIGNING_KEY=a:") && lines.contains("PEAKDRILL_MARK_SECRET="));
    let seed = lines.lines().next().unwrap().split_once(':').unwrap().1.to_owned();
    let public = fs::read_to_string(folder.path().join("keys.json")).unwrap();
    assert!(public.contains("\"kid\"") && !public.contains(&seed));
    expect_exit(&output(peakdrill(folder.path()).args(["keys", "new", "--kid", "a"])), 2);
    expect_exit(&output(peakdrill(folder.path()).args(["keys", "new", "--kid", "b"])), 0);
}
