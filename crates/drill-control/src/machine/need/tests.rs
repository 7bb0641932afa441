use peakdrill_scenarios::{Input, parse};

use super::*;

struct NoFiles;

impl peakdrill_scenarios::Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path} here"))
    }
}

fn need(target: &str, load: &str) -> Need {
    need_of(&format!("api: {target}"), "get: /", load)
}

fn need_of(targets: &str, steps: &str, load: &str) -> Need {
    let text = format!(
        "version: 1\nname: x\ntargets: {{ {targets} }}\njourneys: {{ home: {{ steps: [ {steps} ] }} }}\n\
         load: {{ {load}phases: [ {{ name: a, shape: {{ spike: {{ from: 10/s, to: 80/s, rise: 1s, hold: 1s, fall: 1s }} }} }} ] }}\n"
    );
    let files = NoFiles;
    let parsed = parse(&Input { name: "x", text: &text, sets: &[], env: &|_| None, files: &files });
    Need::of(&parsed.plan.unwrap(), 2)
}

#[test]
fn connections_are_never_more_than_journeys_unless_they_are_to_be() {
    let ceiling = need(r#"{ base_url: "http://h", connections: { max: 5000 } }"#, "max_in_flight: 70, ");
    assert_eq!((ceiling.targets[0].connections, ceiling.targets[0].exact), (70, false));
    assert_eq!((ceiling.files(), ceiling.certain_files()), (70 + 272, 272));
    let exact =
        need(r#"{ base_url: "http://h", connections: { max: 5000, exact: true } }"#, "max_in_flight: 70, ");
    assert_eq!((exact.files(), exact.certain_files()), (5272, 5272));
}

#[test]
fn a_connection_for_each_journey_is_as_many_a_second_as_there_are_journeys() {
    let user = need(
        r#"{ base_url: "http://127.0.0.1:1", connections: { per: user, from: [127.0.0.0/29] }, resolve: { addresses: [127.0.0.1, 127.0.0.2] } }"#,
        "",
    );
    let target = &user.targets[0];
    assert_eq!((target.new_per_s, target.from, target.to, target.local), (Some(80.0), 6, 2, true));
    assert_eq!(need(r#"{ base_url: "http://h" }"#, "").targets[0].new_per_s, None);
}

#[test]
fn what_a_journey_opens_is_counted() {
    const GET: &str = "get: /";
    const WS: &str = "ws: { path: /a, send: x, receive: none }, ws: { path: /b, send: x, receive: none }";
    let (pool, user) = ("", "per: user, ");
    // Connections, new ones a second, those of journeys' own that are open, shared ones, renewals a second.
    for (steps, rules, wanted) in [
        (GET.to_owned(), pool, (70, None, 0.0, 70, 0.0)),
        (GET.to_owned(), user, (70, Some(80.0), 70.0, 0, 0.0)),
        (GET.to_owned(), "lifetime: 7s, ", (70, None, 0.0, 70, 10.0)),
        (WS.to_owned(), pool, (140, Some(160.0), 140.0, 0, 0.0)),
        (format!("{GET}, {WS}"), pool, (210, Some(160.0), 160.0, 70, 0.0)),
        (format!("{GET}, {WS}"), user, (210, Some(240.0), 210.0, 0, 0.0)),
        (format!("{GET}, think: 3s, get: /2"), "per: user, lifetime: 1s, ", (70, Some(320.0), 70.0, 0, 0.0)),
    ] {
        let target = format!("api: {{ base_url: \"http://h\", connections: {{ {rules}max: 5000 }} }}");
        let of = need_of(&target, &steps, "max_in_flight: 70, ").targets.remove(0);
        let found = (of.connections, of.new_per_s, of.own_open, of.shared, of.renewed_per_s);
        assert_eq!(found, wanted, "{rules}{steps}");
    }
}

#[test]
fn connections_of_a_journey_are_open_for_its_pauses() {
    let user = "api: { base_url: \"http://h\", connections: { per: user, max: 5000 } }";
    let need = need_of(user, "get: /, think: 4s, get: /2", "max_in_flight: 5000, ");
    assert_eq!(need.targets[0].own_open, 80.0 * 5.0);
}

#[test]
fn targets_share_ports_where_their_connections_lead_to_the_same_place() {
    let targets = r#"a: { base_url: "http://h:80" }, b: { base_url: "ws://h/x" }, c: { base_url: "https://h" },
        d: { base_url: "http://h", connections: { from: [10.0.0.1] } }"#;
    let ways: Vec<String> =
        need_of(targets, "get: { path: /, target: a }", "").targets.into_iter().map(|t| t.way).collect();
    assert!(ways[0] == ways[1] && ways[0] != ways[2] && ways[0] != ways[3], "{ways:?}");
}

#[test]
fn hosts_whose_names_are_schemes_are_other_hosts() {
    let target = |base_url: &str| Target { base_url: base_url.to_owned(), ..Target::default() };
    let way = |base_url: &str| way(&target(base_url));
    assert_ne!(way("http://grpc-gw:80"), way("http://http-gw:80"));
    assert_eq!(way("grpc://gw:80"), way("http://gw"));
    assert_eq!(way("grpcs://gw"), way("https://gw:443"));
}
