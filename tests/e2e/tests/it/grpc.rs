//! gRPC calls, from the file to the verdict.

use std::fs;

use peakdrill_testkit::grpc::{ALL_PROTO, Reflection, Server};

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

const DRILL: &str = r#"
version: 1
name: calls
targets: { echo: { base_url: "URL", TYPES } }
journeys:
  call:
    steps:
      - grpc:
          name: score
          method: all.v1.Echo/Unary
          message: { text: "order ${index}", i64: "${index}", below: { labels: { run: "${run.id}" } } }
          metadata: { x-tenant: shop }
          extract: { id: $.i64 }
          check: [ grpc_status == 0, "$.i64 >= 0", "$.text contains order" ]
      - grpc:
          name: updates
          method: all.v1.Echo/Many
          message: { i32: 3, text: "${id}" }
          check: [ messages == 3, "$[0].i32 == 3" ]
      - grpc: { method: all.v1.Echo/Unary, message: { text: "fail 5 no such order" }, name: lost }
load: { arrivals: even, phases: [ { name: p, shape: { hold: { rate: 20/s, for: 2s } } } ] }
"#;

#[test]
fn calls_are_checked_counted_and_named() {
    let server = Server::start(Reflection::V1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("proto")).unwrap();
    fs::write(at("proto/all.proto"), ALL_PROTO).unwrap();
    for (types, out) in [("proto: [proto/all.proto]", "files"), ("reflection: true", "asked")] {
        let drill = DRILL.replace("URL", &server.url()).replace("TYPES", types);
        fs::write(at("drill.yaml"), &drill).unwrap();
        let before = server.calls().len();
        let ran =
            output(peakdrill(folder.path()).args(["run", "drill.yaml", "--yes", "--out", out]).args(ALONE));
        expect_exit(&ran, 0);
        let verdict = json(&at(out).join("verdict.json"));
        let of = |step: usize| {
            (verdict["steps"][step]["completed"].as_u64(), verdict["steps"][step]["errors"].as_u64())
        };
        assert_eq!((of(0), of(1), of(2)), ((Some(40), Some(0)), (Some(40), Some(0)), (Some(40), Some(40))));
        assert_eq!(verdict["load"]["errors_by_class"], serde_json::json!({ "grpc_not_found": 40 }));
        let samples = fs::read_to_string(at(out).join("samples.jsonl")).unwrap();
        assert!(samples.contains("grpc status 5 NOT_FOUND: no such order"), "{samples}");
        let seen = server.calls().split_off(before);
        assert!(seen.len() >= 120, "{} calls", seen.len());
        assert!(seen.iter().any(|call| call.get("x-tenant") == Some("shop")));
    }
}

#[test]
fn a_message_that_does_not_fit_is_found_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("proto")).unwrap();
    fs::write(at("proto/all.proto"), ALL_PROTO).unwrap();
    let drill = DRILL.replace("URL", "grpc://127.0.0.1:1").replace("TYPES", "proto: [proto/all.proto]");
    fs::write(at("good.yaml"), &drill).unwrap();
    expect_exit(&output(peakdrill(folder.path()).args(["check", "good.yaml"])), 0);
    let plan = output(peakdrill(folder.path()).args(["plan", "good.yaml"]));
    let shown = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(
        shown.contains("gRPC, types of proto/all.proto") && shown.contains("updates: about 40"),
        "{shown}"
    );
    fs::write(at("bad.yaml"), drill.replace("i32: 3", "i32: three")).unwrap();
    let bad = output(peakdrill(folder.path()).args(["check", "bad.yaml"]));
    expect_exit(&bad, 104);
    let said = String::from_utf8_lossy(&bad.stderr).into_owned() + &String::from_utf8_lossy(&bad.stdout);
    assert!(said.contains("E0432") && said.contains("bad.yaml:18:27"), "{said}");
    assert!(said.contains("`all.v1.All.i32` takes a whole number of 32 bits, not `three`"), "{said}");
}
