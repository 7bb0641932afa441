//! What the receivers let in: decoded, classified, within the budget, and answered when it is in the journal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use bytes::Bytes;
use peakdrill_bottleneck::TraceClass;
use peakdrill_trace_model::Span;
use tokio::sync::{Notify, oneshot};

use crate::counters::counter;
use crate::limits::DECODED_BYTES_MAX;
use crate::otlp::{Malformed, Texts};
use crate::record::{Event, Record, RecordKind};
use crate::shared::{Shared, now_ns};

/// Tells whose a trace is by its id alone.
pub type Classify = Arc<dyn Fn(u128) -> TraceClass + Send + Sync>;

/// When a client should try again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much is waiting: try again.
    #[error("too much is waiting; try again")]
    Overloaded,
    /// It is not what it should be: do not try again.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It could not be written to the journal.
    #[error("not written to the journal: {0}")]
    Journal(String),
    /// The journal has reached its limit: do not try again.
    #[error("{0}")]
    Full(String),
    /// The collector has ended.
    #[error("the collector has ended")]
    Ended,
}

/// How long a request waits for room before it is refused: a burst passes, and a client that is told to try again
/// stays away for a second.
const ROOM_WAIT: Duration = Duration::from_millis(200);
/// Of the budget, the part that requests may hold which wait for room.
const WAITING_PART: usize = 4;

/// Bytes that may wait between the receivers and the fold.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
    /// Bytes of requests that wait for room.
    waiting: AtomicUsize,
    given_back: Notify,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let (used, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { used, max, waiting, given_back: Notify::new() })
    }

    /// A part of the budget; `None` when there is no room.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        // One request always fits, however small the budget is.
        let fits = |used: usize| (used == 0 || used + bytes <= self.max).then_some(used + bytes);
        let taken = self.used.try_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.ok().map(|_| Charge { budget: Arc::clone(self), bytes })
    }

    /// As [`Self::charge`], when there is room within [`ROOM_WAIT`] and not too much waits already.
    async fn charge_soon(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        if let Some(charge) = self.charge(bytes) {
            return Some(charge);
        }
        let may_wait =
            |waiting: usize| (waiting + bytes <= self.max / WAITING_PART).then_some(waiting + bytes);
        self.waiting.try_update(Ordering::AcqRel, Ordering::Acquire, may_wait).ok()?;
        let _waits = Waits { budget: self, bytes };
        let room = async {
            loop {
                let given_back = self.given_back.notified();
                if let Some(charge) = self.charge(bytes) {
                    return charge;
                }
                given_back.await;
            }
        };
        tokio::time::timeout(ROOM_WAIT, room).await.ok()
    }

    /// For what must not be refused: it leaves less to the receivers.
    pub(crate) fn charge_always(self: &Arc<Self>, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        Charge { budget: Arc::clone(self), bytes }
    }
}

/// A request that waits for room, counted until it is dropped: its client may go away meanwhile.
struct Waits<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.budget.waiting.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
        self.budget.given_back.notify_waiters();
    }
}

/// Something on its way into the journal and the fold.
pub(crate) struct Job {
    pub(crate) record: Record,
    pub(crate) event: Event,
    pub(crate) charge: Charge,
    /// Told when the record is in the journal.
    pub(crate) ack: Option<oneshot::Sender<Result<(), Refused>>>,
}

/// The way in, shared by all connections.
#[derive(Clone)]
pub(crate) struct Ingest {
    pub(crate) queue: mpsc::Sender<Job>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) classify: Classify,
    pub(crate) shared: Arc<Shared>,
    pub(crate) texts: TextsPool,
}

/// The texts of the decoders that are not at work: one lot for each that can be.
#[derive(Clone, Default)]
pub(crate) struct TextsPool(Arc<Mutex<Vec<Texts>>>);

impl TextsPool {
    fn with<T>(&self, work: impl FnOnce(&mut Texts) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut texts = taken.unwrap_or_default();
        let done = work(&mut texts);
        idle().push(texts);
        done
    }
}

impl Ingest {
    /// Takes a request. Returns how many of its items were rejected, once the rest is in the journal.
    pub(crate) async fn take(&self, kind: RecordKind, payload: Bytes) -> Result<u64, Refused> {
        let result = self.admit(kind, payload).await;
        let name = match &result {
            Ok(_) | Err(Refused::Ended) => return result,
            Err(Refused::Overloaded) => counter::OVERLOADED,
            Err(Refused::Malformed(_)) => counter::MALFORMED,
            Err(Refused::Journal(_) | Refused::Full(_)) => counter::JOURNAL_FAILED,
        };
        self.shared.count(name, 1);
        result
    }

