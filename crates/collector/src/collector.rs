//! The collector of a drill: receivers, journal and fold, each on a thread of its own.

mod appending;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::plan::Scrape;
use peakdrill_trace_model::Span;

use crate::fold::Fold;
use crate::journal::{JournalError, JournalWriter};
use crate::limits::Limits;
use crate::net::{Budget, Charge, Classify, Ingest, Job, Listeners, Receivers, TextsPool};
use crate::record::{Event, Record};
use crate::replay::{amend, left_out_names};
use crate::scrape::{Scrapers, Sink};
use crate::shared::{Shared, now_ns};
use crate::view::{CellsError, CellsFile, FinalView, View, not_looked_for};
use appending::{Appending, GROUP_JOBS_MAX};

/// How often the view is made anew.
pub const VIEW_INTERVAL: Duration = Duration::from_millis(250);
/// Rows of the generator in one record.
const ROOTS_PER_RECORD: usize = 4_096;

/// How to run a collector.
#[derive(Clone)]
pub struct CollectorConfig {
    /// Where to take OTLP over gRPC; port 0 picks a free one.
    pub grpc: SocketAddr,
    /// Where to take OTLP over HTTP.
    pub http: Option<SocketAddr>,
    /// The journal's folder; without it nothing can be run again.
    pub journal_dir: Option<PathBuf>,
    /// Whose a trace is, by its id alone. Traces with a row of the generator are mine in any case.
    pub classify: Classify,
    /// What may be held at once.
    pub limits: Limits,
}

