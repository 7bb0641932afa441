//! News of runs, from where drill control leaves them.

use std::path::PathBuf;
use std::time::Duration;

use peakdrill_shadow_tag::{RUN_TABLE_MAX_BYTES, RunTable, STALE_AFTER_S};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::router::Router;

/// How often the registry is asked.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How it stands with the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegistryState {
    /// When the table in force was made, Unix time in seconds; `None` before the first.
    pub at_unix_s: Option<u64>,
    /// Failures since the last success; a table that is dated in the future is one. The last good table stays in force;
    /// past 60 s without news, all its runs count as draining.
    pub failures: u64,
}

/// Keeps the router's run table new. Ends when it is dropped.
#[derive(Debug)]
pub struct RegistryPoller {
    task: JoinHandle<()>,
    state: watch::Receiver<RegistryState>,
}

#[derive(Debug)]
enum Source {
    Http { client: reqwest::Client, url: reqwest::Url },
    File(PathBuf),
}

impl RegistryPoller {
    /// Asks an HTTP endpoint, such as the one that drill control serves.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::spawn`] does: it asks in a task of the runtime.
    ///
    /// # Errors
    /// When the URL is none, or no client can be made.
    pub fn http(router: &Router, url: &str) -> Result<Self, Error> {
        let url = url.parse().map_err(|_| Error::config("the registry's address is not a URL"))?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_TIMEOUT)
            .build()?;
        Ok(Self::start(router, Source::Http { client, url }))
    }

    /// Reads a file.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::spawn`] does: it reads in a task of the runtime.
    #[must_use]
    pub fn file(router: &Router, path: impl Into<PathBuf>) -> Self {
        Self::start(router, Source::File(path.into()))
    }

    /// How it stands now.
    #[must_use]
    pub fn state(&self) -> RegistryState {
        *self.state.borrow()
    }

    /// Waits for the next answer, good or bad.
    pub async fn next(&mut self) -> RegistryState {
        // The sender lives as long as the task, which lives as long as this.
        let _changed = self.state.changed().await;
        *self.state.borrow_and_update()
    }

    fn start(router: &Router, source: Source) -> Self {
        let (sender, state) = watch::channel(RegistryState::default());
        let router = router.clone();
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(POLL_INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let read = source.read().await;
                sender.send_modify(|state| apply(&router, state, read));
            }
        });
        Self { task, state }
    }
}

impl Drop for RegistryPoller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn apply(router: &Router, state: &mut RegistryState, read: Result<RunTable, Error>) {
    // Against a table of tomorrow all others would be old until then: one wrong clock would stop all news.
    let latest = router.0.now_unix_s().saturating_add(STALE_AFTER_S);
    let read = read.and_then(|table| match table.at_unix_s() {
        at if at > latest => Err(Error::config("the run table is dated in the future: a clock is wrong")),
        _ => Ok(table),
    });
    match read {
        Ok(table) => {
            let merged = merged(&router.verifier().runs(), table, latest);
            *state = RegistryState { at_unix_s: Some(merged.at_unix_s()), failures: 0 };
            router.verifier().replace_runs(merged);
        }
        Err(error) => {
            if state.failures == 0 {
                tracing::warn!(%error, "no news from the run registry: the last table stays in force");
            }
            state.failures = state.failures.saturating_add(1);
        }
    }
}

/// The table that is in force from now on. One in force that is dated in the future, as when this hop's clock was set
/// back since, gives way to any other.
fn merged(in_force: &RunTable, table: RunTable, latest_unix_s: u64) -> RunTable {
    if in_force.at_unix_s() <= latest_unix_s {
        return in_force.merged_into(table);
    }
    let mut dated = in_force.clone();
    dated.set_at(table.at_unix_s());
    dated.merged_into(table)
}

impl Source {
    async fn read(&self) -> Result<RunTable, Error> {
        let text = match self {
            Self::Http { client, url } => {
                let response = client.get(url.clone()).send().await?.error_for_status()?;
                bounded_body(response).await?
            }
            Self::File(path) => bounded_file(path).await?,
        };
        let text = std::str::from_utf8(&text).map_err(|_| Error::config("the run table is not text"))?;
        RunTable::from_json(text).map_err(|error| Error::config(error.to_string()))
    }
}

async fn bounded_body(mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > RUN_TABLE_MAX_BYTES {
            return Err(Error::body_too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn bounded_file(path: &PathBuf) -> Result<Vec<u8>, Error> {
    let unreadable = |error: std::io::Error| Error::config(format!("the run table cannot be read: {error}"));
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = Vec::new();
    file.take(RUN_TABLE_MAX_BYTES as u64 + 1).read_to_end(&mut text).await.map_err(unreadable)?;
    if text.len() > RUN_TABLE_MAX_BYTES {
        return Err(Error::body_too_long());
    }
    Ok(text)
}
