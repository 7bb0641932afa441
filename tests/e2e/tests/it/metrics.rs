//! Metrics of the system under test, from its endpoint to the verdict; and traces of other tools.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::counters::counter;
use peakdrill_collector::{Collector, CollectorConfig, Limits};
use peakdrill_testkit::scripted::{Reply, Script, Server};
use peakdrill_testkit::tls::{CA, Front, server_config};
use serde_json::{Value, json};

use crate::support::{ALONE, expect_exit, json as read_json, output, peakdrill, signal, wait_until};

/// Processor time that a request takes, in seconds.
const DEMAND_S: f64 = 0.01;

/// A service that says at `/metrics` what its requests have taken of its two processors.
fn service() -> Server {
    let answer = move |seen: &peakdrill_testkit::scripted::Seen| {
        if seen.path != "/metrics" {
            return Reply::json(200, "{}");
        }
        let used = seen.number as f64 * DEMAND_S;
        let body = format!(
            "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {used}\n\
             # TYPE system_cpu_count gauge\nsystem_cpu_count 2\n"
        );
        Reply { status: 200, headers: vec![("content-type".into(), "text/plain".into())], body: body.into() }
    };
    Server::start(Script::Handler(Arc::new(answer))).unwrap()
}

#[test]
fn what_an_endpoint_says_comes_to_the_verdict_and_a_report_needs_no_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let server = service();
    let url = server.url();
    let drill = format!(
        "version: 1\nname: metrics\ntargets: {{ api: {{ base_url: \"{url}\" }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load:\n  arrivals: even\n  phases:\n\
         \x20   - {{ name: rise, shape: {{ ramp: {{ from: 10/s, to: 100/s, over: 8s }} }} }}\n\
         telemetry: {{ scrape: [ {{ url: \"{url}/metrics\", service: api, every: 500ms }} ] }}\n"
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    let plan = output(peakdrill(folder.path()).args(["plan", "drill.yaml"]));
    expect_exit(&plan, 0);
    assert!(String::from_utf8_lossy(&plan.stdout).contains("metrics that are fetched"));
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 0);
    drop(server);

    let record = folder.path().join("rec");
    let verdict = read_json(&record.join("verdict.json"));
    let found = &verdict["resources"][0];
    assert_eq!((&found["service"], &found["kind"]), (&json!("api"), &json!("processors")), "{verdict}");
    assert_eq!((&found["limit"], &found["instances"]), (&json!(2.0), &json!(1)));
    let at = |name: &str| found[name].as_f64().unwrap();
    assert!(at("light") > 0.0 && at("peak") > 1.5 * at("light") && at("peak") <= 0.6, "{found}");
    let events = fs::read_to_string(record.join("events.jsonl")).unwrap();
    assert!(events.contains("/metrics: 2 of use"), "{events}");
    // From the journal alone, and without the endpoint.
    fs::remove_file(record.join("cells.json")).unwrap();
    let html = fs::read(record.join("report.html")).unwrap();
    expect_exit(&output(peakdrill(folder.path()).args(["report", "rec"])), 0);
    assert_eq!(fs::read(record.join("report.html")).unwrap(), html);
    assert_eq!(read_json(&record.join("verdict.json")), verdict);
}

#[test]
fn an_endpoint_that_is_gone_is_said_and_the_drill_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = service();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let drill = format!(
        "version: 1\nname: gone\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load: {{ phases: [ {{ name: p, shape: {{ hold: {{ rate: 20/s, for: 1s }} }} }} ] }}\n\
         telemetry: {{ scrape: [ {{ url: \"http://{gone}/metrics\" }} ] }}\n",
        server.url()
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    let run = output(peakdrill(folder.path()).args(["run", "drill.yaml", "--out", "rec"]).args(ALONE));
    expect_exit(&run, 0);
    let events = fs::read_to_string(folder.path().join("rec/events.jsonl")).unwrap();
    assert!(events.contains(&format!("▲ metrics of http://{gone}/metrics: cannot be reached")), "{events}");
    assert!(events.contains("looks failed"), "{events}");
    assert_eq!(read_json(&folder.path().join("rec/verdict.json"))["resources"], Value::Null);
}

