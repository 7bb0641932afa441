//! A database of a service: what is asked of it, the span around it, and its limited capacity.
//!
//! Waiting for a slot and being served come first, the SQL after: no transaction is held open for the time that
//! makes the capacity.

mod pool;
pub(crate) mod schema;
mod value;

use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SdkTracer;
use tokio::sync::Mutex;

pub(crate) use pool::{Place, Pool, PoolError};
pub(crate) use value::{Row, Statement, Value};

use crate::failure::Failure;
use crate::slots::Slots;
use crate::trace::{self, Incoming};

/// A database, by the name that traces and verdict use.
#[derive(Debug)]
pub(crate) struct Database {
    name: &'static str,
    pool: Pool,
    tracer: SdkTracer,
    /// Its limited capacity; without, it is as fast as it is.
    slots: Option<Slots>,
    /// SQLite has one writer at a time: whoever waits here does not wait in SQLite's own, coarser way.
    writer: Mutex<()>,
}

impl Database {
    pub(crate) fn new(name: &'static str, pool: Pool, tracer: SdkTracer, slots: Option<Slots>) -> Self {
        Self { name, pool, tracer, slots, writer: Mutex::new(()) }
    }

    /// Runs the statements in one transaction and tells how many rows each changed.
    pub(crate) async fn write(
        &self,
        work: &Incoming,
        summary: &'static str,
        statements: &[Statement],
    ) -> Result<Vec<u64>, Failure> {
        let span = self.span(work, summary);
        let outcome = async {
            self.wait_for_slot().await?;
            if !self.pool.is_sqlite() {
                return Ok(self.pool.write(statements).await?);
            }
            let _writer = self.writer.lock().await;
            Ok(self.pool.write(statements).await?)
        };
        finish(span, outcome.await)
    }

    /// Reads rows.
    pub(crate) async fn read(
        &self,
        work: &Incoming,
        summary: &'static str,
        statement: &Statement,
    ) -> Result<Vec<Row>, Failure> {
        let span = self.span(work, summary);
        let outcome = async {
            self.wait_for_slot().await?;
            Ok(self.pool.read(statement).await?)
        };
        finish(span, outcome.await)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    async fn wait_for_slot(&self) -> Result<(), Failure> {
        match &self.slots {
            Some(slots) => Ok(slots.serve().await?),
            None => Ok(()),
        }
    }

    fn span(&self, work: &Incoming, summary: &'static str) -> trace::OpenSpan {
        let system = if self.pool.is_sqlite() { "sqlite" } else { "postgresql" };
        let attributes = vec![
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.query.summary", summary),
            KeyValue::new("service.peer.name", self.name),
        ];
        trace::open(&self.tracer, SpanKind::Client, summary, attributes, work)
    }
}

fn finish<T>(span: trace::OpenSpan, outcome: Result<T, Failure>) -> Result<T, Failure> {
    span.end(outcome.as_ref().err().map(|failure| failure.code));
    outcome
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Refused { code, text } => Self::refused(code, text),
            PoolError::Failed(text) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "database", text),
        }
    }
}
