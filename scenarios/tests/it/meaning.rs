//! What a valid file means.

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{
    Again, Arrivals, Check, DigestForm, Extract, FeederOrder, MessageKind, Node, OnExhausted, Outcome, Part,
    Plan, Receive, Request, ResolveRules, Sharing, Source, SqlMode, Subnet, Target, Template, TextTest,
    TimeForm, Tls, Until, Ws, WsAct,
};
use peakdrill_drill_model::shape::{Piece, Shape};
use peakdrill_drill_model::timeline::Timeline;
use peakdrill_scenarios::{
    AtStart, Input, Parsed, at_start, describe, expected_requests, feeder_rows, host_matches,
    is_loopback_target, parse, render_human,
};

use super::{Folder, here, library, read};

/// Nanoseconds in a second.
const S: u64 = 1_000_000_000;

fn plan_of(parsed: Parsed) -> Plan {
    assert!(parsed.plan.is_some(), "{}", render_human(&parsed.diagnostics, false));
    parsed.plan.unwrap()
}

fn plan(text: &str) -> Plan {
    plan_of(read("drill.yaml", text))
}

fn drill(steps: &str) -> String {
    format!(
        "version: 1\nname: x\nvars: {{ v: \"a\\\"b\" }}\ntargets: {{ api: {{ base_url: \"http://127.0.0.1:80/base/\" }} }}\n\
         feeders: {{ users: {{ csv: data/users.csv, order: zipf(1.1), scope: shared }} }}\n\
         journeys:\n  home:\n    steps:\n{steps}\
         load: {{ phases: [ {{ name: p, shape: {{ hold: {{ rate: 10/s, for: 10s }} }} }} ] }}\n"
    )
}

fn request(plan: &Plan, at: usize) -> &Request {
    match &plan.journeys[0].steps[at] {
        Node::Request(request) => request,
        other => panic!("not a request: {other:?}"),
    }
}

#[test]
fn templates_become_parts() {
    let plan = plan(&drill(
        "      - post:\n          path: /a/${users.pwd}\n          bearer: \"${uuid:me}\"\n          json: { s: \"${v} ${users.uid}\", n: [1, 1.10, 0x1F, true, ~, \"${index}\"], \"k\\n\": \"${run.id}\" }\n          extract: { id: $.id }\n          check: [\"status != 500\", \"$.code <= 3\", \"$.s == 'a == b'\"]\n          timeout: 2s\n      - get: /b/${id}\n",
    ));
    let post = request(&plan, 0);
    let text = |text: &str| Part::Literal(text.to_owned());
    assert_eq!(post.path.0, [text("/a/"), Part::Feeder { feeder: 0, column: 1 }]);
    assert_eq!(
        post.body.as_ref().unwrap().0,
        [
            text("{\"s\":\"a\\\"b "),
            Part::Feeder { feeder: 0, column: 0 },
            text("\",\"n\":[1,1.10,31,true,null,\""),
            Part::Index,
            text("\"],\"k\\n\":\""),
            Part::RunId,
            text("\"}"),
        ]
    );
    let header = |name: &str| &post.headers.iter().find(|(known, _)| known == name).unwrap().1.0;
    assert_eq!(*header("authorization"), [text("Bearer "), Part::Uuid("me".to_owned())]);
    assert_eq!(*header("content-type"), [text("application/json")]);
    assert_eq!(post.extract, [Extract::json("id", "$.id")]);
    assert_eq!(
        post.checks,
        [
            Check::Status { op: Op::Ne, value: 500 },
            Check::Json { path: "$.code".to_owned(), op: Op::Le, value: 3.into() },
            Check::Json { path: "$.s".to_owned(), op: Op::Eq, value: "a == b".into() },
        ]
    );
    assert_eq!(post.timeout_ns, Some(2_000_000_000));
    assert_eq!(request(&plan, 1).path.0, [text("/b/"), Part::Extracted("id".to_owned())]);
    assert_eq!(plan.targets[0].base_url, "http://127.0.0.1:80/base".replace(":80", ""));
    assert_eq!(plan.feeders[0].order, FeederOrder::Zipf(1.1));
    assert_eq!(plan.feeders[0].rows[9], ["u9", "p9"]);
}

#[test]
fn what_follows_the_question_mark_of_a_path_is_no_name() {
    let plan = plan(&drill(
        "      - get: /a?key=literal\n      - post: { path: \"/b?key=${users.uid}\", body: x }\n      - get: { name: \"c?\", path: /c?d }\n",
    ));
    let names: Vec<&str> = plan.steps.iter().map(|info| info.step.as_str()).collect();
    assert_eq!(names, ["/a", "/b", "c?"]);
    assert_eq!(request(&plan, 0).path.0, [Part::Literal("/a?key=literal".to_owned())]);
    let twice = read("drill.yaml", &drill("      - get: /a?q=1\n      - get: /a?q=2\n"));
    assert_eq!(
        twice.diagnostics.iter().map(|d| d.code.0).collect::<Vec<_>>(),
        ["E0317"],
        "one wants a `name`"
    );
}