#[test]
fn a_drill_serves_its_own_metrics_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = service();
    let args =
        ["run", "--target", &server.url(), "--rate", "50/s", "--for", "60s", "--metrics", "127.0.0.1:0"];
    let mut command = peakdrill(folder.path());
    command.args(args).args(["--out", "rec"]).args(ALONE).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut lines =
        lines.filter_map(|line| line.strip_prefix("metrics of the drill: http://").map(str::to_owned));
    let authority = lines.next().unwrap().strip_suffix("/metrics").unwrap().to_owned();
    // What else is said is read on, so that the drill never waits for it.
    let rest = std::thread::spawn(move || lines.count());
    let text = wait_until("requests in the metrics", Duration::from_secs(60), || {
        let mut stream = TcpStream::connect(&authority).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let value = text.lines().find(|line| line.starts_with("peakdrill_requests_completed_total{"));
        let count: f64 = value?.rsplit(' ').next().unwrap().parse().unwrap();
        (count > 0.0 && text.contains("state=\"running\"")).then_some(text)
    });
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("peakdrill_target_rate{") && text.contains(",quantile=\"0.5\"}"), "{text}");
    signal(&child, 15);
    assert_eq!(child.wait().unwrap().code(), Some(105));
    rest.join().unwrap();
    assert!(TcpStream::connect(&authority).is_err(), "nobody serves it any more");
}

/// Takes OTLP over HTTP.
fn receiver(journal: &Path) -> Collector {
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    Collector::start(CollectorConfig {
        grpc: any,
        http: Some(any),
        journal_dir: Some(journal.to_owned()),
        classify: Arc::new(|_| TraceClass::Live),
        limits: Limits::default(),
    })
    .unwrap()
}

#[test]
fn a_drill_sends_its_own_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let server = service();
    let receiver = receiver(&folder.path().join("received"));
    let endpoint = format!("http://{}", receiver.addresses().1.unwrap());
    let args = ["run", "--target", &server.url(), "--rate", "50/s", "--for", "2s", "--metrics-to", &endpoint];
    let run = output(peakdrill(folder.path()).args(args).args(["--out", "rec"]).args(ALONE));
    expect_exit(&run, 0);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!said.contains("could not be sent"), "{said}");
    let end = receiver.finish().unwrap();
    assert!(end.view.counters.get(counter::METRIC_REQUESTS) >= 2, "{:?}", end.view.counters);
    // The collector reads nothing of them, but they are metrics: counted, and none of them malformed.
    assert!(end.view.counters.get(counter::POINTS_UNUSED) >= 20, "{:?}", end.view.counters);
    assert_eq!(end.view.counters.get(counter::MALFORMED), 0);

    let args = ["run", "--target", &server.url(), "--rate", "50/s", "--for", "1s", "--metrics-to", &endpoint];
    let run = output(peakdrill(folder.path()).args(args).args(["--out", "rec2"]).args(ALONE));
    expect_exit(&run, 0);
    assert!(String::from_utf8_lossy(&run.stderr).contains("could not be sent: cannot be reached"));
}

#[test]
fn metrics_are_fetched_and_sent_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = service();
    let behind = server.url().trim_start_matches("http://").parse().unwrap();
    let fetched = Front::start(server_config(None).unwrap(), behind).unwrap();
    let receiver = receiver(&folder.path().join("received"));
    let sent = Front::start(server_config(None).unwrap(), receiver.addresses().1.unwrap()).unwrap();
    let drill = format!(
        "version: 1\nname: tls\ntargets: {{ api: {{ base_url: \"{}\" }} }}\n\
         journeys: {{ home: {{ steps: [ {{ get: / }} ] }} }}\n\
         load: {{ phases: [ {{ name: p, shape: {{ hold: {{ rate: 20/s, for: 1s }} }} }} ] }}\n\
         telemetry: {{ scrape: [ {{ url: \"https://{}/metrics\", tls: {{ insecure: true }} }} ] }}\n",
        server.url(),
        fetched.address()
    );
    fs::write(folder.path().join("drill.yaml"), drill).unwrap();
    let to = format!("https://{}", sent.address());
    let run = |out: &str, more: &[&str]| {
        let args = ["run", "drill.yaml", "--metrics-to", &to, "--out", out];
        output(peakdrill(folder.path()).args(args).args(more).args(ALONE))
    };
    let believed = run("rec", &["--metrics-to-ca", CA]);
    expect_exit(&believed, 0);
    let said = String::from_utf8_lossy(&believed.stderr);
    assert!(!said.contains("could not be sent"), "{said}");
    let events = fs::read_to_string(folder.path().join("rec/events.jsonl")).unwrap();
    assert!(events.contains("/metrics: 2 of use") && !events.contains("looks failed"), "{events}");
    let warnings = read_json(&folder.path().join("rec/verdict.json"))["warnings"].to_string();
    assert!(warnings.contains("the certificate is not verified"), "{warnings}");

    let unknown = run("rec2", &[]);
    expect_exit(&unknown, 0);
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(said.contains("could not be sent: its certificate is from an authority"), "{said}");
    assert!(said.contains("`--metrics-to-ca`"), "{said}");
    let missing = run("rec3", &["--metrics-to-ca", "no/such.pem"]);
    expect_exit(&missing, 2);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("`--metrics-to-ca`: no/such.pem"));
    assert!(!folder.path().join("rec3").exists(), "nothing was begun");

    let end = receiver.finish().unwrap();
    assert!(end.view.counters.get(counter::METRIC_REQUESTS) >= 1, "{:?}", end.view.counters);
    assert_eq!(end.view.counters.get(counter::MALFORMED), 0);
}

