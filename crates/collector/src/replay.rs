//! Runs the fold again from the journal.

use std::path::Path;
use std::sync::Arc;

use peakdrill_bottleneck::Cells;
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::ledger::LedgerRow;

use crate::counters::{Counters, counter};
use crate::fold::Fold;
use crate::journal::{JournalReadError, read_journal};
use crate::limits::Limits;
use crate::otlp::Texts;
use crate::record::Event;

/// What a journal holds, folded.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The cells: those of the run, byte for byte.
    pub cells: Arc<Cells>,
    /// Start of the load, Unix nanoseconds.
    pub origin_ns: Option<i64>,
    /// The ledger, sorted.
    pub ledger: Vec<LedgerRow>,
    /// The generator's rows, in the order in which they were journalled.
    pub roots: Vec<RootRow>,
    /// What was counted.
    pub counters: Counters,
    /// What of the journal is not there, and what of the run is not in the cells, in words.
    pub missing: Vec<String>,
}

/// Reads the journal once more, where something came for traces that were sealed; says in words why that is not in them.
pub(crate) fn amend(dir: &Path, fold: &mut Fold) -> Result<(), String> {
    let waiting = fold.counters().get(counter::LATE_WAITING);
    let read = fold.amend(|amendment| {
        let (traces, records) = amendment.size();
        tracing::info!(waiting, traces, records, "the journal is read once more");
        // What is damaged in it is known from the first reading, or nobody asked.
        read_journal(dir, |record| amendment.record(&record)).map(drop)
    });
    match read {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err("journal: what came late is left out, since there are not as many records as there were"
                .to_owned())
        }
        Err(error) => Err(format!("journal: what came late is left out: {error}")),
    }
}

/// What of the names of senders is not in the cells, in words.
pub(crate) fn left_out_names(cells: &Cells) -> impl Iterator<Item = String> {
    cells.left_out_names("of the drill").into_iter().map(|said| format!("collector: {said}"))
}

/// Folds a journal as the run did. The limits must be those of the run where traces were sealed.
///
/// # Errors
/// [`JournalReadError`] when there is no journal or a file cannot be read; damage inside is told as missing.
pub fn replay(dir: &Path, limits: Limits) -> Result<Replayed, JournalReadError> {
    let mut fold = Fold::new(limits);
    let mut roots = Vec::new();
    let mut undecodable = 0_u64;
    let mut texts = Texts::default();
    let mut missing = read_journal(dir, |record| match record.event(&mut texts) {
        Ok(event) => {
            if let Event::Roots(rows) = &event {
                roots.extend_from_slice(rows);
            }
            fold.event(event, record.recv_ns, &record.classes);
        }
        Err(_) => {
            undecodable += 1;
            fold.pass_over();
        }
    })?;
    if undecodable > 0 {
        missing.push(format!("journal: {undecodable} records cannot be decoded"));
    }
    fold.settle();
    if let Err(error) = amend(dir, &mut fold) {
        missing.push(error);
    }
    let counters = fold.counters();
    missing.extend(counters.missing());
    missing.extend(left_out_names(fold.cells()));
    Ok(Replayed {
        cells: Arc::new(fold.cells().clone()),
        origin_ns: fold.origin_ns(),
        ledger: fold.ledger(),
        roots,
        counters,
        missing,
    })
}
