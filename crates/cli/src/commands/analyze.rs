//! `peakdrill analyze`: the bottleneck analysis on traces that no drill made.

use std::path::PathBuf;
use std::sync::Arc;

use peakdrill_bottleneck::{AnalysisInput, Cells, Comparison, Ranked, analyse, compare};
use peakdrill_collector::TraceFold;
use peakdrill_collector::counters::{Counters, counter};
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::owners::Owners;
use peakdrill_drill_model::verdict::Told;
use serde_json::json;

use super::Failure;
use crate::args::{Analyze, Format};
use crate::show::{note, out};

/// Nodes of the ranking that people are shown.
const RANKED_MAX: usize = 10;
/// Findings are looked for in requests of so many hours: for each node what it did is laid out second by second.
const FINDINGS_HOURS_MAX: i64 = 6;
const SECONDS_PER_HOUR: i64 = 3_600;

pub(super) fn run(args: &Analyze) -> Result<Exit, Failure> {
    let owners = crate::owners::read(&args.owned.files)?;
    let (baseline, of_baseline) = fold(&args.baseline)?;
    let (loaded, of_traces) = fold(&args.traces)?;
    let Comparison { ranking, left_out } = compare(&baseline, &loaded);
    for left_out in left_out {
        note(&format!("{left_out}; what stands there is not compared\n"));
    }
    let (findings, findings_left_out) = match findings(&loaded, &owners) {
        Ok(findings) => (findings, None),
        Err(why) => {
            note(&format!("{why}\n"));
            (Vec::new(), Some(why))
        }
    };
    match args.format {
        Format::Json => {
            let ranking: Vec<_> = ranking.iter().map(|one| entry(one, &owners)).collect();
            let read = json!({ "traces": of_traces.map(), "baseline": of_baseline.map() });
            let all = json!({ "v": 1, "ranking": ranking, "findings": findings,
                "findings_left_out": findings_left_out, "read": read });
            out(&format!("{all:#}\n"));
        }
        Format::Human => {
            show_ranking(&ranking, &owners);
            show_findings(&findings);
        }
    }
    Ok(Exit::Ok)
}

/// What the traces under load say besides, by themselves: the findings of a report, as far as traces alone carry them.
///
/// # Errors
/// Why they are not looked for, in words.
fn findings(loaded: &Cells, owners: &Owners) -> Result<Vec<Told>, String> {
    if let Some(why) = spread(loaded) {
        return Err(format!(
            "what the traces under load say besides is left out: {why}, and it is looked for in {FINDINGS_HOURS_MAX} hours at \
             most; take the traces of fewer, and without spans whose time is wrong"
        ));
    }
    let found = analyse(loaded, &AnalysisInput::default()).findings.into_iter();
    Ok(found.map(|finding| Told { owner: owners.nodes.get(&finding.node).cloned(), finding }).collect())
}

/// Says where requests lie over more hours than findings are looked for in. Seconds count from the earliest span, and one
/// whose time is wrong moves all others.
fn spread(cells: &Cells) -> Option<String> {
    let max = FINDINGS_HOURS_MAX * SECONDS_PER_HOUR;
    let roots = || cells.roots.values().flatten().filter(|(_, cell)| cell.count > 0);
    let (first, last) =
        (roots().map(|(second, _)| *second).min()?, roots().map(|(second, _)| *second).max()?);
    let apart = last.saturating_sub(first);
    if apart > max {
        let hours = (apart - 1) / SECONDS_PER_HOUR;
        return Some(format!("the first request and the last are more than {hours} hours apart"));
    }
    let all: i64 = roots().map(|(_, cell)| cell.count).sum();
    let beyond: i64 =
        roots().filter(|(second, _)| !(0..=max).contains(*second)).map(|(_, cell)| cell.count).sum();
    (beyond > all / 2)
        .then(|| format!("most requests are more than {FINDINGS_HOURS_MAX} hours from the earliest span"))
}

fn entry(one: &Ranked, owners: &Owners) -> serde_json::Value {
    let mut entry =
        json!({ "node": one.node, "kind": one.kind, "score": one.score, "evidence": one.evidence });
    if let (Some(owner), Some(entry)) = (owners.nodes.get(&one.node), entry.as_object_mut()) {
        entry.insert("owner".to_owned(), json!(owner));
    }
    entry
}

