//! `peakdrill-simulator otlp`: the spans of one run as OTLP, into files or to an endpoint.

mod args;
mod post;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use args::{Args, Target};
use peakdrill_simulator::{Export, ORIGIN_NS, Scenario, Trace, Wording, exports, late, windows};

pub(crate) use args::HELP;

/// Why nothing, or not all, was sent.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// A file or an endpoint does not take it.
    Output(String),
}

/// Simulates a run and sends its spans; what was planted, in words.
pub(crate) fn run(args: impl Iterator<Item = String>) -> Result<String, Failure> {
    let args: Vec<String> = args.collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return Ok(HELP.to_owned());
    }
    let args = Args::read(args.into_iter()).map_err(Failure::Usage)?;
    let scenario = Scenario::new(args.topology, args.kind, args.seed);
    let mut traces = scenario.run().traces;
    args.damage.apply(&mut traces, &scenario.needed(), args.seed);
    let sent = match &args.target {
        Target::Folder(folder) => files(&scenario, traces, folder, &args),
        Target::Endpoint(url) => {
            let exports = on_their_way(&traces, &args);
            post::all(url, exports.iter().map(|export| export.protobuf(args.wording)))
                .map(|()| count(&exports))
                .map_err(|error| format!("{url}: {error}"))
        }
    };
    Ok(format!("{}{}", planted(&scenario, args.wording), sent.map_err(Failure::Output)?))
}

fn on_their_way(traces: &[Trace], args: &Args) -> Vec<Export> {
    let mut exports = exports(traces, args.damage.exporter());
    late(&mut exports, args.late_ms, args.seed);
    exports
}

/// Requests at light load and at the peak, each in a file of its own.
fn files(scenario: &Scenario, traces: Vec<Trace>, folder: &Path, args: &Args) -> Result<String, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (light, peak) = windows(scenario);
    let mut parts = [("light.jsonl", light, Vec::new()), ("peak.jsonl", peak, Vec::new())];
    for trace in traces {
        let begun_ns = trace.row.map(|row| row.intended_ns).or(trace.spans.first().map(|span| span.start_ns));
        let second = begun_ns.map_or(f64::NAN, |ns| (ns - ORIGIN_NS) as f64 / 1e9);
        if let Some((.., part)) = parts.iter_mut().find(|(_, window, _)| window.contains(&second)) {
            part.push(trace);
        }
    }
    let mut said = String::new();
    for (name, _, traces) in parts {
        let path = folder.join(name);
        let exports = on_their_way(&traces, args);
        lines(&path, &exports, args.wording).map_err(|error| format!("{}: {error}", path.display()))?;
        said.push_str(&format!("{}: {}", path.display(), count(&exports)));
    }
    Ok(said)
}

fn lines(path: &Path, exports: &[Export], wording: Wording) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for export in exports {
        writeln!(file, "{}", export.json(wording))?;
    }
    file.flush()
}

fn count(exports: &[Export]) -> String {
    let spans: usize = exports.iter().map(|export| export.spans.len()).sum();
    format!("{spans} spans in {} requests\n", exports.len())
}

fn planted(scenario: &Scenario, wording: Wording) -> String {
    let nodes = scenario.planted.iter().map(|at| &scenario.network.nodes[*at]);
    let names: Vec<String> = nodes.map(|node| wording.node(node.kind, &node.name)).collect();
    let capacity = scenario.capacity.map_or(String::new(), |rate| format!(", {rate:.1} journeys a second"));
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(" and ") };
    format!("planted: {names}{capacity}\n")
}
