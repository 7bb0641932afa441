//! The end of a drill: late spans, the last look at the ledger, the renderings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::ledger::{Ledger, LedgerRow, Outcome};
use peakdrill_drill_model::plan::Plan;
use peakdrill_reports::Environment;

use super::Finished;
use super::running::Running;
use crate::arrivals::Arrivals;
use crate::error::ControlError;
use crate::live::totals::Totals;
use crate::preflight::Findings;
use crate::record::{self, RecordWriter, Rendered};
use crate::stage::Stage;

/// Longest wait for spans and counts that services still hold back.
const SETTLE_LIMIT: Duration = Duration::from_secs(8);
/// No news for so long: a look at what is missing.
const SETTLE_QUIET: Duration = Duration::from_millis(900);

/// This share of a service's spans is all of them.
const COMPLETE: f64 = 0.99;

/// Preflight refused: there was no load.
pub(super) fn refused(
    stage: Stage,
    writer: RecordWriter,
    problems: Vec<String>,
) -> Result<Finished, ControlError> {
    without_load(stage, writer, Exit::Preflight, problems)
}

/// A person ended it before the load.
pub(super) fn stopped(stage: Stage, mut writer: RecordWriter, by: &str) -> Result<Finished, ControlError> {
    let data = serde_json::json!({ "stop": true, "by": by, "over": true });
    let text = format!("stopped by {by} before the load");
    writer.event(stage.clock_unix_ns(), 0, EventKind::Operator, text, data)?;
    without_load(stage, writer, Exit::Person, Vec::new())
}

fn without_load(
    mut stage: Stage,
    writer: RecordWriter,
    exit: Exit,
    refused: Vec<String>,
) -> Result<Finished, ControlError> {
    stage.close()?;
    let folder = writer.folder().to_path_buf();
    if let Some(collector) = stage.collector.take() {
        let view = collector.finish().map_err(|error| ControlError::Collector(error.to_string()))?;
        writer.ledger(&ledger(&view.view.ledger, stage.run.as_ref(), None, &Findings::default()))?;
    }
    drop(writer);
    let verdict = record::rerender(&folder)?.verdict;
    Ok(Finished { verdict, exit, folder, refused })
}

/// The load is over.
pub(super) fn done(mut drill: Running, mut environment: Environment) -> Result<Finished, ControlError> {
    settle(&mut drill);
    if let Some(why) = drill.engine_failed.take() {
        let data = serde_json::json!({ "engine_failed": true });
        drill.event(EventKind::Run, format!("the engine failed: {why}"), data)?;
    }
    drill.stage.close()?;
    let closed = Instant::now();
    let sent = tagged_sent(&drill.plan, &drill.totals, drill.findings.probes_sent);
    if let Some(collector) = drill.stage.collector.take() {
        let last = collector.finish().map_err(|error| ControlError::Collector(error.to_string()))?;
        if last.view.spans() > 0 {
            drill.roots_dropped += drill.roots.missing();
        }
        for text in &last.missing {
            drill.event(EventKind::Finding, text.clone(), serde_json::json!({ "lost": true }))?;
        }
        if let Some(text) = last.not_looked_for {
            drill.event(EventKind::Finding, text, serde_json::json!({ "warning": true }))?;
        }
        drill.writer.cells(&last.cells_json)?;
        let run = drill.stage.run.to_string();
        let mut ledger = ledger(&last.view.ledger, &run, sent, &drill.findings);
        ledger.silent = silent(&drill, &last.view.ledger_heard_ns);
        drill.writer.ledger(&ledger)?;
    }
    if drill.roots_dropped > 0 {
        let text =
            format!("{} rows of the generator were lost: traces may lack their root", drill.roots_dropped);
        drill.event(EventKind::Finding, text, serde_json::json!({ "lost": true }))?;
    }
    drill.stage.told_hops(closed);
    drill.event(EventKind::Run, "the run is over", serde_json::json!({ "over": true }))?;
    environment.load_thread_cpu_ns = Some(drill.load_cpu_ns);
    environment.busiest_thread_share = drill.busiest_thread_share;
    environment.live_view = drill.live_view;
    environment.max_rss_mib = crate::environment::max_rss_mib();
    drill.writer.environment(&environment)?;
    let folder = drill.writer.folder().to_path_buf();
    drill.board.done(drill.stage.clock_unix_ns(), &drill.totals);
    // What the run held is not needed for the report, which takes as much.
    drop(drill);
    let Rendered { verdict, exit, .. } = record::rerender(&folder)?;
    Ok(Finished { verdict, exit, folder, refused: Vec::new() })
}

/// Services hold spans and counts back for a moment, by default for five seconds: wait until nothing new has come
/// for a while and the requests' traces are there, or the limit is over.
fn settle(drill: &mut Running) {
    let mut roots = std::mem::take(&mut drill.roots);
    let Some(collector) = &drill.stage.collector else { return };
    let mut last = (collector.view().spans(), Instant::now());
    // What has not come by then is named where it is missing: in the ledger, and in the completeness of traces.
    let _in_time = collector.wait_until(SETTLE_LIMIT, |collector| {
        let view = collector.view();
        if view.spans() > 0 && roots.push_held(|rows| collector.push_roots(rows)) {
            return None;
        }
        if view.spans() != last.0 {
            last = (view.spans(), Instant::now());
        }
        if last.1.elapsed() < SETTLE_QUIET || !silent(drill, &view.ledger_heard_ns).is_empty() {
            return None;
        }
        last.1 = Instant::now();
        is_complete(drill, &view.cells).then_some(())
    });
    roots.end(collector.view().spans() > 0, |rows| collector.push_roots(rows));
    drill.roots = roots;
}

