//! Serves the table of runs to hops: `GET /v1/runs`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use peakdrill_shadow_tag::RunTable;
use peakdrill_timebase::{Clock, OsClock};

use crate::authority::Authority;
use crate::error::ControlError;
use crate::hearers::Hearers;

/// A served table of runs. Dropping it ends the service: hops then hear nothing and, a minute later, start
/// nothing.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    hearers: Arc<Hearers>,
}

type Shared = (Arc<Authority>, OsClock, Arc<Hearers>);

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
        let hearers = Arc::new(Hearers::default());
        let app = axum::Router::new()
            .route("/v1/runs", axum::routing::get(runs))
            .with_state((authority, clock, Arc::clone(&hearers)))
            .into_make_service_with_connect_info::<SocketAddr>();
        let serve = move || {
            let served = axum::serve(listener, app).with_graceful_shutdown(async move {
                let _ = stopped.await;
            });
            if let Err(error) = runtime.block_on(async { served.await }) {
                tracing::warn!(%error, "the registry of runs ended");
            }
        };
        let thread = std::thread::Builder::new().name("pd-registry".into()).spawn(serve).map_err(failed)?;
        Ok(Self { address: bound, stop: Some(stop), thread: Some(thread), hearers })
    }

    /// Where hops read it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1/runs", self.address)
    }

    /// Waits until the hops have read the table as it is since `since`, at most until `limit` later. Whether all
    /// have.
    #[must_use]
    pub fn told(&self, since: Instant, limit: Duration) -> bool {
        self.hearers.all_heard(since, limit)
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

async fn runs(
    State((authority, clock, hearers)): State<Shared>,
    ConnectInfo(hop): ConnectInfo<SocketAddr>,
) -> impl IntoResponse {
    // Taken before the table is read: what changes in between is news that the hop has not heard.
    let at = Instant::now();
    let json = authority.table_json(unix_s(&clock));
    hearers.heard(hop, at);
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json)
}

/// Unix seconds of a clock.
pub(crate) fn unix_s(clock: &OsClock) -> u64 {
    u64::try_from(clock.unix().seconds()).unwrap_or(0)
}

/// The runs known from earlier drills, kept in a file so that late messages of a closed run are recognised.
#[derive(Debug, Clone)]
pub struct RunsFile(pub PathBuf);

/// Keeps other drills off the file of runs until it is dropped.
#[derive(Debug)]
pub struct RunsLock {
    _file: std::fs::File,
}

impl RunsFile {
    /// Takes the file for one drill: two that write it would each lose the other's run.
    ///
    /// # Errors
    /// When another drill has it, or the lock beside it cannot be made.
    pub fn lock(&self) -> Result<RunsLock, ControlError> {
        let path = self.0.with_extension("lock");
        let failed = |text: String| ControlError::Registry(format!("{}: {text}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        let open = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(|error| failed(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(RunsLock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(failed(
                "another drill uses this file of runs: wait for its end, or give another --runs-file".into(),
            )),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error.to_string())),
        }
    }

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
