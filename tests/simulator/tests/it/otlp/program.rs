//! The program that sends a run: its files are what `peakdrill analyze` reads, and its requests what a collector takes.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use peakdrill_bottleneck::{TraceClass, compare};
use peakdrill_collector::counters::counter;
use peakdrill_collector::{Collector, CollectorConfig, Limits, fold_traces, open_traces};
use peakdrill_simulator::{Kind, Names, ORIGIN_NS, Peers, Scenario, Topology, Trace, Wording};

use super::{direct, file, planted};

fn program(args: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_peakdrill-simulator")).arg("otlp").args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn files_for_analyze_name_the_planted_node_first() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("traces");
    for (names, of) in [("old", Names::Old), ("both", Names::Both)] {
        let (done, said) = program(&[
            "--out",
            out.to_str().unwrap(),
            "--topology",
            "chain",
            "--seed",
            "22",
            "--names",
            names,
        ]);
        assert!(done, "{said}");
        let scenario = Scenario::new(Topology::Chain, Kind::Single, 22);
        let name = planted(&scenario, Wording { names: of, peers: Peers::Addressed });
        assert!(said.starts_with(&format!("planted: {name}, ")), "{said}");
        let cells = |path: &Path| {
            let (cells, counters) = fold_traces(open_traces(File::open(path).unwrap()).unwrap()).unwrap();
            assert_eq!(counters.get(counter::BAD_LINES), 0);
            cells
        };
        let ranking = compare(&cells(&out.join("light.jsonl")), &cells(&out.join("peak.jsonl"))).ranking;
        assert_eq!(ranking[0].node, name);
    }
}

#[test]
fn an_endpoint_gets_all_of_it() {
    let collector = Collector::start(CollectorConfig {
        grpc: "127.0.0.1:0".parse().unwrap(),
        http: Some("127.0.0.1:0".parse().unwrap()),
        journal_dir: None,
        classify: Arc::new(|_| TraceClass::Live),
        limits: Limits::default(),
    });
    let collector = collector.unwrap();
    collector.set_origin(ORIGIN_NS);
    let url = format!("http://{}", collector.addresses().1.unwrap());
    let (done, said) = program(&["--to", &url, "--topology", "diamond", "--seed", "4", "--late", "30"]);
    assert!(done, "{said}");
    let end = collector.finish().unwrap();
    let traces = Scenario::new(Topology::Diamond, Kind::Single, 4).run().traces;
    // No generator tells of its requests here.
    let unknown: Vec<Trace> =
        traces.into_iter().map(|trace| Trace { row: None, class: TraceClass::Live, ..trace }).collect();
    let expected = direct(&unknown, Wording { names: Names::New, peers: Peers::Addressed });
    assert!(end.cells_json == file(&expected), "other cells");
    let spans: usize = unknown.iter().map(|trace| trace.spans.len()).sum();
    assert!(said.contains(&format!("{spans} spans in ")), "{said}");
}

#[test]
fn what_cannot_be_is_told() {
    let (done, said) = program(&["--names", "newest"]);
    assert!(!done && said.starts_with("--names cannot be newest\n\nusage: peakdrill-simulator"), "{said}");
    let (done, said) = program(&["--help"]);
    assert!(done && said.contains("--out FOLDER") && said.contains("peakdrill analyze --baseline"), "{said}");
    let (done, said) = program(&["--to", "https://127.0.0.1:1"]);
    assert!(!done && said.contains("not http://HOST:PORT"), "{said}");
}
