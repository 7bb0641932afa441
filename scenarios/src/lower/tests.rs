use crate::ctx::asked;
use crate::input::{Files, Input};
use crate::keys::{State, all_blocks};

struct Folder;

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == "more.yaml" {
            return Ok(b"fragments: { more: [ get: /more ] }\n".to_vec());
        }
        if path == "x.proto" {
            return Ok(b"syntax = 'proto3'; message M {} service S { rpc C(M) returns (M); }".to_vec());
        }
        Ok(b"s,v\n0,1\n9,2\n".to_vec())
    }
}

/// Every variant stands here once; keys that are not given are asked for all the same.
const EVERYTHING: &str = r#"
version: 1
name: everything
labels: { a: b }
vars: { peak: 5/s }
targets:
  api: { base_url: "http://h", protocol: http1, timeouts: {}, connections: {}, tls: {}, resolve: { refresh: 1s } }
shadow: { ack: {} }
isolation:
  stores:
    - sqlite: { service: a, mode: { shadow_table: { prefix: s_ } }, tables: { a: shadow } }
    - postgres: { service: a, mode: { shadow_schema: s }, tables: { a: deny } }
  stubs: [ { host: h, reply: {} } ]
feeders: { rows: { csv: x.csv } }
include: [ more.yaml ]
fragments:
  one: [ { get: /g } ]
journeys:
  home:
    steps:
      - get: /
      - post: { path: /a, extract: { x: { json: $.x } } }
      - put: { path: /b, basic: { user: u, password: "${secret:P}" }, multipart: { a: { file: x.csv } } }
      - delete: { path: /c }
      - patch: { path: /d }
      - think: 1s
      - ws: { path: /w, open: {}, send: a, receive: { until: "$.a == 1" }, extract: { y: { json: $.y } } }
      - use: one
      - use: more
      - loop: { times: 1, steps: [ { get: /f } ] }
      - choose: [ { weight: 1, steps: [ { get: /e } ] } ]
mix: { home: 1 }
load:
  phases:
    - { name: a, shape: { hold: { rate: 1/s, for: 1s } } }
    - { name: b, shape: { ramp: { from: 1/s, to: "${peak}", over: 1s } } }
    - { name: c, shape: { spike: { from: 1/s, to: 2/s, rise: 1s, hold: 1s, fall: 1s } } }
    - { name: d, shape: { steps: { from: 1/s, by: 1/s, every: 1s, max: 2/s } } }
    - { name: e, shape: { curve: { csv: x.csv, time: s, value: v } } }
    - { name: f, shape: { users: { count: 1, for: 1s } } }
    - { name: k, shape: { search: { low: 100/s, high: 200/s, settle: 1s, probe: 1s } }, objective: [ "p99 < 1s" ] }
    - { name: g, shape: { pause: 1s } }
    - { name: h, shape: { tank: "const(1,1)" } }
    - { name: i, shape: { jmeter: "pause(1 s)" } }
    - name: j
      shape:
        sum:
          - hold: { rate: 1/s, for: 1s }
          - ramp: { from: 1/s, to: 2/s, over: 1s }
          - spike: { from: 1/s, to: 2/s, rise: 1s, hold: 1s, fall: 1s }
          - steps: { from: 1/s, by: 1/s, every: 1s, max: 2/s }
          - curve: { csv: x.csv, time: s, value: v }
          - tank: "const(1,1)"
          - jmeter: "pause(1 s)"
telemetry: { scrape: [ { url: "http://h:9187/metrics" } ], traces: 1% }
guards: { limits: { hosts: {} }, stop: [ "leaks > 0" ], on_stop: {} }
gates: [ { assert: "leaks == 0" } ]
reports: [ { html: { path: a } }, { junit: { path: b } }, { markdown: { path: c } }, { json: { path: d } } ]
"#;

const CALLS: &str = r#"
version: 1
name: calls
targets: { api: { base_url: "grpc://h", proto: [ x.proto ] } }
journeys: { home: { steps: [ { grpc: { method: S/C } } ] } }
load: { phases: [ { name: a, shape: { hold: { rate: 1/s, for: 1s } } } ] }
"#;

fn read_all() {
    for text in [EVERYTHING, CALLS] {
        let input = Input { name: "x", text, sets: &[], env: &|_| None, files: &Folder };
        let parsed = super::parse(&input);
        assert!(parsed.plan.is_some(), "{}", crate::render_human(&parsed.diagnostics, false));
    }
}

#[test]
fn every_key_of_the_tables_is_read() {
    asked::take();
    read_all();
    let asked = asked::take();
    for block in all_blocks() {
        for field in block.fields.iter().filter(|field| field.state != State::NotBuilt) {
            let key = (block.id.to_owned(), field.name.to_owned());
            assert!(
                asked.contains(&key),
                "`{}` of {} is in the table, but nothing reads it",
                key.1,
                block.what
            );
        }
    }
}

#[test]
fn keys_that_are_not_built_are_never_asked_for() {
    asked::take();
    read_all();
    let asked = asked::take();
    for block in all_blocks() {
        for field in block.fields.iter().filter(|field| field.state == State::NotBuilt) {
            assert!(!asked.contains(&(block.id.to_owned(), field.name.to_owned())), "{} is read", field.name);
        }
    }
}