#[test]
fn answers_are_read_and_classed() {
    let plan = plan(&drill(
        "      - post:\n          path: /a\n          extract:\n            csrf: { regex: 'csrf=(\\w+)' }\n            at: { header: Location, default: none }\n            n: { json: $.n }\n          check: [ 'header etag present', '$.n in [0, \"${v}x\"]' ]\n          outcome: { sold_out: $.n == 2001 }\n      - get: /b/${csrf}/${at}/${n}\n",
    ).replace("v: \"a\\\"b\"", "v: a").replace("  home:\n", "  home:\n    cookies: true\n"));
    let post = request(&plan, 0);
    let extract = |name: &str, from, default: Option<&str>| Extract {
        name: name.to_owned(),
        from,
        default: default.map(str::to_owned),
    };
    assert_eq!(
        post.extract,
        [
            extract("csrf", Source::Regex("csrf=(\\w+)".to_owned()), None),
            extract("at", Source::Header("location".to_owned()), Some("none")),
            extract("n", Source::JsonPath("$.n".to_owned()), None),
        ]
    );
    let path = || "$.n".to_owned();
    assert_eq!(
        post.checks,
        [
            Check::Header { name: "etag".to_owned(), test: TextTest::Present },
            Check::JsonIn { path: path(), values: vec![0.into(), "ax".into()] },
        ]
    );
    let when = Check::Json { path: path(), op: Op::Eq, value: 2001.into() };
    assert_eq!(post.outcomes, [Outcome { name: "sold_out".to_owned(), when }]);
    assert_eq!(plan.steps[0].outcomes, ["sold_out"]);
    assert!(plan.journeys[0].cookies);
    // What an earlier version wrote is still read, and the other way round nothing is lost.
    let text = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(again.journeys, plan.journeys);
    let old: Extract = serde_json::from_str(r#"{"name":"id","json_path":"$.id"}"#).unwrap();
    assert_eq!(old, Extract::json("id", "$.id"));
}

#[test]
fn fragments_and_files_are_put_in_where_they_are_used() {
    let text = drill(
        "      - use: login\n      - loop:\n          times: 1..3\n          while: '${state} != done'\n          steps:\n            - use: poll\n            - think: lognormal(800ms, 0.5)\n            - use: login\n      - get: /bye/${state}\n",
    );
    let text = format!(
        "{text}include: [ data/shared.yaml, ./data/shared.yaml ]\nfragments:\n  login: [ {{ get: \"/login/${{users.uid}}\" }} ]\n"
    );
    let plan = plan(&text);
    let names: Vec<_> = plan.steps.iter().map(|info| (info.journey.as_str(), info.step.as_str())).collect();
    let wanted =
        [("home", "/login/${users.uid}"), ("home", "poll"), ("home", "/bye/${state}"), ("other", "/other")];
    assert_eq!(names, wanted, "a step that is used twice is one step");
    let Node::Loop(turns) = &plan.journeys[0].steps[1] else { panic!("no loop") };
    assert_eq!((turns.min, turns.max), (1, 3));
    let again = Again { value: "state".to_owned(), test: TextTest::IsNot("done".to_owned()) };
    assert_eq!(turns.again, Some(again));
    let think = Node::ThinkLognormal { median_ns: 800_000_000, sigma: 0.5, max_ns: 3_600_000_000_000 };
    assert_eq!(turns.steps[1], think);
    // Half of 100 arrivals: once, and two turns of the loop on average.
    assert_eq!(expected_requests(&plan), [150.0, 100.0, 50.0, 50.0]);
    assert_ne!(plan.scenario_sha256, self::plan(&text.replace("bye", "by")).scenario_sha256);
}

#[test]
fn requests_carry_what_is_written() {
    let plan = plan(&drill(
        "      - post:\n          name: order\n          path: /a?x=1\n          query: { q: \"a b&\", u: [ \"${users.uid}\", 2 ] }\n          let:\n            ts: \"${time_ms}\"\n            sign: \"${hmac_sha256(secret:KEY, ts)}\"\n          basic: { user: \"${users.uid}\", password: \"${secret:PW}\" }\n          headers: { x-sign: \"${sign}\", x-n: \"${random(-1, 5)}-${random_string(8)}\" }\n          form: { a: \"1=2\", b: \"${sign}\" }\n      - put: { path: /f, body_file: data/users.csv }\n      - post: { path: /m, multipart: { note: \"${index}\", file: { file: data/users.csv, type: text/csv } } }\n",
    ));
    let text = |text: &str| Part::Literal(text.to_owned());
    let (post, uid) = (request(&plan, 0), Part::Feeder { feeder: 0, column: 0 });
    assert_eq!(post.path.0, [text("/a?x=1&q=a%20b%26&u="), uid.clone(), text("&u=2")]);
    let value = |name: &str| Part::Value(name.to_owned());
    let secret = |name: &str| Part::Secret(name.to_owned());
    let sign = Part::HmacSha256 {
        key: Template(vec![secret("KEY")]),
        of: Template(vec![value("ts")]),
        form: DigestForm::Hex,
    };
    assert_eq!(
        post.values,
        [
            ("ts".to_owned(), Template(vec![Part::Time(TimeForm::Millis)])),
            ("sign".to_owned(), Template(vec![sign])),
        ]
    );
    let header = |request: &Request, name: &str| {
        request.headers.iter().find(|(known, _)| known == name).unwrap().1.0.clone()
    };
    let pair = Template(vec![uid, text(":"), secret("PW")]);
    assert_eq!(header(post, "authorization"), [text("Basic "), Part::Base64(pair)]);
    assert_eq!(header(post, "x-n"), [Part::Random { low: -1, high: 5 }, text("-"), Part::RandomString(8)]);
    assert_eq!(header(post, "content-type"), [text("application/x-www-form-urlencoded")]);
    assert_eq!(post.body.as_ref().unwrap().0, [text("a=1%3D2&b="), value("sign")]);
    assert_eq!(plan.request_secrets().into_iter().collect::<Vec<_>>(), ["KEY", "PW"]);

    assert_eq!(request(&plan, 1).body, Some(Template(vec![Part::File(0)])));
    let many = request(&plan, 2);
    let Part::Literal(kind) = &header(many, "content-type")[0] else { panic!("no content type") };
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let head = |rest: &str| format!("--{boundary}\r\ncontent-disposition: form-data; name={rest}\r\n\r\n");
    let file = head("\"file\"; filename=\"users.csv\"\r\ncontent-type: text/csv");
    assert_eq!(
        many.body.as_ref().unwrap().0,
        [
            text(&head("\"note\"")),
            Part::Index,
            text(&format!("\r\n{file}")),
            Part::File(0),
            text(&format!("\r\n--{boundary}--\r\n")),
        ]
    );
    assert_eq!(plan.files.len(), 1, "a file is read once");
    let json = serde_json::to_string(&plan).unwrap();
    assert!(json.contains(&plan.files[0].sha256) && !json.contains("u9,p9"), "its bytes are in no plan");
}

#[test]
fn a_finding_in_an_included_file_names_that_file() {
    let text = format!("{}include: [ data/clash.yaml ]\n", drill("      - get: /a\n"));
    let files = Folder(here("tests/corpus"));
    let input = Input { name: "drills/x.yaml", text: &text, sets: &[], env: &|_| None, files: &files };
    let found = parse(&input).diagnostics;
    let places: Vec<_> =
        found.iter().map(|d| (d.code.0, d.file.as_str(), d.line, d.source_line.trim())).collect();
    let wanted = ("E0317", "drills/data/clash.yaml", 2, "home: { steps: [ { get: /clash } ] }");
    assert!(places.contains(&wanted), "{places:?}");
}

#[test]
fn data_files_of_all_kinds_are_read() {
    let text = drill("      - get: \"/${people.address.city}/${windows.note}\"\n").replace(
        "feeders: {",
        "feeders: { people: { jsonl: data/users.jsonl, order: random }, windows: { csv: data/windows.csv, order: random },",
    );
    let plan = plan_of(read("drill.yaml", &text));
    assert_eq!(plan.feeders[0].columns, ["uid", "address.city", "address.zip"]);
    assert_eq!(plan.feeders[0].rows[1], ["u1", "Beijing", "100000"]);
    assert_eq!(plan.feeders[1].columns, ["uid", "note"]);
    assert_eq!(*plan.feeders[1].rows, [["u0", "say \"hi\", twice"], ["u1", "two\r\nlines"]]);
    let parts = &request(&plan, 0).path.0;
    assert_eq!(parts[1], Part::Feeder { feeder: 0, column: 1 });
}

#[test]
fn what_every_branch_extracts_exists_afterwards() {
    let plan = plan(&drill(
        "      - choose:\n          - weight: 1\n            steps: [ { get: { path: /a, extract: { id: $.id, x: $.x } } } ]\n          - weight: 3\n            steps: [ { get: { path: \"/b/${users.uid}\", extract: { id: $.ref } } } ]\n      - get: /c/${id}\n",
    ));
    let Node::Choose(branches) = &plan.journeys[0].steps[0] else { panic!("no choice") };
    assert_eq!(branches[1].weight, 3.0);
    assert_eq!(expected_requests(&plan), [25.0, 75.0, 100.0]);
}

#[test]
fn set_goes_before_the_environment_before_the_file() {
    let text = "version: 1\nname: x\nvars: { a: 1/s, b: 2/s, c: 3/s }\ntargets: { t: { base_url: \"http://${env:HOST}\" } }\n\
        journeys: { j: { steps: [ { get: / } ] } }\nload:\n  phases:\n\
        \x20   - { name: a, shape: { hold: { rate: \"${a}\", for: 1s } } }\n\
        \x20   - { name: b, shape: { hold: { rate: \"${b}\", for: 1s } } }\n\
        \x20   - { name: c, shape: { hold: { rate: \"${c}\", for: 1s } } }\n";
    let env = |name: &str| match name {
        "PEAKDRILL_VAR_a" | "PEAKDRILL_VAR_b" => Some("20/s".to_owned()),
        "HOST" => Some("h.example.com".to_owned()),
        _ => None,
    };
    let files = Folder(here("tests/corpus"));
    let sets = [("a".to_owned(), "5/s".to_owned()), ("a".to_owned(), "10/s".to_owned())];
    let with = |sets: &[(String, String)]| {
        plan_of(parse(&Input { name: "x", text, sets, env: &env, files: &files }))
    };
    let plan = with(&sets);
    let rates: Vec<f64> = plan.load.phases.iter().map(|phase| phase.shape.peak()).collect();
    assert_eq!(rates, [10.0, 20.0, 3.0]);
    assert_eq!(plan.targets[0].base_url, "http://h.example.com");
    assert_eq!(plan.scenario_sha256.len(), 64);
    assert_ne!(plan.scenario_sha256, with(&sets[..1]).scenario_sha256);
    assert_eq!(plan.scenario_sha256, with(&sets).scenario_sha256);

    let unknown = [("peek".to_owned(), "1".to_owned())];
    let parsed = parse(&Input { name: "x", text, sets: &unknown, env: &env, files: &files });
    assert_eq!(parsed.diagnostics[0].code.0, "E0205");
}

#[test]
fn mixes_and_spacing_by_phase() {
    let text = "version: 1\nname: x\ntargets: { t: { base_url: \"http://h\" } }\n\
        journeys: { a: { steps: [ { get: / } ] }, b: { steps: [ { get: / } ] } }\nmix: { a: 30, b: 10 }\nload:\n  arrivals: even\n  phases:\n\
        \x20   - { name: p, arrivals: poisson, shape: { ramp: { from: 0/s, to: 600/min, over: 10s } }, mix: { b: 5 } }\n\
        \x20   - { name: q, measure: false, shape: { users: { count: 3, for: 1m30s } } }\n";
    let plan = plan(text);
    assert_eq!(plan.journeys[0].share, 0.75);
    assert_eq!(plan.load.phases[0].mix, Some(vec![0.0, 1.0]));
    assert_eq!(plan.load.phases[0].arrivals, Arrivals::Poisson);
    assert_eq!(plan.load.phases[1].arrivals, Arrivals::Even);
    assert!(!plan.load.phases[1].measure);
    assert_eq!(plan.load.phases[1].shape, Shape::Users { count: 3, for_ns: 90_000_000_000 });
    assert_eq!(expected_requests(&plan), [0.0, 50.0]);
    assert_eq!(plan.environment, "local");
}

#[test]
fn rows_are_needed_up_to_the_last_journey_that_takes_one() {
    let text = "version: 1\nname: x\ntargets: { t: { base_url: \"http://h\" } }\n\
        feeders: { users: { csv: data/users.csv, on_exhausted: recycle } }\n\
        journeys: { a: { steps: [ { get: \"/${users.uid}\" } ] }, b: { steps: [ { get: / } ] } }\nload:\n  phases:\n\
        \x20   - { name: p, shape: { hold: { rate: 10/s, for: 10s } } }\n\
        \x20   - { name: q, shape: { hold: { rate: 10/s, for: 10s } }, mix: { b: 1 } }\n";
    let plan = plan(text);
    assert_eq!(feeder_rows(&plan), [Some(100)]);
    assert_eq!(plan.feeders[0].on_exhausted, OnExhausted::Recycle);
}

#[test]
fn the_production_template_is_read_whole() {
    let text =
        peakdrill_scenarios::LIBRARY.iter().find(|(name, _)| *name == "production-template").unwrap().1;
    let plan = library::plan("production-template", text);
    assert!(plan.is_production());
    let shadow = plan.shadow.as_ref().unwrap();
    assert_eq!(shadow.key_secret.as_deref(), Some("PEAKDRILL_SIGNING_KEY"));
    assert_eq!((shadow.ack_require, shadow.lease_ns), (Some(1.0), 60_000_000_000));
    let mode = SqlMode::ShadowTable { prefix: "shadow_".to_owned(), suffix: String::new() };
    assert_eq!(plan.isolation.stores[0].mode, mode);
    assert_eq!(plan.isolation.stores[0].dsn.as_deref(), Some("ORDER_RO_DSN"));
    assert_eq!(plan.isolation.stores[1].mode, SqlMode::ShadowSchema { schema: "shadow".to_owned() });
    assert_eq!(
        (plan.isolation.stubs[0].latency_median_ns, plan.isolation.stubs[0].latency_sigma),
        (80_000_000, 0.4)
    );
    assert!(plan.isolation.on_leak_stop);
    assert_eq!(plan.guards.limit_rate, Some(1500.0));
    assert_eq!(plan.guards.stop[0].for_ns, 3_000_000_000);
    assert_eq!(plan.gates[0].min_samples, 1000);
    assert!(plan.gates[4].warn_only);
    let line = text.lines().nth(plan.gates[0].line as usize - 1).unwrap();
    assert!(line.contains("p99{journey=checkout} < 300ms"), "{line}");
    let json = serde_json::to_string(&plan).unwrap();
    assert!(!json.contains("${"), "a hole is left in the plan");
}

#[test]
fn hosts() {
    assert!(host_matches("*.prod.example.com", "gw.prod.example.com"));
    assert!(!host_matches("*.prod.example.com", "prod.example.com"));
    assert!(!host_matches("*.prod.example.com", "evilprod.example.com"));
    assert!(!host_matches("*.prod.example.com", "gw.prod.example.com.evil.org"));
    assert!(host_matches("API.example.com", "api.example.com."));
    assert!(host_matches("api.example.com.", "api.example.com"));
    assert!(host_matches("[::1]", "::1"));
    let stays = |url: &str, addresses: &[&str]| {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let resolve = ResolveRules { addresses, ..ResolveRules::default() };
        is_loopback_target(&Target { base_url: url.into(), resolve, ..Target::default() })
    };
    for here in ["http://localhost:1", "http://127.8.0.1", "https://[::1]:8443/x"] {
        assert!(stays(here, &[]), "{here}");
        assert!(!stays(here, &["127.0.0.1:80", "10.0.0.1:80"]), "its addresses count");
    }
    for there in ["http://localhost.evil.org", "http://10.0.0.1", "http://0.0.0.0", "127.0.0.1", "http://h"] {
        assert!(!stays(there, &[]), "{there}");
    }
    assert!(stays("http://shop.test", &["127.0.0.1:80", "[::1]:80"]));
}

#[test]
fn how_a_target_is_reached() {
    let drill = |target: &str| {
        drill("      - get: /\n").replace(
            "{ base_url: \"http://127.0.0.1:80/base/\" }",
            &format!("{{ base_url: \"https://shop.test\", {target} }}"),
        )
    };
    let bare = plan(&drill("timeouts: {}")).targets.remove(0);
    assert_eq!((bare.connections, bare.resolve, bare.tls), Default::default());
    let plan = plan(&drill(
        "connections: { max_per_agent: 40, per: user, lifetime: 5m, from: [127.0.0.2, 10.0.0.0/30] }, \
         resolve: { addresses: [10.0.0.1, \"[::1]:8443\"] }, \
         tls: { ca: ca.pem, cert: me.pem, key: me.key, server_name: gw.test, resume: false }",
    ));
    let target = &plan.targets[0];
    assert_eq!((target.max_connections, target.exact_connections), (40, false));
    let rules = &target.connections;
    assert_eq!((rules.per, rules.max_is_per_agent, rules.lifetime_ns), (Sharing::User, true, Some(300 * S)));
    let from: Vec<String> = rules.from.iter().flat_map(Subnet::hosts).map(|ip| ip.to_string()).collect();
    assert_eq!(from, ["127.0.0.2", "10.0.0.1", "10.0.0.2"]);
    let addresses: Vec<String> = target.resolve.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.0.0.1:443", "[::1]:8443"]);
    assert_eq!(target.tls.cert.as_deref(), Some("me.pem"));
    assert_eq!(target.tls.key.as_deref(), Some("me.key"));
    assert_eq!(target.tls.server_name.as_deref(), Some("gw.test"));
    let said = describe(&plan);
    for part in [
        "at most 40 connections an agent, one for each journey in progress, renewed after about 5m",
        "from 3 local addresses, at 10.0.0.1:443 and [::1]:8443, with a client certificate, as gw.test, a full TLS",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let again = super::read("drill.yaml", &drill("resolve: { refresh: 10s }")).plan.unwrap();
    assert_eq!(again.targets[0].resolve.refresh_ns, Some(10 * S));
    assert!(describe(&again).contains("name looked up every 10s"));
}

#[test]
fn certificates_are_for_targets_over_tls() {
    for (scheme, fits) in
        [("http", false), ("ws", false), ("grpc", false), ("https", true), ("wss", true), ("grpcs", true)]
    {
        let target = format!("{{ base_url: \"{scheme}://shop.test\", tls: {{ resume: false }} }}");
        let text = drill("      - get: /\n").replace("{ base_url: \"http://127.0.0.1:80/base/\" }", &target);
        let found = super::read("drill.yaml", &text).diagnostics;
        let refused = found.iter().any(|found| found.message.starts_with("`tls` has no meaning"));
        assert_eq!(refused, !fits, "{scheme}: {}", render_human(&found, false));
    }
}

#[test]
fn too_much_is_refused() {
    let steps: String = (0..1_001).map(|at| format!("      - get: /{at}\n")).collect();
    let found = read("x", &drill(&steps)).diagnostics;
    assert!(found.iter().any(|d| d.code.0 == "E0701"), "{}", render_human(&found, false));
    let wide = format!("version: 1\nname: \"{}\"\n", "x ".repeat(100_000));
    assert!(render_human(&read("x", &wide).diagnostics, false).len() < 20_000);
    let long = format!("version: 1\n# {}\n", "x".repeat(peakdrill_scenarios::limits::MAX_SCENARIO_BYTES));
    assert_eq!(read("x", &long).diagnostics[0].code.0, "E0102");
}

#[test]
fn large_data_files_are_refused() {
    struct Large;
    impl peakdrill_scenarios::Files for Large {
        fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
            Ok(vec![0; peakdrill_scenarios::limits::MAX_DATA_FILE_BYTES + 1])
        }
    }
    let text = drill("      - get: /${users.uid}\n");
    let parsed = parse(&Input { name: "x", text: &text, sets: &[], env: &|_| None, files: &Large });
    let codes: Vec<_> = parsed.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["E0426"]);
}

