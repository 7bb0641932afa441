//! Ships what was ordered: the consumer of the queue.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use peakdrill_shadow_router as router;
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::order::OrderPlaced;
use super::parse;
use crate::db::{Database, Statement};
use crate::failure::Failure;
use crate::files::append_line;
use crate::hop::Hop;
use crate::queue::{DESTINATION, Message, Queued};
use crate::slots::wait_until;
use crate::trace::{self, Incoming, OpenSpan};

const SHIP: &str = "INSERT INTO shipments (order_id, idempotency_key, sku, qty) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (order_id) DO NOTHING";
/// Most messages that are set aside in the file; more are only counted.
const QUARANTINE_MAX_MESSAGES: u64 = 10_000;
/// Most messages being processed at once while the queue is drained.
const PROCESSING_MAX: usize = 256;

/// The consumer.
#[derive(Debug)]
pub(crate) struct Fulfilment {
    pub(crate) hop: Hop,
    pub(crate) db: Arc<Database>,
    pub(crate) clock: OsClock,
    /// The file of messages that were set aside, and how many there are.
    pub(crate) quarantine: PathBuf,
    pub(crate) set_aside: AtomicU64,
}

impl Fulfilment {
    /// Processes messages until all senders are gone. Once `draining` is true, what is left is processed without
    /// waiting for its turn.
    pub(crate) async fn consume(
        self: Arc<Self>,
        mut messages: mpsc::Receiver<Queued>,
        mut draining: watch::Receiver<bool>,
    ) {
        let mut processing = JoinSet::new();
        while let Some(queued) = messages.recv().await {
            self.wait(queued.booking.start, &mut draining).await;
            while processing.try_join_next().is_some() {}
            while processing.len() >= PROCESSING_MAX {
                processing.join_next().await;
            }
            let (fulfilment, mut draining) = (Arc::clone(&self), draining.clone());
            processing.spawn(async move { fulfilment.process(queued, &mut draining).await });
        }
        while processing.join_next().await.is_some() {}
    }

    async fn wait(&self, until: MonoNs, draining: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = wait_until(&self.clock, until) => {}
            // The sender lives as long as the shop; without it, there is nothing left to wait for.
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }

    async fn process(&self, queued: Queued, draining: &mut watch::Receiver<bool>) {
        let Queued { booking, message } = queued;
        let sender = Incoming::from_headers(&message.headers);
        let span = self.span(booking.start, &sender);
        self.wait(booking.deadline, draining).await;
        let outcome = self.guarded(&span, &message).await;
        if let Err(failure) = &outcome {
            self.set_aside(failure, &message);
        }
        span.end(outcome.err().map(|failure| failure.code));
    }

    fn span(&self, start: MonoNs, sender: &Incoming) -> OpenSpan {
        // A message that is drained starts before its turn: now.
        let start = start.min(self.clock.mono());
        let unix_ns = self.clock.unix_at_origin().0.saturating_add_unsigned(start.0);
        let since_epoch = Duration::from_nanos(u64::try_from(unix_ns).unwrap_or_default());
        let builder = SpanBuilder::from_name(format!("process {DESTINATION}"))
            .with_kind(SpanKind::Consumer)
            .with_start_time(SystemTime::UNIX_EPOCH + since_epoch)
            .with_attributes([
                KeyValue::new("messaging.system", "demo"),
                KeyValue::new("messaging.destination.name", DESTINATION),
                KeyValue::new("messaging.operation.type", "process"),
                KeyValue::new("messaging.operation.name", "process"),
            ]);
        trace::start(builder, &self.hop.tracer, sender)
    }

    /// Decides whose work the message is, and does it as that.
    async fn guarded(&self, span: &OpenSpan, message: &Message) -> Result<(), Failure> {
        let Some(router) = &self.hop.router else {
            return self.ship(span.work(), message).await;
        };
        match router.accept_message(&message.headers) {
            Ok(router::Message::Process(work)) => {
                if work.is_shadow() {
                    span.mark_synthetic();
                }
                router::with(work, self.ship(span.work(), message)).await
            }
            Ok(router::Message::Quarantine(run)) => {
                Err(Failure::refused("run_closed", format!("a message of the closed run {run}")))
            }
            Err(error) => {
                let code = error.refused().map_or("refused", |refused| refused.code());
                Err(Failure::refused(code, error))
            }
        }
    }

    async fn ship(&self, work: &Incoming, message: &Message) -> Result<(), Failure> {
        let placed: OrderPlaced = parse(&message.body)?;
        let OrderPlaced { order_id, idempotency_key, sku, qty } = placed;
        let values =
            [order_id.as_str().into(), idempotency_key.as_str().into(), sku.as_str().into(), qty.into()];
        self.db.write(work, "INSERT shipments", &[Statement::new(SHIP, values)]).await?;
        Ok(())
    }

    /// A message that cannot be processed is acknowledged and set aside; never put back, or it would come again
    /// for ever.
    fn set_aside(&self, failure: &Failure, message: &Message) {
        let number = self.set_aside.fetch_add(1, Ordering::Relaxed);
        if number >= QUARANTINE_MAX_MESSAGES {
            return;
        }
        let code = failure.refused.as_ref().and_then(|code| code.to_str().ok()).unwrap_or(failure.code);
        let body = String::from_utf8_lossy(&message.body);
        let line = json!({"code": code, "message": failure.message, "body": body});
        if let Err(error) = append_line(&self.quarantine, &line.to_string()) {
            tracing::warn!(%error, "a message could not be set aside");
        }
    }
}
