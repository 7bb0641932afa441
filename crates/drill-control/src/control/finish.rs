//! The end of a drill: late spans, the last look at the ledger, the renderings.

use std::time::{Duration, Instant};

use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::ledger::{Ledger, LedgerRow, Outcome};
use peakdrill_reports::Environment;
use peakdrill_shadow_tag::RunState;

use super::Finished;
use super::running::Running;
use crate::error::ControlError;
use crate::preflight::Findings;
use crate::record::{self, RecordWriter};
use crate::stage::Stage;

/// Longest wait for spans and counts that services still hold back.
const SETTLE_LIMIT: Duration = Duration::from_secs(4);
/// No news for so long: nothing more will come.
const SETTLE_QUIET: Duration = Duration::from_millis(900);

/// Preflight refused: there was no load.
pub(super) fn refused(
    stage: Stage,
    writer: RecordWriter,
    problems: Vec<String>,
) -> Result<Finished, ControlError> {
    close(&stage)?;
    let folder = writer.folder().to_path_buf();
    if let Some(collector) = stage.collector {
        let view = collector.finish().map_err(|error| ControlError::Collector(error.to_string()))?;
        writer.ledger(&ledger(&view.view.ledger, None, &Findings::default()))?;
    }
    drop(writer);
    let (verdict, _) = record::rerender(&folder)?;
    Ok(Finished { verdict, exit: Exit::Preflight, folder, refused: problems })
}

/// The load is over.
pub(super) fn done(mut drill: Running, mut environment: Environment) -> Result<Finished, ControlError> {
    settle(&drill);
    close(&drill.stage)?;
    let tagged = drill.plan.shadow.is_some();
    let sent = tagged.then(|| drill.totals.requests().sent + drill.findings.probes_sent);
    if let Some(collector) = drill.stage.collector.take() {
        let last = collector.finish().map_err(|error| ControlError::Collector(error.to_string()))?;
        drill.writer.cells(&last.cells_json)?;
        drill.writer.ledger(&ledger(&last.view.ledger, sent, &drill.findings))?;
    }
    drill.event(EventKind::Run, "the run is over", serde_json::Value::Null)?;
    environment.load_thread_cpu_ns = Some(drill.load_cpu_ns);
    environment.busiest_thread_share = drill.busiest_thread_share;
    environment.max_rss_mib = crate::environment::max_rss_mib();
    drill.writer.environment(&environment)?;
    let folder = drill.writer.folder().to_path_buf();
    drill.board.done(drill.stage.clock_unix_ns());
    let (verdict, exit) = record::rerender(&folder)?;
    Ok(Finished { verdict, exit, folder, refused: Vec::new() })
}

fn close(stage: &Stage) -> Result<(), ControlError> {
    if let Some(authority) = &stage.authority {
        authority.set_state(RunState::Closed)?;
    }
    stage.keep_runs()
}

/// Services hold spans and counts back for a moment: wait until nothing new has come for a while.
fn settle(drill: &Running) {
    let Some(collector) = &drill.stage.collector else { return };
    let begun = Instant::now();
    let mut last = (collector.view().spans(), Instant::now());
    while begun.elapsed() < SETTLE_LIMIT && last.1.elapsed() < SETTLE_QUIET {
        std::thread::sleep(Duration::from_millis(50));
        let spans = collector.view().spans();
        if spans != last.0 {
            last = (spans, Instant::now());
        }
    }
}

/// The ledger with its reconciliation. `sent`: tagged requests, probes included; `None` while it still runs.
pub(super) fn ledger(rows: &[LedgerRow], sent: Option<u64>, findings: &Findings) -> Ledger {
    let mut ledger = Ledger {
        v: 1,
        rows: rows.to_vec(),
        sent,
        unobserved: findings.unobserved.clone(),
        ..Ledger::default()
    };
    ledger.rows.sort_by(|a, b| {
        (&a.service, &a.run, &a.resource, a.outcome).cmp(&(&b.service, &b.run, &b.resource, b.outcome))
    });
    let entries: Vec<&str> = findings.entry_services.iter().map(String::as_str).collect();
    let at_entry = |row: &&LedgerRow| {
        entries.contains(&row.service.as_str()) && row.resource == "ingress" && !row.run.is_empty()
    };
    let seen = ledger
        .rows
        .iter()
        .filter(at_entry)
        .filter(|row| matches!(row.outcome, Outcome::ShadowIn | Outcome::Refused));
    ledger.handled = (!entries.is_empty()).then(|| seen.map(|row| row.count).sum());
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