fn shaped(shapes: &str) -> Plan {
    plan(&format!(
        "version: 1\nname: x\ntargets: {{ t: {{ base_url: \"http://h\" }} }}\n\
         journeys:\n  a: {{ steps: [ {{ get: / }} ] }}\n  b:\n    steps:\n      - get: /b\n      - choose:\n\
         \x20         - {{ weight: 1, steps: [ {{ get: /c }}, {{ get: /d }} ] }}\n\
         \x20         - {{ weight: 3, steps: [ {{ think: 1s }} ] }}\n\
         load:\n{shapes}"
    ))
}

#[test]
fn shapes_of_other_tools_become_pieces() {
    let plan = shaped(
        "  phases:\n\
         \x20   - { name: p, shape: { pause: 30s } }\n\
         \x20   - { name: t, shape: { tank: \"line(1,100,10m) const(100,5m) step(5,25,5,60s)\" } }\n\
         \x20   - { name: j, shape: { jmeter: \"rate(0/min) even_arrivals(10 min) rate(60/min)\" } }\n\
         \x20   - { name: s, shape: { sum: [ { hold: { rate: 5/s, for: 4s } }, { tank: \"line(0,8,8)\" } ] } }\n",
    );
    let phases = &plan.load.phases;
    assert_eq!((phases[0].shape.duration_ns(), phases[0].shape.arrivals()), (30 * S, 0.0));
    assert_eq!(phases[1].shape.pieces().len(), 7);
    assert_eq!(phases[1].shape.duration_ns(), (600 + 300 + 5 * 60) * S);
    assert_eq!(phases[1].arrivals, Arrivals::Poisson);
    assert_eq!((phases[2].shape.arrivals(), phases[2].arrivals), (300.0, Arrivals::Even));
    assert_eq!(phases[3].shape.arrivals(), 20.0 + 32.0);
    assert_eq!((phases[3].shape.rate_at(2 * S), phases[3].shape.rate_at(6 * S)), (7.0, 6.0));
    let said = describe(&plan);
    assert!(
        said.contains("t: 20m, tank line(1,100,10m) const(100,5m) step(5,25,5,60s), 64 800 arrivals"),
        "{said}"
    );
}

