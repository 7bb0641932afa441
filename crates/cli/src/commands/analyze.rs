//! `peakdrill analyze`: the bottleneck analysis on traces that no drill made.

use std::path::PathBuf;

use peakdrill_bottleneck::{Cells, compare};
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
    let ranking = compare(&baseline, &loaded);
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

/// The cells of some files, and what was counted while they were read.
fn fold(paths: &[PathBuf]) -> Result<(Cells, Counters), Failure> {
    let mut all = Cells::default();
    let mut read = Counters::default();
    for path in paths {
        let fail = |error: String| Failure::new(Exit::Usage, format!("{}: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
        let reader = peakdrill_collector::open_traces(file).map_err(|error| fail(error.to_string()))?;
        let (cells, counters) =
            peakdrill_collector::fold_traces(reader).map_err(|error| fail(error.to_string()))?;
        for (name, what) in [(counter::BAD_LINES, "lines"), (counter::BAD_SPANS, "spans")] {
            let malformed = counters.get(name);
            if malformed > 0 {
                note(&format!(
                    "{}: {malformed} {what} could not be read and were left out\n",
                    path.display()
                ));
            }
        }
        if counters.get(counter::SPANS) == 0 {
            return Err(fail(
                "holds no spans: expected OTLP JSON, one ExportTraceServiceRequest a line, or the JSON of Jaeger or Zipkin"
                    .into(),
            ));
        }
        all.merge(&cells);
        read.merge(&counters);
    }
    Ok((all, read))
}
