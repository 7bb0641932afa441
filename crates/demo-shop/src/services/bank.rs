//! The bank: a third party, without telemetry of ours. It counts who calls.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use bytes::Bytes;
use http::HeaderMap;
use peakdrill_shadow_tag::{DEFAULT_HEADER, Fields, Traceparent, Verifier, baggage, traceparent};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::payment::Charged;
use super::{BODY_MAX_BYTES, parse};
use crate::Error;
use crate::failure::Failure;
use crate::files::write_json;
use crate::slots::Slots;

/// Shortest time between two writings of the counts.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// The bank.
#[derive(Debug)]
pub(crate) struct Bank {
    pub(crate) slots: Slots,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) counts: Counts,
}

/// Who called the bank. In `bank.json`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: AtomicU64,
    shadow: AtomicU64,
    tagged: AtomicU64,
    marked: AtomicU64,
    stamped: AtomicU64,
    changed: Notify,
}

#[derive(Debug, Serialize)]
struct CountsFile {
    /// All calls.
    calls: u64,
    /// Calls that carried a token, valid or not, or a marked trace id: each one has leaked.
    shadow_calls: u64,
    /// Those that carried a token.
    tagged_calls: u64,
    /// Those that carried a marked trace id.
    marked_calls: u64,
    /// Calls that carried the live stamp, which nobody outside needs to see.
    stamped_calls: u64,
}

impl Bank {
    pub(crate) fn routes(self: Arc<Self>) -> axum::Router {
        axum::Router::new()
            .route("/pay", post(pay))
            .route("/healthz", get(async || "ok"))
            .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
            .with_state(self)
    }

    fn count(&self, headers: &HeaderMap) {
        let fields: Fields<'_> =
            headers.get_all(baggage::HEADER).iter().map(http::HeaderValue::as_bytes).collect();
        let (stamped, in_baggage) = match baggage::find(&fields) {
            Ok(None) => (false, false),
            Ok(Some(member)) => (member.is_live(), !member.is_live()),
            Err(_) => (false, true),
        };
        let runs = self.verifier.runs();
        let marked = headers
            .get_all(traceparent::HEADER)
            .iter()
            .filter_map(|value| Traceparent::parse(value.as_bytes()).ok())
            .any(|parent| runs.find_mark(parent.trace_id).is_some());
        self.counts.add(headers.contains_key(DEFAULT_HEADER) || in_baggage, marked, stamped);
    }
}

impl Counts {
    fn add(&self, tagged: bool, marked: bool, stamped: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let seen = [
            (&self.shadow, tagged || marked),
            (&self.tagged, tagged),
            (&self.marked, marked),
            (&self.stamped, stamped),
        ];
        for (counter, seen) in seen {
            counter.fetch_add(u64::from(seen), Ordering::Relaxed);
        }
        self.changed.notify_one();
    }

    /// Keeps the file as new as the counts, until `stopped` is true.
    pub(crate) async fn keep_written(
        &self,
        path: PathBuf,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        loop {
            self.write(&path)?;
            tokio::select! {
                () = self.changed.notified() => {}
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            }
            tokio::time::sleep(WRITE_INTERVAL).await;
        }
    }

    pub(crate) fn write(&self, path: &std::path::Path) -> Result<(), Error> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let file = CountsFile {
            calls: read(&self.calls),
            shadow_calls: read(&self.shadow),
            tagged_calls: read(&self.tagged),
            marked_calls: read(&self.marked),
            stamped_calls: read(&self.stamped),
        };
        write_json(path, &file)
    }
}

async fn pay(
    State(bank): State<Arc<Bank>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Charged>, Failure> {
    bank.count(&headers);
    let payment: Value = parse(&body)?;
    if payment.get("amount_cents").and_then(Value::as_i64).is_none_or(|cents| cents <= 0) {
        return Err(Failure::invalid(json!({"amount_cents": "must be more than 0"})));
    }
    bank.slots.serve().await?;
    let number = bank.counts.calls.load(Ordering::Relaxed);
    Ok(Json(Charged { reference: format!("bank-{number}") }))
}