#[test]
fn an_instant_is_kept_as_one() {
    let plan = shaped(
        "  phases: [ { name: p, shape: { hold: { rate: 5/s, until: \"2026-11-11T00:00:00+08:00\" } } } ]\n",
    );
    let until = 1_794_326_400 * S as i64;
    assert_eq!(plan.load.phases[0].shape, Shape::HoldUntil { rate: 5.0, until_unix_ns: until });
    let said = describe(&plan);
    assert!(said.contains("p: hold 5/s until 2026-11-10T16:00:00Z, poisson"), "{said}");
    assert!(
        said.starts_with("x: at least 0ns, at least 0 arrivals, "),
        "how long it takes is not known: {said}"
    );
}

#[test]
fn what_an_instant_makes_too_long_is_told_at_the_start() {
    let text = |shape: &str, then: &str| {
        let load =
            format!("load: {{ phases: [ {{ name: p, shape: {{ hold: {{ rate: 2/s, {shape} }} }} }} ] }}");
        drill("      - get: \"/${users.uid}\"\n")
            .replace("load: { phases: [ { name: p, shape: { hold: { rate: 10/s, for: 10s } } } ] }", &load)
            .replace(", scope: shared", "")
            .replace("order: zipf(1.1)", &format!("order: shuffle, on_exhausted: {then}"))
            + "guards: { limits: { duration: 1m } }\n"
    };
    let until = 1_794_326_400 * S as i64;
    let at = |then: &str, seconds: i64| {
        let plan = plan(&text("until: \"2026-11-11T00:00:00+08:00\"", then));
        at_start(&plan, &Timeline::new(&plan.load, until - seconds * S as i64).unwrap())
    };
    assert_eq!(at("stop_journey", 5), AtStart::default());
    let rows = "feeder `users` has 10 rows, the plan needs about 12 (order: shuffle, on_exhausted: fail): \
        add rows, lower the load, or say `on_exhausted: recycle`";
    assert_eq!(at("fail", 6), AtStart { problems: vec![rows.to_owned()], warnings: vec![] });
    let long = "the load lasts 61s, longer than the limit of 60s (guards.limits.duration)";
    let found = at("stop_journey", 61);
    assert_eq!((found.problems, found.warnings.len()), (vec![long.to_owned()], 1));
    assert!(at("recycle", 60).warnings.is_empty());

    // The same words as of a load whose length is written.
    let found = read("x", &text("for: 61s", "fail")).diagnostics;
    let said = render_human(&found, false);
    assert!(said.contains("the load lasts 61s, longer than the limit of 60s"), "{said}");
    assert!(said.contains("feeder `users` has 10 rows, the plan needs about 122 (order: shuffle"), "{said}");
    // And nothing is told twice.
    let fixed = plan(&text("for: 6s", "stop_journey"));
    assert_eq!(at_start(&fixed, &Timeline::planned(&fixed.load)), AtStart::default());
}