#[test]
fn traces_of_jaeger_and_zipkin_are_ranked() {
    let folder = tempfile::tempdir().unwrap();
    let start = 1_700_000_000_000_000_u64;
    let zipkin = |stock_us: u64| {
        let span = |trace: u64, id: u64, service: &str, kind: &str, at: u64, long: u64| {
            json!({ "traceId": format!("{trace:x}"), "id": format!("{id:x}"),
                "parentId": if id > 1 { json!(format!("{:x}", id - 1)) } else { Value::Null },
                "kind": kind, "name": "get", "timestamp": start + trace * 10_000 + at, "duration": long,
                "localEndpoint": { "serviceName": service } })
        };
        let traces: Vec<Value> = (1..200_u64)
            .map(|t| {
                json!([
                    span(t, 1, "gateway", "SERVER", 0, stock_us + 3_000),
                    span(t, 2, "gateway", "CLIENT", 1_000, stock_us + 1_000),
                    span(t, 3, "stock", "SERVER", 1_500, stock_us),
                ])
            })
            .collect();
        json!(traces)
    };
    let jaeger = |spans: Value| {
        let spans: Vec<Value> =
            spans.as_array().unwrap().iter().flat_map(|t| t.as_array().unwrap()).cloned().collect();
        let spans: Vec<Value> = spans
            .iter()
            .map(|span| {
                let kind = span["kind"].as_str().unwrap().to_lowercase();
                let parent = json!([{ "refType": "CHILD_OF", "traceID": span["traceId"], "spanID": span["parentId"] }]);
                json!({ "traceID": span["traceId"], "spanID": span["id"], "operationName": span["name"],
                    "references": if span["parentId"].is_null() { json!([]) } else { parent },
                    "startTime": span["timestamp"], "duration": span["duration"],
                    "tags": [{ "key": "span.kind", "type": "string", "value": kind }],
                    "processID": span["localEndpoint"]["serviceName"] })
            })
            .collect();
        let process = |name: &str| json!({ "serviceName": name, "tags": [] });
        json!({ "data": [{ "traceID": "1", "spans": spans,
            "processes": { "gateway": process("gateway"), "stock": process("stock") } }] })
    };
    let write = |name: &str, value: &Value| {
        fs::write(folder.path().join(name), serde_json::to_vec_pretty(value).unwrap()).unwrap();
    };
    write("normal.json", &zipkin(5_000));
    write("slow.json", &jaeger(zipkin(50_000)));
    let args = ["analyze", "slow.json", "--baseline", "normal.json", "--format", "json"];
    let run = output(peakdrill(folder.path()).args(args));
    expect_exit(&run, 0);
    let said: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&said["v"], &said["ranking"][0]["node"]), (&json!(1), &json!("stock")), "{said}");
    assert_eq!(
        (&said["read"]["traces"]["spans"], &said["read"]["baseline"]["spans"]),
        (&json!(597), &json!(597))
    );
    fs::write(folder.path().join("none.json"), "{\"a\": 1}").unwrap();
    let run = output(peakdrill(folder.path()).args(["analyze", "none.json", "--baseline", "normal.json"]));
    expect_exit(&run, 2);
    assert!(String::from_utf8_lossy(&run.stderr).contains("the JSON of Jaeger or Zipkin"));
}
