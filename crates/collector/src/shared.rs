//! What the collector's threads and its handle share.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use peakdrill_bottleneck::Cells;
use tokio::sync::watch;

use crate::counters::Counters;
use crate::fold::Fold;
use crate::net::Job;
use crate::view::{Folded, JournalRoom, View};

/// Fold, view and counts, and how to wait for a change.
#[derive(Debug)]
pub(crate) struct Shared {
    fold: Mutex<Fold>,
    pub(crate) changed: Condvar,
    pub(crate) version: watch::Sender<u64>,
    view: RwLock<Arc<View>>,
    /// [`Fold::cells_version`] of the view's cells.
    view_version: AtomicU64,
    /// Of the receivers: what never reached the fold.
    counters: Mutex<Counters>,
    /// When the newest was received of what was taken, of what the journal then refused, and of what it has: Unix nanoseconds.
    taken_ns: AtomicI64,
    refused_ns: AtomicI64,
    written_ns: AtomicI64,
    /// How much room the journal has, and whether no view told of it yet.
    journal: Mutex<(JournalRoom, bool)>,
}

impl Shared {
    pub(crate) fn new(fold: Fold) -> Arc<Self> {
        Arc::new(Self {
            fold: Mutex::new(fold),
            changed: Condvar::new(),
            version: watch::Sender::new(0),
            view: RwLock::default(),
            view_version: AtomicU64::new(0),
            counters: Mutex::default(),
            taken_ns: AtomicI64::new(i64::MIN),
            refused_ns: AtomicI64::new(i64::MIN),
            written_ns: AtomicI64::new(i64::MIN),
            journal: Mutex::default(),
        })
    }

    /// Hands something on its way to the journal; false when nobody takes it any more.
    pub(crate) fn hand_in(&self, queue: &Sender<Job>, job: Job) -> bool {
        self.taken_ns.fetch_max(job.record.recv_ns, Ordering::Relaxed);
        queue.send(job).is_ok()
    }

    /// What was received then is not written: it does not wait to be shown.
    pub(crate) fn refuses(&self, recv_ns: i64) {
        self.refused_ns.fetch_max(recv_ns, Ordering::Relaxed);
    }

    /// What was received then is on its way to the fold.
    pub(crate) fn wrote(&self, recv_ns: i64) {
        self.written_ns.fetch_max(recv_ns, Ordering::Relaxed);
    }

    /// When the newest was received of what was taken and not refused; `None` where there was nothing.
    pub(crate) fn taken_ns(&self) -> Option<i64> {
        let [taken, refused, written] =
            [&self.taken_ns, &self.refused_ns, &self.written_ns].map(|ns| ns.load(Ordering::Relaxed));
        let newest = if taken > refused { taken } else { written };
        (newest != i64::MIN).then_some(newest)
    }

    /// The fold. A panic elsewhere leaves sums that may lack a trace, which beats no sums.
    pub(crate) fn fold(&self) -> MutexGuard<'_, Fold> {
        self.fold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, name: &'static str, count: u64) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).add(name, count);
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells all who wait that the fold changed. The fold must not be locked by the caller.
    pub(crate) fn notify(&self) {
        self.version.send_modify(|version| *version += 1);
        // Who looked at the number before holds the lock until it waits: it is not passed over.
        drop(self.fold());
        self.changed.notify_all();
    }

    /// Keeps how much room the journal has, and says so when it is another kind of room than before.
    pub(crate) fn journal_has(&self, room: JournalRoom) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.0.differs(&room) {
            journal.1 = true;
            match room.note() {
                Some(note) => tracing::warn!("{note}"),
                None => tracing::info!("there is room for the journal again"),
            }
        }
        journal.0 = room;
    }

    /// Whether a view is to tell of the journal what the one before did not.
    pub(crate) fn has_journal_news(&self) -> bool {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn journal_room(&self) -> JournalRoom {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.1 = false;
        journal.0
    }

    /// Folds all that came and publishes it.
    pub(crate) fn publish(&self) -> Arc<View> {
        let mut fold = self.fold();
        fold.settle();
        self.show(&fold)
    }

    /// Folds what came, or leaves it to the next time where that is better, and publishes it. True when something
    /// was left.
    pub(crate) fn refresh(&self) -> bool {
        let mut fold = self.fold();
        let waits = fold.refresh();
        self.show(&fold);
        waits
    }

    /// Cells that did not change are not copied; of others, what did not change is shared with the fold.
    fn show(&self, fold: &Fold) -> Arc<View> {
        // Under the fold's lock, so that version and cells belong together.
        let version = fold.cells_version();
        let before = self.view();
        let cells = if self.view_version.swap(version, Ordering::Relaxed) == version {
            Arc::clone(&before.cells)
        } else {
            Arc::<Cells>::new(fold.cells().shown())
        };
        let mut counters = fold.counters();
        counters.merge(&self.counters.lock().unwrap_or_else(PoisonError::into_inner));
        let view = Arc::new(View {
            cells,
            origin_ns: fold.origin_ns(),
            newest_span_end_ns: fold.newest_end_ns(),
            last_recv_ns: fold.last_recv_ns(),
            folded: Folded { view: before.folded.view + 1, ..fold.folded() },
            ledger: fold.ledger(),
            ledger_heard_ns: fold.ledger_heard_ns(),
            counters,
            journal: self.journal_room(),
        });
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&view);
        view
    }
}

/// The clock by which all that a collector receives is stamped: Unix nanoseconds; 0 before 1970.
#[must_use]
pub fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