    async fn admit(&self, kind: RecordKind, payload: Bytes) -> Result<u64, Refused> {
        let recv_ns = now_ns();
        if payload.len() > DECODED_BYTES_MAX {
            return Err(Malformed::new(format!("larger than {DECODED_BYTES_MAX} bytes")).into());
        }
        // Before decoding, since decoding takes memory too: a span in memory is about as large as on the wire.
        let charge = self.budget.charge_soon(2 * payload.len()).await.ok_or(Refused::Overloaded)?;
        let (classify, texts) = (Arc::clone(&self.classify), self.texts.clone());
        // Decoding takes milliseconds: connections are served meanwhile. The charge goes with the payload: when the
        // client goes away this future is dropped, and the decoder works on.
        let decoded = tokio::task::spawn_blocking(move || {
            let record = Record { kind, recv_ns, classes: Vec::new(), payload };
            (texts.with(|texts| decode(record, &classify, texts)), charge)
        });
        let Ok((decoded, charge)) = decoded.await else {
            return Err(Malformed::new("it broke the decoder".to_owned()).into());
        };
        let (record, event, rejected) = decoded?;
        let (ack, acked) = oneshot::channel();
        let job = Job { record, event, charge, ack: Some(ack) };
        self.queue.send(job).map_err(|_| Refused::Ended)?;
        acked.await.map_err(|_| Refused::Ended)??;
        Ok(rejected)
    }
}

/// The record of a request with the classes of its traces, what it says, and how many of its items cannot be used.
fn decode(
    mut record: Record,
    classify: &Classify,
    texts: &mut Texts,
) -> Result<(Record, Event, u64), Malformed> {
    let event = record.event(texts)?;
    let rejected = match &event {
        Event::Spans(decoded) => {
            record.classes = classes(&decoded.items, classify);
            decoded.rejected
        }
        Event::Metrics(decoded) => decoded.rejected,
        Event::Roots(_) | Event::Origin(_) => 0,
    };
    Ok((record, event, rejected))
}

/// The classes of all traces that spans belong or link to, live ones left out; sorted.
fn classes(spans: &[Span], classify: &Classify) -> Vec<(u128, TraceClass)> {
    let links = spans.iter().flat_map(|span| &span.links).map(|link| link.trace);
    let mut ids: Vec<u128> = spans.iter().map(|span| span.trace).chain(links).collect();
    ids.sort_unstable();
    ids.dedup();
    let classes = ids.into_iter().map(|id| (id, classify(id)));
    classes.filter(|(_, class)| *class != TraceClass::Live).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_waits_for_room_but_not_for_ever() {
        let budget = Budget::new(100);
        let first = budget.charge(90).unwrap();
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.charge_soon(20).await.is_some() }
        });
        while budget.waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        // Not more than a quarter of the budget may wait.
        assert!(budget.charge_soon(20).await.is_none());
        drop(first);
        assert!(waiting.await.unwrap());
        let again = budget.charge(90).unwrap();
        assert!(budget.charge_soon(20).await.is_none(), "the time is over");
        drop(again);
        assert_eq!((budget.used.load(Ordering::Acquire), budget.waiting.load(Ordering::Acquire)), (0, 0));
    }

    #[tokio::test]
    async fn what_is_decoded_is_charged_though_its_client_is_gone() {
        let (entered, has_entered) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let ends = Mutex::new((Some(entered), may_go_on));
        let classify = move |_| {
            let (entered, may_go_on) = &mut *ends.lock().unwrap();
            _ = entered.take().map(|entered| entered.send(()));
            // Until the other end is dropped.
            _ = may_go_on.recv();
            TraceClass::Live
        };
        let (queue, jobs) = mpsc::channel();
        let budget = Budget::new(1 << 20);
        let ingest = Ingest {
            queue,
            budget: Arc::clone(&budget),
            classify: Arc::new(classify),
            shared: Shared::new(crate::fold::Fold::new(crate::limits::Limits::default())),
            texts: TextsPool::default(),
        };
        let span = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
            "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001000000"}"#;
        let payload = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
        let charged = 2 * payload.len();
        let client = tokio::spawn(async move {
            ingest.take(RecordKind::Traces(crate::otlp::Format::Json), payload.into()).await
        });
        has_entered.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(budget.used.load(Ordering::Acquire), charged);
        let given_back = budget.given_back.notified();
        drop(go_on);
        given_back.await;
        assert_eq!(budget.used.load(Ordering::Acquire), 0);
        assert!(jobs.recv().is_err(), "nothing was taken");
    }
}
