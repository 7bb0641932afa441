//! Cases that are not refused, and what becomes of messages.

use serde_json::{Value, json};

use super::{Case, Fixture, LONGEST, NOW};

const UNMARKED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn class(class: &str) -> Value {
    json!({ "class": class })
}

fn shadow(run: &str, state: &str, by: &str) -> Value {
    json!({ "class": "shadow", "run": run, "env": "staging", "state": state, "by": by })
}

/// Requests, with their class.
pub(crate) fn requests(f: &Fixture) -> Vec<Case> {
    let mut cases = unclaimed();
    cases.extend(tokens(f));
    cases.extend(carriers(f));
    cases.extend(marks(f));
    cases
}

fn unclaimed() -> Vec<Case> {
    vec![
        Case::new("nothing at the edge", "edge", class("live")),
        Case::new("nothing inside", "inner", class("unknown")),
        Case::new("an unmarked trace at the edge", "edge", class("live")).traceparent(UNMARKED),
        Case::new("an unmarked trace inside", "inner", class("unknown")).traceparent(UNMARKED),
        Case::new("a broken unmarked traceparent at the edge", "edge", class("live")).traceparent("00-zz"),
        Case::new("a stamp inside", "inner", class("live")).baggage("peakdrill=live"),
        Case::new("a stamp among others", "inner", class("live")).baggage("a=1, peakdrill = live ;p=1,b=2"),
        Case::new("a stamp from outside is no claim", "edge", class("live")).baggage("peakdrill=live"),
        Case::new("a key that only begins like ours", "inner", class("unknown")).baggage("peakdrill2=pd1.x"),
        Case::new("a property is no member", "inner", class("unknown")).baggage("a=1;peakdrill=pd1.x"),
    ]
}

fn tokens(f: &Fixture) -> Vec<Case> {
    let running = |run| shadow(run, "running", "token");
    vec![
        Case::new("token in the header", "any", running("run-a")).header(f.lease("run-a")),
        Case::new("token of the second key", "any", running("run-b")).header(f.token_by(
            1,
            "staging",
            "run-b",
            NOW - 5,
            NOW + 60,
        )),
        Case::new("longest names", "any", running(LONGEST)).header(f.token_by(
            2,
            "staging",
            LONGEST,
            NOW - 5,
            NOW + 60,
        )),
        Case::new("first second of a lease", "any", running("run-a")).header(f.token(
            "staging",
            "run-a",
            NOW,
            NOW + 60,
        )),
        Case::new("last second of a lease", "any", running("run-a")).header(f.token(
            "staging",
            "run-a",
            NOW - 60,
            NOW + 1,
        )),
        Case::new("longest lease", "any", running("run-a")).header(f.token(
            "staging",
            "run-a",
            NOW - 100,
            NOW + 200,
        )),
        Case::new("a draining run", "any", shadow("run-draining", "draining", "token"))
            .header(f.lease("run-draining")),
        Case::new("a run table at its age limit", "any", running("run-a"))
            .header(f.token("staging", "run-a", NOW, NOW + 120))
            .at(NOW + 60),
        Case::new("a stale run table", "any", shadow("run-a", "draining", "token"))
            .header(f.token("staging", "run-a", NOW, NOW + 120))
            .at(NOW + 61),
        Case::new("a run table from the future", "any", shadow("run-a", "draining", "token"))
            .header(f.token("staging", "run-a", NOW - 120, NOW))
            .at(NOW - 61),
    ]
}

fn carriers(f: &Fixture) -> Vec<Case> {
    let token = f.lease("run-a");
    let running = || shadow("run-a", "running", "token");
    let encoded = token.replace('.', "%2E").replace('-', "%2d");
    vec![
        Case::new("token in the baggage", "any", running()).baggage(format!("peakdrill={token}")),
        Case::new("token among other members", "any", running())
            .baggage(format!("user=7, peakdrill = {token} ;p=1 , b=%20")),
        Case::new("token percent-encoded", "any", running()).baggage(format!("peakdrill={encoded}")),
        Case::new("header and baggage agree", "any", running())
            .header(token.clone())
            .baggage(format!("peakdrill={token}")),
        Case::new("header and encoded baggage agree", "any", running())
            .header(token.clone())
            .baggage(format!("peakdrill={encoded}")),
        Case::new("all three carriers", "any", running())
            .header(token.clone())
            .baggage(format!("peakdrill={token}"))
            .traceparent(f.marked_traceparent("staging", "run-a")),
        Case::new("the trace was started anew", "any", running()).header(token.clone()).traceparent(UNMARKED),
        Case::new("the traceparent is broken", "any", running()).header(token).traceparent("00-zz"),
    ]
}

fn marks(f: &Fixture) -> Vec<Case> {
    let marked = f.marked_traceparent("staging", "run-a");
    vec![
        Case::new("mark alone inside", "inner", shadow("run-a", "running", "mark"))
            .traceparent(marked.clone()),
        Case::new("mark in a traceparent of a later version", "inner", shadow("run-a", "running", "mark"))
            .traceparent(format!("{}-more", marked.replacen("00", "01", 1))),
        Case::new("mark of a draining run", "inner", shadow("run-draining", "draining", "mark"))
            .traceparent(f.marked_traceparent("staging", "run-draining")),
        Case::new("mark under a stale table", "inner", shadow("run-a", "draining", "mark"))
            .traceparent(marked)
            .at(NOW + 61),
    ]
}

/// Messages: what is processed, what is quarantined, what is refused.
pub(crate) fn messages(f: &Fixture) -> Vec<Case> {
    let process = |class: Value| json!({ "process": class });
    let quarantine = |by: &str| json!({ "quarantine": shadow("run-closed", "closed", by) });
    let old = |run: &str| f.token("staging", run, NOW - 3600, NOW - 3540);
    vec![
        Case::new("no claim", "inner", process(class("unknown"))),
        Case::new("a stamp", "inner", process(class("live"))).baggage("peakdrill=live"),
        Case::new("past its end, running", "inner", process(shadow("run-a", "running", "token")))
            .header(old("run-a")),
        Case::new("past its end, draining", "inner", process(shadow("run-draining", "draining", "token")))
            .baggage(format!("peakdrill={}", old("run-draining"))),
        Case::new("past its end, closed", "inner", quarantine("token")).header(old("run-closed")),
        Case::new("still valid, closed", "inner", quarantine("token")).header(f.lease("run-closed")),
        Case::new("mark of a closed run", "inner", quarantine("mark"))
            .traceparent(f.marked_traceparent("staging", "run-closed")),
        Case::new("not yet valid", "inner", json!("not_yet_valid")).header(f.token(
            "staging",
            "run-a",
            NOW + 1,
            NOW + 60,
        )),
        Case::new("past its end, other environment", "inner", json!("other_environment")).header(f.token(
            "production",
            "run-prod",
            NOW - 3600,
            NOW - 3540,
        )),
        Case::new("past its end, run unknown", "inner", json!("run_unknown")).header(old("run-x")),
        Case::new("a stamp and a mark", "inner", json!("live_and_drill"))
            .baggage("peakdrill=live")
            .traceparent(f.marked_traceparent("staging", "run-closed")),
    ]
}
