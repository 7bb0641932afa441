//! How targets are reached, and whether this machine has room for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use peakdrill_testkit::scripted::{Script, Server};
use serde_json::Value;

use crate::support::{ALONE, binary, expect_exit, json, output, peakdrill};

/// The command under limits of open files.
fn limited(folder: &Path, limits: &str, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits}; exec {} {arguments}", binary().display())]);
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn drill(folder: &Path, target: &str) {
    let text = format!(
        "version: 1\nname: x\ntargets: {{ api: {target} }}\n\
         journeys: {{ home: {{ steps: [ get: /a, think: 20ms, get: /b ] }} }}\n\
         load: {{ arrivals: even, phases: [ {{ name: a, shape: {{ hold: {{ rate: 40/s, for: 1s }} }} }} ] }}\n"
    );
    fs::write(folder.join("drill.yaml"), text).unwrap();
}

#[test]
fn a_drill_says_whose_connections_are_and_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Echo).unwrap();
    let target = format!(
        "{{ base_url: \"http://shop.test:81\", resolve: {{ addresses: [\"{}\"] }}, \
         connections: {{ per: user, from: [127.0.0.2, 127.0.0.3] }} }}",
        server.address()
    );
    drill(folder.path(), &target);
    // All of it stays on this machine, so nobody is asked; the name is never looked up.
    let run = output(
        peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec", "--format", "json"]).args(ALONE),
    );
    expect_exit(&run, 0);
    let verdict: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&verdict["load"]["sent"], &verdict["load"]["errors"]), (&40.into(), &0.into()));
    let log = server.log();
    assert_eq!(log.len(), 80);
    let peers: BTreeSet<_> = log.iter().map(|seen| seen.peer).collect();
    assert_eq!(peers.len(), 40, "a connection for each journey");
    let from: BTreeSet<String> = peers.iter().map(|peer| peer.ip().to_string()).collect();
    assert_eq!(from.into_iter().collect::<Vec<_>>(), ["127.0.0.2", "127.0.0.3"]);
    assert!(log.iter().all(|seen| seen.header("host") == Some("shop.test:81")));
    let events = fs::read_to_string(folder.path().join("rec/events.jsonl")).unwrap();
    assert!(events.contains("\"connections_opened\":40"), "{events}");
}

#[test]
fn an_address_elsewhere_wants_a_yes_whatever_the_name_says() {
    let folder = tempfile::tempdir().unwrap();
    drill(folder.path(), "{ base_url: \"http://localhost:1\", resolve: { addresses: [192.0.2.1] } }");
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 80);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("http://localhost:1 at 192.0.2.1:1") && said.contains("--yes"), "{said}");
}

#[test]
fn the_doctor_looks_at_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let human = output(peakdrill(folder.path()).arg("doctor"));
    expect_exit(&human, 0);
    assert!(String::from_utf8(human.stdout).unwrap().contains("can generate the load of a drill"));
    let machine = output(peakdrill(folder.path()).args(["doctor", "--format", "json"]));
    expect_exit(&machine, 0);
    let value: Value = serde_json::from_slice(&machine.stdout).unwrap();
    let findings = value["findings"].as_array().unwrap();
    let topics: BTreeSet<&str> = findings.iter().filter_map(|one| one["topic"].as_str()).collect();
    // Others are left out where the system does not tell.
    for topic in ["files", "ports", "sleep", "cores", "kernel"] {
        assert!(topics.contains(topic), "{topic}: {value}");
    }
    assert!(findings.iter().all(|one| one["found"].is_string() && one["level"].is_string()));
    expect_exit(&output(peakdrill(folder.path()).args(["doctor", "no-such.yaml"])), 104);
}

#[test]
fn what_does_not_fit_is_said_by_the_doctor_and_by_the_run_in_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Null).unwrap();
    let exact = format!("{{ base_url: \"{}\", connections: {{ max: 400, exact: true }} }}", server.url());
    drill(folder.path(), &exact);
    let said = "this process may have 500 files open; expected at least";
    let doctor =
        output(&mut limited(folder.path(), "ulimit -n 500", "doctor drill.yaml --shards 1 --format json"));
    expect_exit(&doctor, 80);
    let value: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let files = value["findings"].as_array().unwrap().iter().find(|one| one["topic"] == "files").unwrap();
    let fix = files["fix"].as_str().unwrap();
    assert!(files["level"] == "problem" && fix.starts_with("ulimit -n 1024 "), "{files}");
    let run = format!("run drill.yaml --shards 1 --out rec {}", ALONE.join(" "));
    let run = output(&mut limited(folder.path(), "ulimit -n 500", &run));
    expect_exit(&run, 80);
    let text = String::from_utf8(run.stderr).unwrap();
    assert!(text.contains(said) && text.contains(&format!("`{fix}`")), "{text}");
    assert_eq!(server.requests(), 0);
    assert_eq!(json(&folder.path().join("rec/verdict.json"))["verdict"], "inconclusive");
}

#[test]
fn a_run_raises_its_limit_of_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Null).unwrap();
    let arguments = format!(
        "run --target {} --users 400 --connections 400 --for 1s --shards 1 --out rec {}",
        server.url(),
        ALONE.join(" ")
    );
    expect_exit(&output(&mut limited(folder.path(), "ulimit -Sn 200", &arguments)), 0);
    assert!(server.accepted() >= 400, "{}", server.accepted());
}
