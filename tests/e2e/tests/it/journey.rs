//! A journey with data, an included file, a secret and classes of answers, from the file to the reports.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use peakdrill_testkit::scripted::{Reply, Script, Seen, Server};

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

const SECRET: &str = "e2e-hunter-2222";

const DRILL: &str = r#"
version: 1
name: shopping
include: [ shared/order.yaml ]
targets: { shop: { base_url: "URL" } }
feeders: { users: { jsonl: users.jsonl, on_exhausted: recycle } }
journeys:
  buy:
    cookies: true
    steps:
      - loop: { times: 2, steps: [ { get: { name: look, path: "/look/${users.address.city}" } } ] }
      - use: order
      - get: { name: pay, path: "/pay/${order_id}", headers: { x-key: "${secret:E2E_KEY}" }, check: [ status == 201 ] }
load: { arrivals: even, phases: [ { name: p, shape: { hold: { rate: 20/s, for: 2s } } } ] }
"#;

const SHARED: &str = r#"
fragments:
  order:
    - post:
        name: order
        path: /order
        let: { sign: "${hmac_sha256(secret:E2E_KEY, index)}" }
        headers: { x-sign: "${sign}" }
        json: { index: "${index}" }
        extract: { order_id: $.id }
        outcome: { sold_out: $.code == 2001 }
"#;

/// Every second order is sold out; what is paid for is answered with all that was sent.
fn shop() -> Server {
    let answer = |seen: &Seen| match seen.path.as_str() {
        "/order" => {
            let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
            match body["index"].as_str().unwrap().parse::<u64>().unwrap() % 2 {
                0 => Reply::json(200, r#"{"code":2001}"#),
                _ => Reply::json(200, r#"{"code":0,"id":"o-1"}"#).header("set-cookie", "sid=1"),
            }
        }
        path if path.starts_with("/pay") => {
            assert_eq!(seen.header("cookie"), Some("sid=1"));
            Reply::json(200, &format!("{{\"sent\":{:?}}}", seen.header("x-key").unwrap()))
        }
        _ => Reply::json(200, "{}"),
    };
    Server::start(Script::Handler(Arc::new(answer))).unwrap()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn classes_are_reported_and_secrets_are_not() {
    let (server, folder) = (shop(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("shared")).unwrap();
    fs::write(at("drill.yaml"), DRILL.replace("URL", &server.url())).unwrap();
    fs::write(at("shared/order.yaml"), SHARED).unwrap();
    fs::write(at("users.jsonl"), "{\"address\":{\"city\":\"x\"}}\n{\"address\":{\"city\":\"y\"}}\n").unwrap();
    let run = || {
        let mut command = peakdrill(folder.path());
        command.args(["run", "drill.yaml", "--yes", "--out", "rec"]).args(ALONE).env_remove("E2E_KEY");
        command
    };
    let refused = output(&mut run());
    let said =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("requests carry the secret E2E_KEY, which is not set"), "{said}");
    assert_eq!(server.log().iter().filter(|seen| seen.path == "/order").count(), 0);
    fs::remove_dir_all(at("rec")).unwrap();

    let ran = output(run().env("E2E_KEY", SECRET));
    expect_exit(&ran, 0);
    let card = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(card.contains("order: sold_out 20 (50"), "{card}");
    let steps = json(&at("rec/verdict.json"))["steps"].clone();
    let counts = |step: usize| (steps[step]["completed"].as_u64(), steps[step]["errors"].as_u64());
    assert_eq!(counts(0), (Some(80), Some(0)));
    assert_eq!(counts(1), (Some(40), Some(0)));
    assert_eq!(steps[1]["outcomes"], serde_json::json!({ "sold_out": 20 }));
    assert_eq!(counts(2), (Some(20), Some(20)), "the check of the answer fails, so that it is shown");
    assert!(fs::read_to_string(at("rec/report.html")).unwrap().contains("sold_out 20"));
    assert!(fs::read_to_string(at("rec/samples.jsonl")).unwrap().contains("[redacted]"));
    assert_eq!(
        server.log().iter().find(|seen| seen.path == "/pay/o-1").unwrap().header("x-key"),
        Some(SECRET)
    );
    for file in files(&at("rec")) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{}", file.display());
    }
    assert!(!card.contains(SECRET));
}