/// Why a collector does not start, or has no result.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// An address cannot be bound, or no thread made.
    #[error("the collector cannot start: {0}")]
    Start(#[from] io::Error),
    /// The journal cannot be begun.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The cells cannot be written.
    #[error(transparent)]
    Cells(#[from] CellsError),
}

/// A collector at work.
pub struct Collector {
    grpc: SocketAddr,
    http: Option<SocketAddr>,
    queue: Sender<Job>,
    budget: Arc<Budget>,
    shared: Arc<Shared>,
    receivers: Receivers,
    scrapers: Scrapers,
    journal_dir: Option<PathBuf>,
    journal: JoinHandle<()>,
    fold: JoinHandle<()>,
}

/// What has gone through the journal.
struct Journalled {
    event: Event,
    recv_ns: i64,
    classes: Vec<(u128, peakdrill_bottleneck::TraceClass)>,
    charge: Charge,
}

impl Collector {
    /// Binds, begins the journal and starts the threads.
    ///
    /// # Errors
    /// [`CollectorError`] when an address is taken or the journal's folder cannot be used.
    pub fn start(config: CollectorConfig) -> Result<Self, CollectorError> {
        let listeners = Listeners::bind(config.grpc, config.http)?;
        let (grpc, http) = listeners.addresses()?;
        let writer = config.journal_dir.as_deref().map(|dir| JournalWriter::create(dir, &config.limits));
        let writer = writer.transpose()?;
        let budget = Budget::new(config.limits.queue_bytes_max);
        // Without a journal there is nothing to read again.
        let late_traces_max = config.journal_dir.as_ref().map_or(0, |_| config.limits.late_traces_max);
        let shared = Shared::new(Fold::new(Limits { late_traces_max, ..config.limits }));
        let (queue, jobs) = mpsc::channel();
        let (journalled, events) = mpsc::channel();
        let for_journal = Arc::clone(&shared);
        let journal = thread::Builder::new()
            .name("collector-journal".to_owned())
            .spawn(move || Appending::new(writer, &journalled, &for_journal).run(&jobs))?;
        let for_fold = Arc::clone(&shared);
        let fold = thread::Builder::new()
            .name("collector-fold".to_owned())
            .spawn(move || fold_thread(&for_fold, &events))?;
        let ingest = Ingest {
            queue: queue.clone(),
            budget: Arc::clone(&budget),
            classify: config.classify,
            shared: Arc::clone(&shared),
            texts: TextsPool::default(),
            body_time_max: config.limits.body_time_max,
        };
        let receivers = Receivers::start(listeners, ingest, &config.limits)?;
        Ok(Self {
            grpc,
            http,
            queue,
            budget,
            shared,
            receivers,
            scrapers: Scrapers::default(),
            journal_dir: config.journal_dir,
            journal,
            fold,
        })
    }

    /// The addresses it listens at: gRPC, HTTP.
    #[must_use]
    pub fn addresses(&self) -> (SocketAddr, Option<SocketAddr>) {
        (self.grpc, self.http)
    }

    /// Begins to look at Prometheus endpoints, until the end.
    ///
    /// # Errors
    /// [`CollectorError::Start`] when there can be no further thread.
    pub fn scrape(&mut self, scrapes: &[Scrape]) -> Result<(), CollectorError> {
        let sink = Sink {
            queue: self.queue.clone(),
            budget: Arc::clone(&self.budget),
            shared: Arc::clone(&self.shared),
        };
        Ok(self.scrapers.start(scrapes, &sink)?)
    }

    /// Takes rows of the generator. They are never refused for load.
    pub fn push_roots(&self, rows: &[RootRow]) {
        for rows in rows.chunks(ROOTS_PER_RECORD) {
            match Record::roots(rows, now_ns()) {
                Ok(record) => self.push(record, Event::Roots(rows.to_vec())),
                Err(error) => tracing::error!(%error, "rows of the generator were not taken"),
            }
        }
    }

    /// Sets the start of the load, Unix nanoseconds. Nothing is folded before; the first call counts.
    pub fn set_origin(&self, origin_ns: i64) {
        self.push(Record::origin(origin_ns, now_ns()), Event::Origin(origin_ns));
    }

    fn push(&self, record: Record, event: Event) {
        let charge = self.budget.charge_always(2 * record.payload.len());
        if !self.shared.hand_in(&self.queue, Job { record, event, charge, ack: None }) {
            tracing::error!("the collector's journal thread has ended");
        }
    }

    /// The newest view, at most [`VIEW_INTERVAL`] old while requests come in. Under a high load its cells lack what came
    /// in the interval before; see [`View::folded`].
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.shared.view()
    }

    /// When the newest was received of what was taken and not refused by the journal, by [`now_ns`](crate::now_ns): what no view
    /// has yet may wait, or the collector stand still. `None` where there was nothing.
    #[must_use]
    pub fn taken_ns(&self) -> Option<i64> {
        self.shared.taken_ns()
    }

    /// The spans of a trace that are here, each once, sorted by id; none when it is sealed.
    #[must_use]
    pub fn trace(&self, trace: u128) -> Vec<Span> {
        self.shared.fold().trace(trace)
    }

    /// The newest live trace that entered by this service and operation (`GET /orders/{id}`), preferably one
    /// that had time to become complete.
    #[must_use]
    pub fn recent_live(&self, service: &str, op: &str) -> Option<Vec<Span>> {
        self.shared.fold().recent_live(service, op)
    }

    /// Waits until the spans of a trace satisfy the predicate; returns them then, and `None` at the end of the
    /// time. Blocks the thread; see [`Self::changes`] for tasks.
    pub fn wait_for(
        &self,
        trace: u128,
        predicate: impl Fn(&[Span]) -> bool,
        timeout: Duration,
    ) -> Option<Vec<Span>> {
        self.wait_until(timeout, |collector| Some(collector.trace(trace)).filter(|spans| predicate(spans)))
    }

    /// Looks again whenever something was taken in, and at least every [`VIEW_INTERVAL`], until `look` has an answer;
    /// `None` when the time is over before. Blocks the thread.
    pub fn wait_until<T>(&self, timeout: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let versions = self.changes();
        loop {
            let seen = *versions.borrow();
            if let Some(found) = look(self) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            let fold = self.shared.fold();
            if *versions.borrow() == seen {
                // Released by this, whether or not the wait was poisoned.
                let _waited = self.shared.changed.wait_timeout(fold, left.min(VIEW_INTERVAL));
            }
        }
    }

    /// The most bytes that requests held at any time, unfinished ones included: for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn held_bytes_most(&self) -> usize {
        self.budget.most()
    }

    /// A number that changes whenever something was taken in and whenever the view was made anew: for tasks that
    /// wait.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    /// Ends: stops the receivers, writes and folds what is on its way, and returns the result. Blocks the thread, for up to
    /// two seconds while connections are open.
    ///
    /// Where [`View::late_waiting`] is not 0, the journal is read once more, on this thread: all of it is decompressed, and
    /// up to [`Limits::late_records_max`] requests are decoded, at some 400,000 spans a second. Of a long run at a high
    /// rate that may take minutes.
    ///
    /// # Errors
    /// [`CollectorError::Cells`] when the cells cannot be written as JSON.
    pub fn finish(self) -> Result<FinalView, CollectorError> {
        let (mut missing, mut whole) = (self.scrapers.stop(), true);
        self.receivers.stop();
        drop(self.queue);
        for (thread, what) in [(self.journal, "journal"), (self.fold, "fold")] {
            if thread.join().is_err() {
                whole = false;
                missing.push(format!("collector: its {what} thread panicked; what came last is not counted"));
            }
        }
        // After a panic nobody knows what of the last record is in the sums: nothing can be taken back from them.
        if let (Some(dir), true) = (&self.journal_dir, whole)
            && let Err(error) = amend(dir, &mut self.shared.fold())
        {
            missing.push(error);
        }
        let view = self.shared.publish();
        missing.extend(view.counters.missing());
        missing.extend(left_out_names(&view.cells));
        let cells_json = CellsFile::new(view.origin_ns, Arc::clone(&view.cells)).to_bytes()?;
        let not_looked_for = not_looked_for(&view.cells);
        Ok(FinalView { view, cells_json, missing, not_looked_for })
    }
}

/// Folds, and makes a new view every [`VIEW_INTERVAL`] if anything came. Ends when the journal thread has.
fn fold_thread(shared: &Shared, events: &Receiver<Journalled>) {
    let mut next_view = Instant::now() + VIEW_INTERVAL;
    let mut stale = true;
    loop {
        match events.recv_timeout(next_view.saturating_duration_since(Instant::now())) {
            Ok(first) => {
                let mut fold = shared.fold();
                for Journalled { event, recv_ns, classes, charge } in
                    std::iter::once(first).chain(events.try_iter().take(GROUP_JOBS_MAX))
                {
                    fold.event(event, recv_ns, &classes);
                    drop(charge);
                }
                drop(fold);
                shared.notify();
                stale = true;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if Instant::now() >= next_view {
            if stale || shared.has_journal_news() {
                stale = shared.refresh();
                shared.notify();
            }
            // From the beginning of this one: folding takes a part of the interval, and must not add to it.
            next_view = (next_view + VIEW_INTERVAL).max(Instant::now());
        }
    }
}
