use peakdrill_shadow_tag::{By, Class, RunState, Shadow};

use super::{Egress, Host, egress};
use crate::{Mode, Rules};

fn shadow() -> Class {
    let (run, env) = ("r".parse().unwrap(), "e".parse().unwrap());
    Class::Shadow(Shadow { run, env, state: RunState::Running, by: By::Token })
}

fn rules() -> Rules {
    let text = r#"{"v":1,"internal_hosts":["127.0.0.1","stock","*.svc.local:80","[::1]:9"],"stubs":[
        {"host":"127.0.0.1:9000","status":200,"latency_median_ns":1,"latency_sigma":0,"body":""},
        {"host":"bank.svc.local","status":200,"latency_median_ns":1,"latency_sigma":0,"body":""}]}"#;
    Rules::from_json(text, "payment").unwrap()
}

fn kind(rules: &Rules, class: &Class, name: &str, port: u16) -> &'static str {
    match egress(rules, class, Mode::Enforce, &Host::new(name, port)) {
        Ok(Egress::Internal) => "internal",
        Ok(Egress::ThirdParty) => "third",
        Ok(Egress::Mock(_)) => "mock",
        Err(refused) => refused.code(),
    }
}

#[test]
fn shadow_work_stays_in_the_house() {
    let rules = rules();
    for (name, port, of_shadow, of_live) in [
        ("127.0.0.1", 8080, "internal", "internal"),
        ("127.0.0.1", 9000, "mock", "third"),
        ("STOCK.", 1, "internal", "internal"),
        ("a.svc.local", 80, "internal", "internal"),
        ("a.svc.local", 81, "third_party", "third"),
        ("svc.local", 80, "third_party", "third"),
        ("evilsvc.local", 80, "third_party", "third"),
        ("bank.svc.local", 80, "mock", "third"),
        ("bank.svc.local.evil.example", 80, "third_party", "third"),
        ("stock.evil.example", 80, "third_party", "third"),
        ("[::1]", 9, "internal", "internal"),
        ("[::1]", 10, "third_party", "third"),
        ("example.com", 443, "third_party", "third"),
    ] {
        assert_eq!(kind(&rules, &shadow(), name, port), of_shadow, "{name}:{port}");
        assert_eq!(kind(&rules, &Class::Live, name, port), of_live, "{name}:{port}");
        assert_eq!(kind(&rules, &Class::Unknown, name, port), "unstamped", "{name}:{port}");
    }
}

#[test]
fn the_stub_that_names_the_host_most_closely_answers() {
    let stubs = ["*.bank.example", "*.eu.bank.example", "pay.eu.bank.example", "pay.eu.bank.example:8443"];
    let wire = |host: &&str| {
        format!(r#"{{"host":"{host}","status":200,"latency_median_ns":1,"latency_sigma":0,"body":"{host}"}}"#)
    };
    let mut order = stubs.to_vec();
    for _ in 0..stubs.len() {
        order.rotate_left(1);
        let wires: Vec<_> = order.iter().map(wire).collect();
        let rules = Rules::from_json(&format!(r#"{{"v":1,"stubs":[{}]}}"#, wires.join(",")), "s").unwrap();
        for (name, port, expected) in [
            ("us.bank.example", 443, stubs[0]),
            ("card.eu.bank.example", 443, stubs[1]),
            ("pay.eu.bank.example", 443, stubs[2]),
            ("pay.eu.bank.example", 8443, stubs[3]),
        ] {
            let decided = egress(&rules, &shadow(), Mode::Enforce, &Host::new(name, port)).unwrap();
            assert!(matches!(decided, Egress::Mock(stub) if stub.body == expected), "{name}: {decided:?}");
        }
    }
}

#[test]
fn nothing_declared_means_nowhere() {
    assert_eq!(kind(&Rules::empty(), &shadow(), "127.0.0.1", 80), "third_party");
}

#[test]
fn a_refusal_names_host_and_rule() {
    let refused = egress(&rules(), &shadow(), Mode::Observe, &Host::new("x.example", 443)).unwrap_err();
    assert_eq!(refused.resource(), "http:x.example:443");
    assert!(refused.rule().unwrap().contains("x.example:443"));
}

#[test]
fn hosts_have_one_spelling() {
    for (text, expected) in [
        ("A.Example", Some("a.example")),
        ("a.example.:80", Some("a.example:80")),
        ("[::1]", Some("[::1]")),
        ("[::1]:80", Some("[::1]:80")),
        ("a:", None),
        ("a:b", None),
        ("a:99999", None),
        ("", None),
        (":80", None),
        ("a b", None),
        ("a/b", None),
        ("[::1]x", None),
        ("user@host", None),
    ] {
        assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), expected, "{text}");
    }
}
