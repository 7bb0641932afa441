//! The live analysis, on a thread of its own: its cost grows with the run, and no guard may wait for it.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use peakdrill_bottleneck::{AnalysisInput, Cells, Ranking, rank};

/// Analyses one look at a time; what it is asked while it is at work is left out.
pub(crate) struct Analyst {
    asked: SyncSender<(Arc<Cells>, AnalysisInput)>,
    found: Arc<Mutex<Option<Ranking>>>,
}

impl Analyst {
    /// Starts the thread, which ends with the last handle. `None` when there can be no further thread: the drill
    /// then goes on without a live ranking.
    pub(crate) fn start() -> Option<Self> {
        let (asked, looks) = sync_channel::<(Arc<Cells>, AnalysisInput)>(0);
        let found = Arc::new(Mutex::new(None));
        let newest = Arc::clone(&found);
        let work = move || {
            for (cells, input) in looks {
                let ranking = rank(&cells, &input);
                *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(ranking);
            }
        };
        std::thread::Builder::new().name("pd-analyst".into()).spawn(work).ok()?;
        Some(Self { asked, found })
    }

    /// Asks for a ranking, unless the last one is still being made.
    pub(crate) fn ask(&self, cells: &Arc<Cells>, input: AnalysisInput) {
        let _busy = self.asked.try_send((Arc::clone(cells), input));
    }

    /// The newest ranking, once.
    pub(crate) fn found(&self) -> Option<Ranking> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
