//! A shop's life: prepared, open, drained, closed.

mod assemble;
mod prepare;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use peakdrill_timebase::{Clock as _, OsClock};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Error;
use crate::config::Config;
use assemble::Shop;
use prepare::Listeners;

/// How long a shop that is told to stop finishes what is under way.
pub const DRAIN_MAX: Duration = Duration::from_secs(2);
/// How long the last telemetry has to leave after that.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// Where a shop that is open can be reached. One line of JSON for whoever started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Base URL of the gateway: the way in.
    pub gateway: String,
    /// Base URL of the order service.
    pub order: String,
    /// Base URL of the stock service.
    pub stock: String,
    /// Base URL of the payment service.
    pub payment: String,
    /// Base URL of the bank outside.
    pub bank: String,
    /// Connection strings of the databases, by name: `order-db`, `stock-db`, `payment-db`, `fulfilment-db`.
    pub databases: BTreeMap<String, String>,
    /// The shop's folder.
    pub dir: PathBuf,
}

/// Runs a shop until `shutdown` resolves. `ready` is called once, when all listeners are up.
///
/// Needs a multi-thread tokio runtime. In the shop's folder it leaves its databases, `rules/<service>.json`,
/// `truth.json`, `bank.json`, `live-users.json`, `live-orders.jsonl` and, if there was any, `quarantine.jsonl`.
///
/// # Errors
/// [`Error`] when the shop cannot be set up, or one of its servers fails.
pub async fn run(
    config: Config,
    ready: impl FnOnce(&Addresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    prepare::raise_open_files();
    prepare::folder(&config)?;
    prepare::databases(&config).await?;
    let listeners = Listeners::open().await?;
    let addresses = listeners.addresses(&config);
    let clock = OsClock::new();
    let verifier = assemble::verifier(&config)?;
    // Followed until the shop has closed: what is drained is still judged.
    let _registry = assemble::follow_registry(&config, &verifier).await?;
    let mut shop = Shop::assemble(&config, listeners, verifier, clock).await?;
    shop.start_users(&config, clock.mono())?;
    ready(&addresses);
    let failed = tokio::select! {
        () = shutdown => None,
        failed = shop.servers.join_next() => failed,
    };
    let closed = shop.close().await;
    match failed {
        Some(Ok(outcome)) => outcome.and(closed),
        _ => closed,
    }
}

impl Shop {
    /// Finishes what is under way, in the order in which work flows, and flushes what is to be told.
    async fn close(mut self) -> Result<(), Error> {
        let until = Instant::now() + DRAIN_MAX;
        self.stop_users.send_replace(true);
        let users = all(&mut self.users, until).await;
        self.stop_servers.send_replace(true);
        let servers = all(&mut self.servers, until).await;
        self.drain_queue.send_replace(true);
        // The consumer ends when nobody can send any more; work that outlived the deadline is cut off.
        let consumer = all(&mut self.consumer, until.max(Instant::now() + DRAIN_MAX / 4)).await;
        self.bank.counts.write(&self.bank_file)?;
        for database in &self.databases {
            // A connection that is still in use is closed with the process.
            let _ = timeout(DRAIN_MAX / 4, database.close()).await;
        }
        let telemetry = std::mem::take(&mut self.telemetry);
        let flush = tokio::task::spawn_blocking(move || {
            std::thread::scope(|scope| {
                for service in &telemetry {
                    scope.spawn(|| service.shutdown());
                }
            });
        });
        let _ = timeout(FLUSH_MAX, flush).await;
        users.and(servers).and(consumer)
    }
}

/// Waits for all tasks until the deadline, then aborts those that are left.
async fn all(tasks: &mut JoinSet<Result<(), Error>>, until: Instant) -> Result<(), Error> {
    let mut outcome = Ok(());
    while let Ok(Some(ended)) = timeout_at(until, tasks.join_next()).await {
        if let (Ok(()), Ok(Err(error))) = (&outcome, ended) {
            outcome = Err(error);
        }
    }
    tasks.shutdown().await;
    outcome
}
