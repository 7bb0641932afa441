//! When drill control dies, the tag dies with it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peakdrill_shadow_tag::{
    Claims, Class, MarkKey, MarkSecret, Position, Refusal, RunEntry, RunState, RunTable, Token, Verifier,
    VerifyingKeys, classify,
};
use peakdrill_testkit::scripted::{Script, Server};

use crate::support::{ALONE, expect_exit, output, peakdrill, signal, wait_until};

#[test]
fn a_killed_control_leaves_a_tag_that_is_dead_within_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let made = output(peakdrill(folder.path()).args(["keys", "new", "--kid", "k1"]));
    expect_exit(&made, 0);
    let env: BTreeMap<String, String> = String::from_utf8(made.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    let server = Server::start(Script::Echo).unwrap();
    let drill = format!(
        "version: 1\nname: tagged\nenvironment: test\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         shadow: {{ key: \"${{secret:PEAKDRILL_SIGNING_KEY}}\" }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load: {{ phases: [ {{ name: hold, shape: {{ hold: {{ rate: 50/s, for: 60s }} }} }} ] }}\n",
        server.url()
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    let mut control = peakdrill(folder.path())
        .args(["run", "drill.yaml", "--out", "rec"])
        .args(ALONE)
        .envs(&env)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("tagged load", Duration::from_secs(40), || (server.requests() > 60).then_some(()));
    signal(&control, 9);
    control.wait().unwrap();
    let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();

    let seen = server.log();
    let token = seen.last().unwrap().header("x-peakdrill").expect("requests are tagged").to_owned();
    let lease = *token.parse::<Token>().unwrap().unverified();
    let keys =
        VerifyingKeys::from_json(&fs::read_to_string(folder.path().join("keys.json")).unwrap()).unwrap();
    let secret = MarkSecret::from_base64url(&env["PEAKDRILL_MARK_SECRET"]).unwrap();
    let entry = RunEntry {
        run: lease.run,
        env: lease.env,
        state: RunState::Running,
        mark_key: MarkKey::derive(&secret, lease.env, lease.run),
    };
    let at = |now: u64| {
        let mut table = RunTable::new(now);
        table.insert(entry).unwrap();
        let verifier = Verifier::new(lease.env, keys.clone(), table);
        classify(&verifier, &Claims::new(Some(token.as_bytes()), None, None), Position::Edge, now)
    };
    assert!(matches!(at(killed), Ok(Class::Shadow(_))), "{:?}", at(killed));
    assert_eq!(at(killed + 60), Err(Refusal::Expired));

    // Every request carried the token, its own marked trace and the baggage member.
    // The untagged twins of preflight are live requests of our own.
    for one in seen.iter().filter(|one| one.header("x-peakdrill").is_some()) {
        let traceparent = one.header("traceparent").unwrap();
        let trace = traceparent.split('-').nth(1).unwrap().parse().unwrap();
        assert!(entry.mark_key.is_marked(trace), "{traceparent}");
        assert!(one.header("baggage").unwrap().contains("peakdrill=pd1."));
    }
}
