//! The record: valid after every second, whatever happens.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use peakdrill_testkit::scripted::{Script, Server};

use crate::support::{ALONE, binary, expect_exit, json, line_count, output, peakdrill, signal, wait_until};

const SIGKILL: i32 = 9;
const SIGINT: i32 = 2;

#[test]
fn killed_at_any_moment_the_record_still_reports() {
    let server = Server::start(Script::Delay(Duration::from_millis(5))).unwrap();
    // Five moments of a run of six seconds, irregular on purpose.
    for after_ms in [350_u64, 1_100, 2_050, 3_470, 4_900] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = peakdrill(folder.path())
            .args(["run", "--target", &server.url(), "--rate", "100/s", "--for", "6s", "--out", "rec"])
            .args(ALONE)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let events = folder.path().join("rec/events.jsonl");
        wait_until("the record", Duration::from_secs(20), || (line_count(&events) > 1).then_some(()));
        let moment = Instant::now() + Duration::from_millis(after_ms);
        wait_until("the moment", Duration::from_secs(10), || (Instant::now() >= moment).then_some(()));
        signal(&child, SIGKILL);
        child.wait().unwrap();
        let report = output(peakdrill(folder.path()).args(["report", "rec"]));
        expect_exit(&report, 0);
        let said = String::from_utf8(report.stderr).unwrap();
        assert!(said.contains("missing: the end of the run"), "after {after_ms} ms: {said}");
        let verdict = json(&folder.path().join("rec/verdict.json"));
        assert_eq!(verdict["verdict"], "inconclusive");
        if after_ms > 2_000 {
            assert!(verdict["load"]["sent"].as_u64().unwrap() > 50, "{}", verdict["load"]);
        }
        let first = fs::read(folder.path().join("rec/report.html")).unwrap();
        expect_exit(&output(peakdrill(folder.path()).args(["report", "rec"])), 0);
        assert_eq!(first, fs::read(folder.path().join("rec/report.html")).unwrap());
    }
}

#[test]
fn interrupted_it_stops_drains_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Delay(Duration::from_millis(300))).unwrap();
    let child = peakdrill(folder.path())
        .args(["run", "--target", &server.url(), "--rate", "100/s", "--for", "60s", "--out", "rec"])
        .args(ALONE)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("load", Duration::from_secs(20), || (server.requests() > 100).then_some(()));
    signal(&child, SIGINT);
    let at = Instant::now();
    let ended = child.wait_with_output().unwrap();
    expect_exit(&ended, 105);
    let late = server.log().iter().filter(|seen| seen.arrived > at + Duration::from_secs(1)).count();
    assert_eq!(late, 0, "requests that arrived more than a second after the signal");
    let verdict = json(&folder.path().join("rec/verdict.json"));
    assert_eq!(verdict["verdict"], "inconclusive");
    assert!(verdict["stopped_by"].as_str().unwrap().contains("SIGINT"));
    // Drained: what was sent was answered.
    assert_eq!(verdict["load"]["errors"], 0, "{}", verdict["load"]);
    assert_eq!(verdict["load"]["sent"], verdict["load"]["completed"]);
    assert!(folder.path().join("rec/report.html").exists());
}

#[test]
fn a_terminal_that_goes_away_stops_the_drill_and_leaves_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Delay(Duration::from_millis(5))).unwrap();
    let target = server.url();
    let run = ["run", "--target", &target, "--rate", "100/s", "--for", "60s", "--out", "rec", "--otlp-grpc"];
    let rest = ["127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--tui", "always"];
    let line = [&run[..], &rest[..]].concat().join(" ");
    let shell = format!("echo $$ > pid; exec {} {line}", binary().display());
    let mut terminal = std::process::Command::new("script")
        .args(["-q", "-c", &shell, "typescript"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .env("TERM", "xterm-256color")
        .spawn()
        .unwrap();
    wait_until("load", Duration::from_secs(20), || (server.requests() > 100).then_some(()));
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap().trim().to_owned();
    signal(&terminal, SIGKILL);
    terminal.wait().unwrap();
    let verdict = folder.path().join("rec/verdict.json");
    wait_until("the verdict", Duration::from_secs(20), || verdict.exists().then_some(()));
    assert_eq!(json(&verdict)["stopped_by"], "operator: SIGHUP");
    let gone = || !std::path::Path::new(&format!("/proc/{pid}")).exists();
    wait_until("the end of the process", Duration::from_secs(20), || gone().then_some(()));
}

#[test]
fn a_second_run_into_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Script::Null).unwrap();
    let run = |code| {
        let ended = output(
            peakdrill(folder.path())
                .args(["run", "--target", &server.url(), "--rate", "10/s", "--for", "1s", "--out", "rec"])
                .args(ALONE),
        );
        expect_exit(&ended, code);
    };
    run(0);
    let before = fs::read(folder.path().join("rec/events.jsonl")).unwrap();
    run(2);
    assert_eq!(before, fs::read(folder.path().join("rec/events.jsonl")).unwrap());
}

/// What `panicking` shows on a terminal when it is started so, and whether it ended well.
fn panicking(args: &[&str]) -> (String, bool) {
    let me = std::env::current_exe().unwrap();
    let example = me.parent().unwrap().parent().unwrap().join("examples/panicking");
    assert!(example.exists(), "{} is not built", example.display());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("typescript");
    let command = [&[example.to_str().unwrap()], args].concat().join(" ");
    let status = std::process::Command::new("script")
        .args(["-q", "-e", "-c"])
        .arg(&command)
        .arg(&log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .env("TERM", "xterm-256color")
        .status()
        .unwrap();
    (String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned(), status.success())
}

#[test]
fn a_panic_under_the_live_view_gives_the_terminal_back() {
    let (shown, ended_well) = panicking(&[]);
    assert!(!ended_well);
    let left = shown.find("\u{1b}[?1049l").expect("the alternate screen is left");
    let told = shown.rfind("a bug on purpose").expect("the panic is told");
    assert!(shown.contains("\u{1b}[?1049h") && left < told, "the message comes after the screen is back");
    assert!(shown.contains("\u{1b}[?25h"), "the cursor is shown again");
}

#[test]
fn after_a_panic_beside_it_the_live_view_goes_on() {
    let (shown, ended_well) = panicking(&["beside"]);
    assert!(ended_well);
    let left = shown.find("\u{1b}[?1049l").expect("the alternate screen is left");
    let told = shown.find("a bug on purpose").expect("the panic is told");
    let again = shown.rfind("\u{1b}[?1049h").expect("it is entered again");
    let end = shown.rfind("\u{1b}[?1049l").expect("and left at the end");
    assert!(left < told && told < again && again < end, "told on the person's own screen");
}
