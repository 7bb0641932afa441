//! `peakdrill analyze`: the bottleneck analysis on traces that no drill made.

use std::path::PathBuf;
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, Comparison, compare};
use peakdrill_collector::TraceFold;
use peakdrill_collector::counters::{Counters, counter};
use peakdrill_drill_model::exit::Exit;
use serde_json::json;

use super::Failure;
use crate::args::{Analyze, Format};
use crate::show::{note, out};

pub(super) fn run(args: &Analyze) -> Result<Exit, Failure> {
    let owners = crate::owners::read(&args.owned.files)?;
    let (baseline, of_baseline) = fold(&args.baseline)?;
    let (loaded, of_traces) = fold(&args.traces)?;
    let Comparison { ranking, left_out } = compare(&baseline, &loaded);
    for left_out in left_out {
        note(&format!("{left_out}; what stands there is not compared\n"));
    }
    match args.format {
        Format::Json => {
            let entries: Vec<_> = ranking
                .iter()
                .map(|one| {
                    let mut entry =
                        json!({ "node": one.node, "kind": one.kind, "score": one.score, "evidence": one.evidence });
                    if let (Some(owner), Some(entry)) = (owners.nodes.get(&one.node), entry.as_object_mut()) {
                        entry.insert("owner".to_owned(), json!(owner));
                    }
                    entry
                })
                .collect();
            let read = json!({ "traces": of_traces.map(), "baseline": of_baseline.map() });
            out(&format!("{:#}\n", json!({ "v": 1, "ranking": entries, "read": read })));
        }
        Format::Human => {
            for (place, one) in ranking.iter().enumerate().take(10) {
                out(&format!("{:>2}. {:<32} {:>5.1}%\n", place + 1, one.node, one.score * 100.0));
                if let Some(owner) = owners.nodes.get(&one.node) {
                    out(&format!("      {}\n", peakdrill_reports::whose(owner)));
                }
                for line in &one.evidence {
                    out(&format!("      {line}\n"));
                }
            }
            if ranking.is_empty() {
                out("no node to rank: the traces hold no spans of services\n");
            }
        }
    }
    Ok(Exit::Ok)
}

/// The cells of some files, and what was counted while they were read. A trace may be spread over the files.
fn fold(paths: &[PathBuf]) -> Result<(Arc<Cells>, Counters), Failure> {
    let mut all = TraceFold::default();
    for path in paths {
        let fail = |error: String| Failure::new(Exit::Usage, format!("{}: {error}", path.display()));
        let before = all.counters();
        let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
        let reader = peakdrill_collector::open_traces(file).map_err(|error| fail(error.to_string()))?;
        all.file(reader).map_err(|error| fail(error.to_string()))?;
        let now = all.counters();
        let counted = |name: &str| now.get(name) - before.get(name);
        for (name, what) in [(counter::BAD_LINES, "lines"), (counter::BAD_SPANS, "spans")] {
            let malformed = counted(name);
            if malformed > 0 {
                note(&format!(
                    "{}: {malformed} {what} could not be read and were left out\n",
                    path.display()
                ));
            }
        }
        if counted(counter::SPANS) == 0 {
            return Err(fail(
                "holds no spans: expected OTLP JSON, one ExportTraceServiceRequest a line, or the JSON of Jaeger or Zipkin"
                    .into(),
            ));
        }
    }
    Ok(all.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A span of Zipkin's.
    fn span(service: &str, id: u8, parent: u8, kind: &str, at: u64) -> serde_json::Value {
        json!({ "traceId": "1", "id": id.to_string(), "parentId": parent.to_string(), "name": "GET /a",
            "kind": kind, "timestamp": 1_700_000_000_000_000 + at, "duration": 90_000 - 2 * at,
            "localEndpoint": { "serviceName": service } })
    }

    #[test]
    fn a_trace_may_be_spread_over_files() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, spans: &[&serde_json::Value]| {
            let path = folder.path().join(name);
            std::fs::write(&path, json!(spans).to_string()).unwrap();
            path
        };
        let (entry, call) = (span("gateway", 1, 0, "SERVER", 0), span("gateway", 2, 1, "CLIENT", 1_000));
        let answer = span("order", 3, 2, "SERVER", 2_000);
        let cells =
            |paths: &[PathBuf]| fold(paths).map(|(cells, _)| cells).map_err(|failure| failure.message);
        let whole = cells(&[written("whole.json", &[&entry, &call, &answer])]).unwrap();
        let parts = [written("gateway.json", &[&entry, &call]), written("order.json", &[&answer])];
        assert_eq!(cells(&parts).unwrap(), whole);
        let empty = [parts[0].clone(), written("empty.json", &[])];
        let said = cells(&empty).unwrap_err();
        assert!(said.contains("empty.json: holds no spans"), "{said}");
    }
}
