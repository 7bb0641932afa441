use super::*;
use crate::machine::facts::{Clock, FileLimits, Memory, Network, Ports, Processor};
use crate::machine::need::TargetNeed;

/// A machine that is good for anything small.
fn good() -> Facts {
    Facts {
        files: Some(FileLimits { soft: 1024, hard: 524_288 }),
        ports: Ports { range: Some((32_768, 60_999)), reuse: Some(2) },
        clock: Clock {
            source: Some("tsc".into()),
            available: vec!["tsc".into(), "hpet".into()],
            synchronised: Some(true),
            overshoot_ns: Some((60_000, 200_000)),
        },
        processor: Processor {
            cores: Some(8),
            quota: None,
            throttled: None,
            stolen: Some(0.0),
            busy: Some(0.1),
        },
        memory: Memory { available: Some(8 << 30), limit: None },
        network: Network { somaxconn: Some(4096), conntrack: Some((100, 262_144)) },
        kernel: Some("6.1.0".into()),
        uring: Some(Ok(())),
        uring_disabled: Some(0),
        filtered: false,
    }
}

fn target() -> TargetNeed {
    TargetNeed { name: "api".into(), connections: 1_000, from: 1, to: 1, ..TargetNeed::default() }
}

fn need(target: TargetNeed) -> Need {
    Need { targets: vec![target], ..Need::of_nothing(2) }
}

/// Facts, a need, and the level and a part of the command that are expected of a topic.
type Case = (&'static str, fn(&mut Facts), fn(&mut TargetNeed), Level, &'static str);

const SAME: fn(&mut Facts) = |_| {};
const USUAL: fn(&mut TargetNeed) = |_| {};

const CASES: [Case; 36] = [
    ("files", SAME, USUAL, Level::Ok, ""),
    (
        "files",
        |f| f.files = Some(FileLimits { soft: 64, hard: 1024 }),
        USUAL,
        Level::Warning,
        "ulimit -n 2048",
    ),
    (
        "files",
        |f| f.files = Some(FileLimits { soft: 64, hard: 1024 }),
        |t| t.exact = true,
        Level::Problem,
        "ulimit -n 2048",
    ),
    ("files", |f| f.files = Some(FileLimits { soft: 64, hard: u64::MAX }), |t| t.exact = true, Level::Ok, ""),
    ("ports", SAME, USUAL, Level::Ok, ""),
    ("ports", SAME, |t| t.connections = 25_000, Level::Warning, "ip_local_port_range=\"1024 65535\""),
    ("ports", SAME, |t| t.connections = 40_000, Level::Warning, "ip_local_port_range"),
    ("ports", SAME, |t| (t.connections, t.exact) = (40_000, true), Level::Problem, "ip_local_port_range"),
    ("ports", SAME, |t| (t.connections, t.exact) = (400_000, true), Level::Problem, "with 8 local addresses"),
    ("ports", SAME, |t| (t.connections, t.exact, t.from) = (40_000, true, 2), Level::Ok, ""),
    ("ports", SAME, |t| (t.connections, t.exact, t.to) = (40_000, true, 2), Level::Ok, ""),
    ("ports", SAME, |t| t.new_per_s = Some(100.0), Level::Ok, ""),
    ("ports", SAME, |t| t.new_per_s = Some(1_000.0), Level::Problem, "tcp_tw_reuse=1"),
    (
        "ports",
        |f| f.ports.reuse = None,
        |t| (t.new_per_s, t.local) = (Some(1e3), true),
        Level::Problem,
        "tcp_tw_reuse=1",
    ),
    ("ports", |f| f.ports.reuse = Some(1), |t| t.new_per_s = Some(1_000.0), Level::Ok, ""),
    ("ports", SAME, |t| (t.new_per_s, t.local) = (Some(1_000.0), true), Level::Ok, ""),
    ("ports", SAME, |t| (t.new_per_s, t.own_open) = (Some(450.0), 900.0), Level::Warning, "tcp_tw_reuse=1"),
    (
        "ports",
        |f| f.ports.reuse = Some(1),
        |t| (t.connections, t.new_per_s, t.own_open) = (50_000, Some(1e3), 40_000.0),
        Level::Problem,
        "ip_local_port_range",
    ),
    ("ports", SAME, |t| t.renewed_per_s = 600.0, Level::Warning, "tcp_tw_reuse=1"),
    ("ports", SAME, |t| (t.renewed_per_s, t.exact) = (600.0, true), Level::Problem, "tcp_tw_reuse=1"),
    ("conntrack", |f| f.network.conntrack = Some((0, 1_100)), USUAL, Level::Warning, "nf_conntrack_max=2048"),
    (
        "conntrack",
        |f| f.network.conntrack = Some((0, 900)),
        |t| t.exact = true,
        Level::Problem,
        "nf_conntrack_max",
    ),
    ("conntrack", SAME, |t| t.new_per_s = Some(10_000.0), Level::Problem, "nf_conntrack_max"),
    (
        "somaxconn",
        SAME,
        |t| (t.local, t.exact, t.connections) = (true, true, 9_000),
        Level::Warning,
        "somaxconn=9000",
    ),
    ("memory", |f| f.memory.limit = Some(128 << 20), USUAL, Level::Warning, "ps "),
    ("memory", SAME, |t| t.connections = 1_000_000, Level::Warning, "ps "),
    ("clock", |f| f.clock.source = Some("hpet".into()), USUAL, Level::Warning, "echo tsc > /sys"),
    ("clock", |f| f.clock.source = Some("kvm-clock".into()), USUAL, Level::Ok, ""),
    ("clock sync", |f| f.clock.synchronised = Some(false), USUAL, Level::Warning, "timedatectl set-ntp true"),
    ("sleep", |f| f.clock.overshoot_ns = Some((100_000, 3_000_000)), USUAL, Level::Warning, "ps "),
    ("cores", |f| f.processor.cores = Some(1), USUAL, Level::Warning, "--shards 1"),
    ("cpu quota", |f| f.processor.quota = Some(1.5), USUAL, Level::Warning, "CPUQuota="),
    (
        "cpu quota",
        |f| (f.processor.quota, f.processor.throttled) = (Some(4.0), Some((9, 100))),
        USUAL,
        Level::Warning,
        "CPUQuota=",
    ),
    ("steal", |f| f.processor.stolen = Some(0.05), USUAL, Level::Warning, ""),
    ("load", |f| f.processor.busy = Some(0.9), USUAL, Level::Warning, "ps "),
    ("kernel", |f| f.uring = Some(Err("not permitted".into())), USUAL, Level::Ok, ""),
];

