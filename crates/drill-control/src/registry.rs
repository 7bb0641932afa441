//! Serves the table of runs to hops: `GET /v1/runs`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use peakdrill_shadow_tag::RunTable;
use peakdrill_timebase::{Clock, OsClock};

use crate::authority::Authority;
use crate::error::ControlError;

/// A served table of runs. Dropping it ends the service: hops then hear nothing and, a minute later, start
/// nothing.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

type Shared = (Arc<Authority>, OsClock);

impl Registry {
    /// Serves an authority's table.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn serve(
        authority: Arc<Authority>,
        address: SocketAddr,
        clock: OsClock,
    ) -> Result<Self, ControlError> {
        let failed = |error: std::io::Error| ControlError::Registry(format!("{address}: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app =
            axum::Router::new().route("/v1/runs", axum::routing::get(runs)).with_state((authority, clock));
        let serve = move || {
            let served = axum::serve(listener, app).with_graceful_shutdown(async move {
                let _ = stopped.await;
            });
            if let Err(error) = runtime.block_on(async { served.await }) {
                tracing::warn!(%error, "the registry of runs ended");
            }
        };
        let thread = std::thread::Builder::new().name("pd-registry".into()).spawn(serve).map_err(failed)?;
        Ok(Self { address: bound, stop: Some(stop), thread: Some(thread) })
    }

    /// Where hops read it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1/runs", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // Not joined: a hop may keep its connection open, and nothing of the record depends on this thread.
        drop(self.thread.take());
    }
}

async fn runs(State((authority, clock)): State<Shared>) -> impl IntoResponse {
    let json = authority.table_json(unix_s(&clock));
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json)
}

/// Unix seconds of a clock.
pub(crate) fn unix_s(clock: &OsClock) -> u64 {
    u64::try_from(clock.unix().seconds()).unwrap_or(0)
}

/// The runs known from earlier drills, kept in a file so that late messages of a closed run are recognised.
#[derive(Debug, Clone)]
pub struct RunsFile(pub PathBuf);

impl RunsFile {
    /// Reads the table; an absent file is an empty table.
    ///
    /// # Errors
    /// When the file is there and cannot be read: guessing could make a known run unknown.
    pub fn load(&self, now_unix_s: u64) -> Result<RunTable, ControlError> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => RunTable::from_json(&text)
                .map_err(|error| ControlError::Registry(format!("{}: {error}", self.0.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(RunTable::new(now_unix_s)),
            Err(error) => Err(ControlError::Registry(format!("{}: {error}", self.0.display()))),
        }
    }

    /// Writes the table, readable by the owner alone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, json: &str) -> Result<(), ControlError> {
        crate::record::files::write_atomic(&self.0, json.as_bytes(), 0o600)
    }
}