fn show_ranking(ranking: &[Ranked], owners: &Owners) {
    for (place, one) in ranking.iter().enumerate().take(RANKED_MAX) {
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

fn show_findings(findings: &[Told]) {
    for (at, Told { finding, owner }) in findings.iter().enumerate() {
        if at == 0 {
            out("besides, in the traces under load:\n");
        }
        out(&format!("  - {}\n      {}\n", finding.text, finding.action));
        if let Some(owner) = owner {
            out(&format!("      {}\n", peakdrill_reports::whose(owner)));
        }
    }
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
    use peakdrill_bottleneck::{Entry, RootCell, TraceClass};

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

    #[test]
    fn what_the_traces_say_besides_is_told_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let owners = |team: &str| {
            let owner = peakdrill_drill_model::owners::Owner { team: team.into(), ..Default::default() };
            Owners { nodes: [("gateway".to_owned(), owner)].into(), ..Owners::default() }
        };
        // 40 requests, each with so many calls one after the other.
        let cells = |calls: u8| {
            let spans = (1..=40_u64).flat_map(|trace| {
                let of = move |id: u8, parent: u8, kind: &str, at: u64, long: u64| {
                    let mut span = span("gateway", id, parent, kind, 0);
                    span["traceId"] = json!(trace.to_string());
                    span["timestamp"] = json!(1_700_000_000_000_000 + trace * 1_000_000 + at);
                    span["duration"] = json!(long);
                    span["name"] = json!("GET /prices/one");
                    span["remoteEndpoint"] = json!({ "serviceName": "price" });
                    span
                };
                let call = move |at: u8| of(10 + at, 1, "CLIENT", 1_000 + u64::from(at) * 10_000, 9_000);
                std::iter::once(of(1, 0, "SERVER", 0, 100_000)).chain((0..calls).map(call))
            });
            let path = folder.path().join("loops.json");
            std::fs::write(&path, json!(spans.collect::<Vec<_>>()).to_string()).unwrap();
            fold(&[path]).map(|(cells, _)| cells).map_err(|failure| failure.message).unwrap()
        };
        let told = findings(&cells(8), &owners("shop")).unwrap();
        let [one] = &told[..] else { panic!("{told:?}") };
        let value = json!(one);
        assert_eq!(
            (&value["kind"], &value["owner"]["team"]),
            (&json!("loop_of_calls"), &json!("shop")),
            "{value}"
        );
        let quiet = cells(1);
        assert!(!quiet.nodes.is_empty());
        assert_eq!(findings(&quiet, &owners("shop")), Ok(Vec::new()));
    }

    #[test]
    fn of_traces_that_lie_far_apart_nothing_is_said_besides() {
        let folder = tempfile::tempdir().unwrap();
        // Requests, and where there is one the time of a span that is wrong, microseconds since 1970.
        let found = |wrong_at: Option<u64>| {
            let mut spans: Vec<_> = (2..=9_u8)
                .map(|trace| {
                    let mut one = span("gateway", 1, 0, "SERVER", 0);
                    one["traceId"] = json!(trace.to_string());
                    one
                })
                .collect();
            spans.extend(wrong_at.map(|at| {
                let mut wrong = span("cron", 2, 0, "SERVER", 0);
                wrong["timestamp"] = json!(at);
                wrong
            }));
            let path = folder.path().join("apart.json");
            std::fs::write(&path, json!(spans).to_string()).unwrap();
            let (cells, read) = fold(&[path]).map_err(|failure| failure.message).unwrap();
            assert_eq!(read.get(counter::SPANS), spans.len() as u64);
            findings(&cells, &Owners::default())
        };
        assert!(found(None).is_ok());
        // A span without a time is none: the first microsecond is the earliest.
        let said = found(Some(1)).unwrap_err();
        assert!(said.contains("are more than 472222 hours apart"), "{said}");
        assert!(said.contains("looked for in 6 hours at most"), "{said}");
    }

    #[test]
    fn requests_are_far_apart_or_far_from_the_earliest_span() {
        let spread = |seconds: &[i64]| {
            let one = Arc::new(RootCell { count: 1, ..RootCell::default() });
            let seconds = seconds.iter().map(|second| (*second, Arc::clone(&one))).collect();
            let mut cells = Cells::default();
            cells.roots.insert((Entry::Op("gateway GET /a".into()), TraceClass::Mine), seconds);
            spread(&cells)
        };
        assert_eq!((spread(&[]), spread(&[0, 21_600])), (None, None));
        assert!(spread(&[0, 21_601]).unwrap().contains("are more than 6 hours apart"));
        assert_eq!(spread(&[21_599, 21_601]), None, "half is beyond");
        assert!(spread(&[21_599, 21_601, 21_602]).unwrap().contains("most requests are more than 6 hours"));
        assert!(spread(&[1_700_000_000]).unwrap().contains("from the earliest span"));
        assert!(spread(&[i64::MIN, i64::MAX]).is_some());
    }
}