#[test]
fn every_finding_has_its_level_and_a_command_that_mends_it() {
    for (number, (topic, change, want, level, fix)) in CASES.into_iter().enumerate() {
        let (mut facts, mut wanted) = (good(), target());
        change(&mut facts);
        want(&mut wanted);
        let all = examine(&facts, &need(wanted));
        let found = all.iter().find(|finding| finding.topic == topic);
        let found = found.unwrap_or_else(|| panic!("case {number}: nothing about {topic}"));
        assert_eq!(found.level, level, "case {number}: {found:?}");
        let command = found.fix.clone().unwrap_or_default();
        assert!(command.contains(fix) && command.is_empty() == fix.is_empty(), "case {number}: {found:?}");
        let others = all.iter().filter(|other| other.topic != topic && other.level == Level::Problem);
        let beside: Vec<_> = others.filter(|other| !["ports", "conntrack"].contains(&other.topic)).collect();
        assert!(beside.is_empty(), "case {number}: {beside:?}");
    }
}

#[test]
fn a_good_machine_is_well_with_and_without_a_drill() {
    for wanted in [need(target()), Need::of_nothing(4)] {
        let all = examine(&good(), &wanted);
        assert!(all.len() >= 10 && all.iter().all(|one| one.level == Level::Ok), "{all:?}");
        assert!(all.iter().all(|one| one.fix.is_none() && !one.sentence().is_empty()));
    }
}

#[test]
fn targets_with_one_way_share_its_ports() {
    let ports = |other: &str| {
        let one = TargetNeed { connections: 20_000, way: "h:80".into(), ..target() };
        let two = TargetNeed { name: "feed".into(), way: other.into(), ..one.clone() };
        let all = examine(&good(), &Need { targets: vec![one, two], ..Need::of_nothing(2) });
        let ports = all.into_iter().filter(|finding| finding.topic == "ports");
        ports.map(|finding| (finding.level, finding.found)).collect::<Vec<_>>()
    };
    let both = "targets `api`, `feed`: 28232 ports, from one local address to one address".to_owned();
    assert_eq!(ports("h:80"), [(Level::Warning, both)]);
    assert!(ports("h:81").iter().all(|(level, _)| *level == Level::Ok) && ports("h:81").len() == 2);
}

#[test]
fn what_is_not_known_is_not_judged() {
    assert_eq!(examine(&Facts::default(), &need(target())), []);
}

#[test]
fn a_sentence_says_what_was_found_what_was_expected_and_what_to_do() {
    let facts = Facts { files: Some(FileLimits { soft: 64, hard: 1024 }), ..Facts::default() };
    let found = examine_plan(&facts, &need(TargetNeed { exact: true, ..target() }));
    assert_eq!(
        found[0].sentence(),
        "this process may have 1024 files open (now 64; a run raises it to that); expected at least 1272, for connections \
         that are all opened: `ulimit -n 2048   # as root; to stay: * hard nofile 2048 in /etc/security/limits.conf, or \
         LimitNOFILE=2048 in its systemd unit`"
    );
}

#[test]
fn io_uring_is_missed_by_those_who_ask_for_it() {
    let facts = |disabled, filtered| Facts {
        uring: Some(Err("not permitted".into())),
        uring_disabled: Some(disabled),
        filtered,
        ..good()
    };
    let kernel = |facts: &Facts, uring| {
        let all = examine(facts, &Need { uring, ..need(target()) });
        all.into_iter().find(|finding| finding.topic == "kernel").unwrap()
    };
    assert_eq!(kernel(&facts(2, false), false).level, Level::Ok);
    let disabled = kernel(&facts(2, false), true);
    assert_eq!(
        (disabled.level, disabled.fix.as_deref()),
        (Level::Problem, Some("sysctl -w kernel.io_uring_disabled=0"))
    );
    let filtered = kernel(&facts(0, true), true);
    assert!(filtered.level == Level::Problem && filtered.found.contains("filtered"), "{filtered:?}");
    assert_eq!(kernel(&good(), true).level, Level::Ok);
}
