//! When drill control dies, the tag dies with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peakdrill_shadow_router::{Mode, Position, RegistryPoller, Router, Rules, Verifier};
use peakdrill_shadow_tag::{MarkKey, MarkSecret, RunTable, Token, VerifyingKeys};
use peakdrill_testkit::scripted::{Script, Seen, Server};

use crate::hop::{REACHED, ask, serve};
use crate::support::{ALONE, expect_exit, output, peakdrill, signal, wait_until};

/// The environment of the drill, by its name.
const ENVIRONMENT: &str = "test";

pub(crate) fn new_keys(folder: &Path) -> BTreeMap<String, String> {
    let made = output(peakdrill(folder).args(["keys", "new", "--kid", "k1"]));
    expect_exit(&made, 0);
    let said = String::from_utf8(made.stdout).unwrap();
    let lines = said.lines().filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn tagged_drill(folder: &Path, env: &BTreeMap<String, String>, server: &Server, registry: u16) -> Child {
    let drill = format!(
        "version: 1\nname: tagged\nenvironment: {ENVIRONMENT}\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         shadow: {{ key: \"${{secret:PEAKDRILL_SIGNING_KEY}}\" }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load: {{ phases: [ {{ name: hold, shape: {{ hold: {{ rate: 50/s, for: 60s }} }} }} ] }}\n",
        server.url()
    );
    fs::write(folder.join("drill.yaml"), drill).unwrap();
    let mut command = peakdrill(folder);
    command.args(["run", "drill.yaml", "--out", "rec"]);
    // A registry at a port that the hop knows.
    command.args(&ALONE[..4]).args(["--tui", "never", "--registry", &format!("127.0.0.1:{registry}")]);
    command.envs(env).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A hop that follows the registry, with a clock that can be put forward.
async fn hop(
    folder: &Path,
    registry: u16,
    ahead_s: &Arc<AtomicU64>,
) -> (std::net::SocketAddr, RegistryPoller) {
    let keys = VerifyingKeys::from_json(&fs::read_to_string(folder.join("keys.json")).unwrap()).unwrap();
    let ahead_s = Arc::clone(ahead_s);
    let now = move || {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        unix + ahead_s.load(Ordering::SeqCst)
    };
    let router = Router::builder("hop")
        .position(Position::Edge)
        .mode(Mode::Enforce)
        .verifier(Verifier::new(ENVIRONMENT.parse().unwrap(), keys, RunTable::default()))
        .rules(Rules::default())
        .clock(Arc::new(now))
        .build()
        .unwrap();
    let mut poller = RegistryPoller::http(&router, &format!("http://127.0.0.1:{registry}/v1/runs")).unwrap();
    poller.next().await;
    (serve(&router).await, poller)
}

#[test]
fn a_killed_control_leaves_a_tag_that_is_dead_within_a_minute() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let env = new_keys(folder.path());
    let server = Server::start(Script::Echo).unwrap();
    let registry = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut control = tagged_drill(folder.path(), &env, &server, registry);
    wait_until("tagged load", Duration::from_secs(40), || (server.requests() > 60).then_some(()));
    let ahead_s = Arc::new(AtomicU64::new(0));
    let (hop, mut news) = runtime.block_on(hop(folder.path(), registry, &ahead_s));
    let ask = |headers: &[(&str, &str)]| runtime.block_on(ask(hop, headers));
    assert!(news.state().at_unix_s.is_some(), "the hop knows the run from its control");

    signal(&control, 9);
    control.wait().unwrap();
    let seen = server.log();
    let headers = claims(seen.last().unwrap());
    assert!(ask(&headers).contains(REACHED), "the last token is good until its lease ends");
    while news.state().failures == 0 {
        runtime.block_on(news.next());
    }
    assert!(ask(&headers).contains(REACHED), "a control that is away for a moment changes nothing");
    ahead_s.store(60, Ordering::SeqCst);
    let answer = ask(&headers).to_ascii_lowercase();
    assert!(!answer.contains(REACHED) && answer.contains("x-peakdrill-refused: expired"), "{answer}");

    every_request_is_marked(&seen, &env);
}

fn claims(seen: &Seen) -> Vec<(&'static str, &str)> {
    let names = ["x-peakdrill", "traceparent", "baggage"];
    names.into_iter().filter_map(|name| Some((name, seen.header(name)?))).collect()
}

/// Every request carried the token, its own marked trace and the baggage member. The untagged twins of preflight are
/// live requests of our own.
fn every_request_is_marked(seen: &[Seen], env: &BTreeMap<String, String>) {
    let secret = MarkSecret::from_base64url(&env["PEAKDRILL_MARK_SECRET"]).unwrap();
    let tagged: Vec<&Seen> = seen.iter().filter(|one| one.header("x-peakdrill").is_some()).collect();
    assert!(tagged.len() + 1 >= seen.len(), "{} of {} requests are tagged", tagged.len(), seen.len());
    for one in tagged {
        let lease = *one.header("x-peakdrill").unwrap().parse::<Token>().unwrap().unverified();
        let traceparent = one.header("traceparent").unwrap();
        let trace = traceparent.split('-').nth(1).unwrap().parse().unwrap();
        assert!(MarkKey::derive(&secret, lease.env, lease.run).is_marked(trace), "{traceparent}");
        assert!(one.header("baggage").unwrap().contains("peakdrill=pd1."));
    }
}
