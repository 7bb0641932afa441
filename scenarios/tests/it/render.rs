//! How findings look.

use peakdrill_scenarios::{render_github, render_human, render_json};

use super::{corpus, read};

fn diagnostics(name: &str) -> Vec<peakdrill_scenarios::Diagnostic> {
    let (_, text) = corpus().into_iter().find(|(known, _)| known == &format!("{name}.yaml")).unwrap();
    read("drill.yaml", &text).diagnostics
}

#[test]
fn people_see_the_place_and_what_to_do() {
    for name in [
        "unknown-key-artillery",
        "all-at-once",
        "feeder-too-short",
        "production-bare",
        "syntax-bracket",
        "conditions-wrong",
        "not-built-top",
    ] {
        insta::assert_snapshot!(format!("human-{name}"), render_human(&diagnostics(name), false));
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let found = diagnostics("all-at-once");
    let coloured = render_human(&found, true);
    let mut plain = coloured.clone();
    for code in ["\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"] {
        assert!(code == "\x1b[1;33m" || coloured.contains(code));
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, render_human(&found, false));
}

#[test]
fn programs_get_json_with_a_version() {
    let found = diagnostics("unknown-key-artillery");
    let json: serde_json::Value = serde_json::from_str(&render_json(&found)).unwrap();
    assert_eq!(json[0]["v"], 1);
    assert_eq!(json[0]["code"], "E0312");
    assert_eq!(json[0]["level"], "error");
    assert_eq!(json[0]["line"], 10);
    assert_eq!(json.as_array().unwrap().len(), found.len());
}

#[test]
fn workflow_commands_are_escaped() {
    let text = "version: 1\nname: x\n\"bad%0A::set\\nkey\": 1\n";
    let found = read("a,b:c.yaml", text).diagnostics;
    let out = render_github(&found);
    assert_eq!(out.lines().count(), found.len());
    assert!(out.lines().all(|line| line.starts_with("::error file=a%2Cb%3Ac.yaml,line=")), "{out}");
    assert!(out.contains("bad%250A::set%0Akey"), "{out}");
}

#[test]
fn a_scenario_cannot_paint_the_terminal() {
    let found = read("x.yaml", "version: 1\n\"\\u001b[31mred\": 1\n").diagnostics;
    assert!(!render_human(&found, false).contains('\x1b'));
}
