//! What the receivers let in: decoded, classified, within the budget, and answered when it is in the journal.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use peakdrill_bottleneck::TraceClass;
use peakdrill_trace_model::Span;
use tokio::sync::oneshot;

use super::body::{self, Packing, Received, Unpacked};
use super::budget::{Budget, Charge};
use crate::counters::counter;
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
    /// Its body took too long to come: try again.
    #[error("the body did not come within {} s; try again", .0.as_secs_f64())]
    Slow(Duration),
    /// It is larger than so many bytes: do not try again.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
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
    /// How long the body of a request may take to come.
    pub(crate) body_time_max: Duration,
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
    /// Takes a request whose body has come. Returns how many of its items were rejected, once the rest is in the journal.
    pub(crate) async fn take(
        &self,
        kind: RecordKind,
        packing: Option<Packing>,
        received: Result<Received, Refused>,
    ) -> Result<u64, Refused> {
        let result = match received {
            Ok(received) => self.admit(kind, packing, received).await,
            Err(refused) => Err(refused),
        };
        let name = match &result {
            Ok(_) | Err(Refused::Ended) => return result,
            Err(Refused::Overloaded) => counter::OVERLOADED,
            Err(Refused::Slow(_)) => counter::SLOW,
            Err(Refused::Malformed(_) | Refused::TooLarge(_)) => counter::MALFORMED,
            Err(Refused::Journal(_)) => counter::JOURNAL_FAILED,
            Err(Refused::Full(_)) => counter::JOURNAL_FULL,
        };
        self.shared.count(name, 1);
        result
    }

    async fn admit(
        &self,
        kind: RecordKind,
        packing: Option<Packing>,
        received: Received,
    ) -> Result<u64, Refused> {
        let ((record, event, rejected), charge) = self.decoded(kind, packing, received).await?;
        let (ack, acked) = oneshot::channel();
        let job = Job { record, event, charge, ack: Some(ack) };
        if !self.shared.hand_in(&self.queue, job) {
            return Err(Refused::Ended);
        }
        acked.await.map_err(|_| Refused::Ended)??;
        Ok(rejected)
    }

    /// A request's body, unpacked when there is room for it, and decoded.
    async fn decoded(
        &self,
        kind: RecordKind,
        packing: Option<Packing>,
        mut received: Received,
    ) -> Result<(Decoded, Charge), Refused> {
        let recv_ns = now_ns();
        let mut likely = body::likely_unpacked(&received);
        loop {
            if packing.is_some() && !body::charge_unpacked(&mut received, likely).await {
                return Err(Refused::Overloaded);
            }
            let (classify, texts) = (Arc::clone(&self.classify), self.texts.clone());
            // Unpacking and decoding take milliseconds: connections are served meanwhile. The charge goes with the payload:
            // when the client goes away this future is dropped, and the decoder works on.
            let decoded = tokio::task::spawn_blocking(move || {
                let unpacked = match packing {
                    Some(packing) => body::unpack(received, packing)?,
                    None => Unpacked::Whole(received),
                };
                let unpacked = match unpacked {
                    Unpacked::Whole(unpacked) => unpacked,
                    Unpacked::NoRoom(packed, likely) => return Ok(Err((packed, likely))),
                };
                let Received { bytes: payload, charge } = unpacked;
                let record = Record { kind, recv_ns, classes: Vec::new(), payload };
                Ok::<_, Refused>(Ok((texts.with(|texts| decode(record, &classify, texts))?, charge)))
            });
            let Ok(decoded) = decoded.await else {
                return Err(Malformed::new("it broke the decoder".to_owned()).into());
            };
            match decoded? {
                Ok(decoded) => return Ok(decoded),
                Err(packed) => (received, likely) = packed,
            }
        }
    }
}

/// The record of a request, what it says, and how many of its items cannot be used.
type Decoded = (Record, Event, u64);

/// The record of a request with the classes of its traces, what it says, and how many of its items cannot be used.
fn decode(mut record: Record, classify: &Classify, texts: &mut Texts) -> Result<Decoded, Malformed> {
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

    fn ingest(budget: &Arc<Budget>, classify: Classify) -> (Ingest, mpsc::Receiver<Job>) {
        let (queue, jobs) = mpsc::channel();
        let ingest = Ingest {
            queue,
            budget: Arc::clone(budget),
            classify,
            shared: Shared::new(crate::fold::Fold::new(crate::limits::Limits::default())),
            texts: TextsPool::default(),
            body_time_max: Duration::from_secs(60),
        };
        (ingest, jobs)
    }

    /// Bytes that cannot be packed, and ten times as many that can; no request.
    fn packed_well() -> (Vec<u8>, usize) {
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 56) as u8
        });
        let body: Vec<u8> = noise.take(16 << 10).chain(std::iter::repeat_n(0xff, 160 << 10)).collect();
        let packed = zstd::encode_all(&body[..], 3).unwrap();
        assert!(body.len() > 10 * packed.len());
        (packed, body.len())
    }

    #[tokio::test]
    async fn a_body_that_grows_by_more_than_most_waits_for_room() {
        let (packed, length) = packed_well();
        let budget = Budget::new(1 << 20);
        let (ingest, _jobs) = ingest(&budget, Arc::new(|_| TraceClass::Live));
        let take = |charge| {
            let received = Ok(Received { bytes: packed.clone().into(), charge });
            ingest.take(RecordKind::Traces(crate::otlp::Format::Protobuf), Some(Packing::Zstd), received)
        };
        // There is room for what it may be, and not for what it is.
        let charge = budget.charge((8 << 10) + 2 * packed.len()).unwrap();
        let held = budget.charge((1 << 20) - charge.bytes() - 5 * 2 * packed.len()).unwrap();
        let give_way = async {
            budget.wanted().await;
            drop(held);
        };
        // It must be waiting before it is called: it is not called twice.
        let ((), taken) = tokio::join!(give_way, take(charge));
        // It was unpacked and looked at.
        assert!(matches!(taken, Err(Refused::Malformed(_))), "{taken:?}");
        assert!(budget.most() <= 1 << 20 && budget.most() > 2 * length);
        // Where none comes it is told to try again, and nothing is left of it.
        let charge = budget.charge((8 << 10) + 2 * packed.len()).unwrap();
        let held = budget.charge((1 << 20) - charge.bytes() - 5 * 2 * packed.len()).unwrap();
        assert_eq!(take(charge).await, Err(Refused::Overloaded));
        drop(held);
        assert!(budget.charge(1 << 20).is_some());
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
        let budget = Budget::new(1 << 20);
        let (ingest, jobs) = ingest(&budget, Arc::new(classify));
        let span = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
            "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001000000"}"#;
        let payload = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
        let charge = budget.charge(1_000).unwrap();
        let client = tokio::spawn(async move {
            let received = Ok(Received { bytes: payload.into(), charge });
            ingest.take(RecordKind::Traces(crate::otlp::Format::Json), None, received).await
        });
        has_entered.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert!(budget.charge(1 << 20).is_none(), "it is still held");
        let mut again = budget.charge((1 << 20) - 1_000).unwrap();
        drop(go_on);
        assert!(again.grow_soon(1_000).await);
        assert!(jobs.recv().is_err(), "nothing was taken");
    }
}