/// Whether no service's spans are missing, as far as the cells tell.
fn is_complete(drill: &Running, cells: &peakdrill_bottleneck::Cells) -> bool {
    let mut input = crate::snapshot::analysis_input(&drill.plan, &drill.timeline, &Arrivals::default());
    input.settings.resamples = 1;
    let services = peakdrill_bottleneck::completeness(cells, &input);
    services.iter().all(|service| service.share.is_none_or(|share| share >= COMPLETE))
}

/// Services with declared stores that were not heard of any more after the last request had ended.
fn silent(drill: &Running, heard_ns: &BTreeMap<String, i64>) -> Vec<String> {
    let services: BTreeSet<&String> =
        drill.plan.isolation.stores.iter().map(|store| &store.service).collect();
    let gone = |service: &&String| heard_ns.get(*service) == drill.heard_at_end_ns.get(*service);
    services.into_iter().filter(gone).cloned().collect()
}

/// Tagged requests that were sent, `probes` of preflight included; `None` where nothing is tagged. Messages over a
/// WebSocket go over what a tagged request has opened: no hop counts them.
fn tagged_sent(plan: &Plan, totals: &Totals, probes: u64) -> Option<u64> {
    plan.shadow.is_some().then(|| totals.tagged(plan).sent.saturating_add(probes))
}

/// The ledger with the reconciliation of one run. `sent`: its tagged requests, probes included; `None` while it still
/// runs. Counts of other runs stay beside it: hops keep them since their start.
pub(super) fn ledger(rows: &[LedgerRow], run: &str, sent: Option<u64>, findings: &Findings) -> Ledger {
    let mut ledger = Ledger {
        v: 1,
        rows: rows.to_vec(),
        sent,
        unobserved: findings.unobserved.clone(),
        empty_shadows: findings.empty_shadows.clone(),
        ..Ledger::default()
    };
    ledger.rows.sort_by(|a, b| {
        (&a.service, &a.run, &a.resource, a.outcome).cmp(&(&b.service, &b.run, &b.resource, b.outcome))
    });
    let entries: Vec<&str> = findings.entry_services.iter().map(String::as_str).collect();
    let at_entry = |row: &&LedgerRow| {
        entries.contains(&row.service.as_str()) && row.resource == "ingress" && row.run == run
    };
    let seen = ledger
        .rows
        .iter()
        .filter(at_entry)
        .filter(|row| matches!(row.outcome, Outcome::ShadowIn | Outcome::Refused));
    let known = !entries.is_empty() && !findings.unknown_entry;
    ledger.handled = known.then(|| seen.map(|row| row.count).fold(0, u64::saturating_add));
    if let (Some(sent), Some(handled)) = (ledger.sent, ledger.handled)
        && sent != handled
    {
        ledger.unreconciled.push(format!(
            "{sent} tagged requests were sent (probes included), first hops took in {handled}: {}",
            if handled < sent {
                "the rest was cut, timed out on the way, or lost"
            } else {
                "a proxy or client repeated some"
            }
        ));
    }
    ledger
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::frame::Tally;
    use peakdrill_drill_model::plan::StepInfo;

    use super::*;

    fn row(resource: &str, outcome: Outcome, count: u64) -> LedgerRow {
        let (service, run) = ("gateway".to_owned(), "r".to_owned());
        LedgerRow { service, run, resource: resource.to_owned(), outcome, count }
    }

    fn findings() -> Findings {
        Findings { entry_services: ["gateway".to_owned()].into(), ..Findings::default() }
    }

    #[test]
    fn messages_over_a_websocket_are_not_to_be_counted_by_a_hop() {
        let mut plan = crate::testing::plan();
        let step = |message| StepInfo { message, ..StepInfo::default() };
        plan.steps = vec![step(false), step(true)];
        let mut totals = Totals::default();
        totals.add((0, 0, None), &Tally { sent: 3, ..Tally::default() });
        totals.add((0, 0, Some(0)), &Tally { sent: 3, ..Tally::default() });
        totals.add((0, 0, Some(1)), &Tally { sent: 30, ..Tally::default() });
        assert_eq!(tagged_sent(&plan, &totals, 2), None, "nothing is tagged");
        plan.shadow = Some(crate::testing::shadow());
        let sent = tagged_sent(&plan, &totals, 2);
        assert_eq!(sent, Some(5));
        let ledger = ledger(&[row("ingress", Outcome::ShadowIn, 5)], "r", sent, &findings());
        assert_eq!((ledger.handled, ledger.unreconciled.as_slice()), (Some(5), &[][..]));
    }

    #[test]
    fn damaged_counts_do_not_overflow() {
        let rows = [row("ingress", Outcome::ShadowIn, u64::MAX), row("ingress", Outcome::Refused, 1)];
        assert_eq!(ledger(&rows, "r", Some(1), &findings()).handled, Some(u64::MAX));
    }
}