#[test]
fn requests_become_journeys_by_the_mean() {
    // A journey b sends 1 + 1/4 · 2 = 1.5 requests, half of the journeys are a with 1.
    let plan = shaped(
        "  unit: requests\n  phases: [ { name: p, shape: { ramp: { from: 0/s, to: 100/s, over: 10s } } } ]\n",
    );
    let phase = &plan.load.phases[0];
    assert_eq!(phase.requests_per_journey, Some(1.25));
    assert_eq!(phase.shape, Shape::Ramp { from: 0.0, to: 80.0, over_ns: 10 * S });
    assert_eq!(expected_requests(&plan).iter().sum::<f64>(), 500.0);
    let said = describe(&plan);
    assert!(said.contains("at most 100/s requests, at 1.25 requests a journey on average"), "{said}");
}

#[test]
fn a_curve_in_steps_jumps() {
    let files = Folder(here("tests/corpus"));
    let text = "version: 1\nname: x\ntargets: { t: { base_url: \"http://h\" } }\njourneys: { j: { steps: [ { get: / } ] } }\n\
        load: { phases: [ { name: c, shape: { curve: { csv: data/stairs.csv, time: s, value: v, interpolate: step } } } ] }\n";
    let plan = plan_of(parse(&Input { name: "x", text, sets: &[], env: &|_| None, files: &files }));
    let wanted = [Piece::flat(2 * S, 10.0), Piece::flat(3 * S, 30.0)];
    assert_eq!(plan.load.phases[0].shape.pieces(), wanted);
}

