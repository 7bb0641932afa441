//! Journeys over WebSockets, from the file to the report.

use std::fs;

use peakdrill_testkit::websocket::Server;

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

const DRILL: &str = r#"
version: 1
name: feed
targets: { feed: { base_url: "BASE" } }
journeys:
  trader:
    steps:
      - ws:
          name: subscribe
          path: "/v1/feed?n=${index}"
          open: { name: dial, headers: { x-user: "u-${index}" } }
          json: { op: subscribe, n: "${index}" }
          receive: { until: '$.op == "ack"' }
          extract: { sub: $.sub }
          check: [ "$.n present" ]
      - think: 20ms..40ms
      - ws: { name: tick, path: "/v1/feed?n=${index}", receive: { until: '$.op == "tick"' } }
      - ws:
          name: ask
          path: "/v1/feed?n=${index}"
          let: { id: "${random_string(8)}" }
          send: '{"op":"ask","sub":"${sub}","id":"${id}"}'
          receive: { until: '$.id == "${id}"' }
      - ws: { name: bye, path: "/v1/feed?n=${index}", send: bye, receive: none }
load: { phases: [ { name: p, shape: { hold: { rate: 40/s, for: 1s } }, arrivals: even } ] }
gates: [ "error_rate < 0.1%", { assert: "p99{step=ask} < 1s", min_samples: 10 } ]
"#;

#[test]
fn a_journey_talks_over_its_own_connection() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|peer| {
        while let Some(text) = peer.read() {
            if text.contains("subscribe") {
                peer.send(r#"{"op":"news"}"#);
                peer.send(r#"{"op":"ack","n":1,"sub":"s-1"}"#);
                peer.send(r#"{"op":"tick"}"#);
            } else if text.contains("ask") {
                peer.send(r#"{"id":"of someone else"}"#);
                peer.send(&text);
            }
        }
    })
    .unwrap();
    fs::write(folder.path().join("drill.yaml"), DRILL.replace("BASE", &server.url())).unwrap();
    let run = ["run", "drill.yaml", "--yes", "--out", "rec", "--format", "json"];
    expect_exit(&output(peakdrill(folder.path()).args(run).args(ALONE)), 0);
    let verdict = json(&folder.path().join("rec/verdict.json"));
    let of = |name: &str| {
        let steps = verdict["steps"].as_array().unwrap();
        steps.iter().find(|step| step["step"] == name).unwrap().clone()
    };
    for name in ["dial", "subscribe", "tick", "ask", "bye"] {
        assert_eq!(
            (of(name)["completed"].as_u64(), of(name)["errors"].as_u64()),
            (Some(40), Some(0)),
            "{name}"
        );
    }
    assert_eq!(
        (of("subscribe")["passed_over"].as_u64(), of("ask")["passed_over"].as_u64()),
        (Some(40), Some(40))
    );
    let log = server.log();
    assert_eq!((log.openings.len(), log.closes.len(), log.messages.len()), (40, 40, 120));
    assert!(log.openings.iter().any(|(path, headers)| {
        path == "/v1/feed?n=7" && headers.iter().any(|(name, value)| name == "x-user" && value == "u-7")
    }));
    let asked = log.messages.iter().filter(|(_, _, text)| text.starts_with(br#"{"op":"ask","sub":"s-1""#));
    assert_eq!(asked.count(), 40);
    let report = fs::read_to_string(folder.path().join("rec/report.html")).unwrap();
    assert!(report.contains("40 messages passed over"));
    assert!(
        fs::read_to_string(folder.path().join("rec/summary.md")).unwrap().contains("40 messages passed over")
    );
}