#[test]
fn messages_go_over_what_the_first_step_opens() {
    let plan = plan(&drill(
        "      - get: { path: /login, extract: { token: $.t } }\n      - ws: { name: sub, path: \"/feed?v=1\", open: { name: dial, bearer: \"${token}\", subprotocols: [a, b], timeout: 1s }, let: { id: \"${uuid}\" }, json: { id: \"${id}\" }, receive: { until: '$.id == \"x-${id}\"', count: 2 }, extract: { s: $.s }, timeout: 2s }\n      - ws: { name: wait, path: \"/feed?v=1\" }\n      - ws: { name: end, path: \"/feed?v=1\", send: bye, receive: none }\n",
    ));
    let names: Vec<_> = plan.steps.iter().map(|info| (info.step.as_str(), info.message)).collect();
    assert_eq!(names, [("/login", false), ("dial", false), ("sub", true), ("wait", true), ("end", true)]);
    let (open, sub, wait, end) = (request(&plan, 1), request(&plan, 2), request(&plan, 3), request(&plan, 4));
    assert_eq!(plan.journeys[0].steps.len(), 5, "it is opened once");
    assert_eq!((open.method.as_str(), open.timeout_ns, sub.timeout_ns), ("GET", Some(S), Some(2 * S)));
    assert_eq!(open.ws, Some(Ws { connection: 0, act: WsAct::Open }));
    let bearer = vec![Part::Literal("Bearer ".into()), Part::Extracted("token".into())];
    let offered = ("sec-websocket-protocol".to_owned(), Template::literal("a, b"));
    assert_eq!(open.headers, [("authorization".to_owned(), Template(bearer)), offered]);
    assert_eq!(open.values, sub.values, "the opening may use what its step computes");
    let value = Template(vec![Part::Literal("x-".into()), Part::Value("id".into())]);
    let until = Some(Until::Same { path: "$.id".into(), value });
    let said = |request: &Request| match &request.ws {
        Some(Ws { connection: 0, act: WsAct::Say { kind, receive } }) => (*kind, receive.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(said(sub), (MessageKind::Json, Some(Receive { until, count: 2 })));
    assert_eq!(said(wait), (MessageKind::Text, Some(Receive { until: None, count: 1 })));
    assert_eq!((wait.body.as_ref(), said(end)), (None, (MessageKind::Text, None)));
    let fixed = super::read(
        "drill.yaml",
        &drill("      - ws: { path: /f, receive: { until: '$.op == \"ack\"' } }\n"),
    );
    let check = Check::Json { path: "$.op".into(), op: Op::Eq, value: "ack".into() };
    let receive = Receive { until: Some(Until::Check(check)), count: 1 };
    assert_eq!(said(request(&plan_of(fixed), 1)), (MessageKind::Text, Some(receive)));
}

#[test]
fn a_connection_is_opened_where_it_may_not_be_open() {
    let plan = plan(&drill(
        "      - choose:\n          - weight: 1\n            steps: [ { ws: { name: a, path: /f } } ]\n          - weight: 3\n            steps: [ { get: /x } ]\n      - loop: { times: 3, steps: [ { ws: { name: b, path: /f } } ] }\n      - ws: { name: c, path: /f }\n",
    ));
    let mut opens = 0;
    Node::requests(&plan.journeys[0].steps, &mut |request| opens += usize::from(!request.is_message()));
    assert_eq!(opens, 3, "in the branch, in the loop, and the request");
    let names: Vec<_> = plan.steps.iter().map(|info| info.step.as_str()).collect();
    assert_eq!(names, ["open /f", "a", "/x", "b", "c"]);
    let expected = expected_requests(&plan);
    // A hundred journeys: each opens it once, a quarter of them in the branch.
    assert_eq!(expected, [100.0, 25.0, 75.0, 300.0, 100.0]);
}

#[test]
fn a_share_of_traces_is_read_and_described() {
    let with = |share: &str| drill("      - get: /a\n") + &format!("telemetry: {{ traces: {share} }}\n");
    let few = plan(&with("0.5%"));
    assert_eq!(few.telemetry.traces_ppm, Some(5_000));
    assert!(describe(&few).contains("spans of 0.5 % of the requests\n"), "{}", describe(&few));
    let all = plan(&with("100%"));
    assert!(all.telemetry.is_empty() && !describe(&all).contains("spans of"));
}

#[test]
fn endpoints_to_scrape_are_read_and_described() {
    let text = drill("      - get: /a\n")
        + "telemetry:\n  scrape:\n    - { url: \"http://db-exporter:9187\", service: order-db, every: 500ms }\n    - url: \"http://[::1]/actuator/prometheus?a=b\"\n";
    let plan = plan(&text);
    let [first, second] = plan.telemetry.scrape.as_slice() else { panic!("{:?}", plan.telemetry) };
    assert_eq!((first.authority.as_str(), first.path.as_str()), ("db-exporter:9187", "/"));
    assert_eq!((first.service.as_deref(), first.every_ns), (Some("order-db"), S / 2));
    assert_eq!((second.authority.as_str(), second.path.as_str()), ("[::1]:80", "/actuator/prometheus?a=b"));
    assert_eq!((second.service.as_deref(), second.every_ns), (None, S));
    let said = describe(&plan);
    assert!(said.contains("  http://db-exporter:9187 every 500ms, of order-db\n"), "{said}");
    assert!(
        said.contains("  http://[::1]/actuator/prometheus?… every 1s\n"),
        "a query may be a credential: {said}"
    );
    let kept = serde_json::to_value(&plan).unwrap();
    assert_eq!(kept["telemetry"]["scrape"][0]["service"], "order-db");
}

#[test]
fn endpoints_to_scrape_over_tls_have_the_settings_of_targets() {
    let text = drill("      - get: /a\n")
        + "telemetry:\n  scrape:\n    - { url: \"https://db-exporter/metrics\" }\n    - url: \"https://10.0.0.1:9187\"\n      tls: { ca: ca.pem, cert: me.pem, key: me.key, server_name: db.test, resume: false }\n    - { url: \"https://h\", tls: { insecure: true } }\n";
    let parsed = super::read("drill.yaml", &text);
    assert_eq!(parsed.diagnostics.iter().filter(|found| found.code.0 == "W0803").count(), 1);
    let plan = plan_of(parsed);
    let [first, second, third] = plan.telemetry.scrape.as_slice() else { panic!("{:?}", plan.telemetry) };
    assert_eq!((first.authority.as_str(), &first.tls), ("db-exporter:443", &Some(Tls::default())));
    let tls = second.tls.as_ref().unwrap();
    assert_eq!((tls.ca.as_deref(), tls.insecure, tls.identity.resume), (Some("ca.pem"), false, false));
    let identity = (tls.identity.cert.as_deref(), tls.identity.key.as_deref());
    assert_eq!(identity, (Some("me.pem"), Some("me.key")));
    assert!(third.tls.as_ref().unwrap().insecure);
    let said = describe(&plan);
    let line = "  https://10.0.0.1:9187 every 1s, with a client certificate, as db.test, a full TLS handshake for each\n";
    assert!(said.contains(line), "{said}");
    let kept = serde_json::to_value(&plan).unwrap();
    assert_eq!(kept["telemetry"]["scrape"][1]["tls"]["ca"], "ca.pem");
    let again: Plan = serde_json::from_value(kept).unwrap();
    assert_eq!(again.telemetry, plan.telemetry);
}
