//! Live users: real customers, for whom a drill must change nothing. They count what they did themselves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header;
use peakdrill_timebase::{MonoNs, OsClock};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Error;
use crate::config::LiveUsers;
use crate::db::schema::{ITEMS, sku};
use crate::files::{append_line, write_json};
use crate::slots::wait_until;

/// Most requests of live users under way at once; beyond that they are not sent, and counted as such.
const IN_FLIGHT_MAX: usize = 512;
/// The file with the counts.
pub const COUNTS_FILE: &str = "live-users.json";
/// The file with a line per completed order: its idempotency key and what became of it.
pub const ORDERS_FILE: &str = "live-orders.jsonl";

/// What the live users counted. In [`COUNTS_FILE`], renewed after each completed order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCounts {
    /// Orders sent.
    pub orders_sent: u64,
    /// Orders answered 201: each is exactly one live row.
    pub orders_placed: u64,
    /// Orders answered 4xx: no live row.
    pub orders_rejected: u64,
    /// Orders whose outcome is not known (5xx, or no answer): at most one live row each.
    pub orders_unknown: u64,
    /// Orders not sent, since too many were under way.
    pub orders_skipped: u64,
    /// Looks at the list of items answered 200.
    pub browses_ok: u64,
    /// Looks at the list of items that failed.
    pub browses_failed: u64,
}

/// The live users of one shop.
#[derive(Debug)]
pub(crate) struct Users {
    client: reqwest::Client,
    gateway: SocketAddr,
    clock: OsClock,
    rates: LiveUsers,
    dir: PathBuf,
    /// What the keys of this shop's live orders start with.
    prefix: String,
    counts: Mutex<LiveCounts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Order,
    Browse,
}

impl Users {
    pub(crate) fn new(
        client: reqwest::Client,
        gateway: SocketAddr,
        clock: OsClock,
        rates: LiveUsers,
        dir: &Path,
    ) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let prefix = format!("live-{:x}", since_epoch.as_millis());
        Self { client, gateway, clock, rates, dir: dir.to_owned(), prefix, counts: Mutex::default() }
    }

    /// Acts at an even trickle until `stop` is true, then waits for what is under way, no longer than to the
    /// deadline that `drain` says.
    pub(crate) async fn act(
        self: Arc<Self>,
        from: MonoNs,
        stop: watch::Receiver<bool>,
        drain: Duration,
    ) -> Result<(), Error> {
        let orders = Arc::clone(&self).trickle(Deed::Order, self.rates.orders_per_s, from, stop.clone());
        let browses = Arc::clone(&self).trickle(Deed::Browse, self.rates.browses_per_s, from, stop);
        let (orders, browses) = tokio::join!(orders, browses);
        let until = Instant::now() + drain;
        for mut under_way in [orders, browses] {
            while let Ok(Some(_)) = tokio::time::timeout_at(until, under_way.join_next()).await {}
            under_way.shutdown().await;
        }
        self.count(|counts| {
            let known = counts.orders_placed + counts.orders_rejected + counts.orders_unknown;
            counts.orders_unknown += counts.orders_sent.saturating_sub(known);
        });
        self.write()
    }

    async fn trickle(
        self: Arc<Self>,
        deed: Deed,
        per_s: f64,
        from: MonoNs,
        mut stop: watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut under_way = JoinSet::new();
        if per_s <= 0.0 {
            return under_way;
        }
        for number in 0_u64.. {
            let at = from.plus(((number as f64 + 0.5) * 1e9 / per_s) as u64);
            tokio::select! {
                () = wait_until(&self.clock, at) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            while under_way.try_join_next().is_some() {}
            if under_way.len() >= IN_FLIGHT_MAX {
                self.count(|counts| counts.orders_skipped += u64::from(deed == Deed::Order));
                continue;
            }
            let users = Arc::clone(&self);
            under_way.spawn(async move {
                match deed {
                    Deed::Order => users.order(number).await,
                    Deed::Browse => users.browse().await,
                }
            });
        }
        under_way
    }

    async fn order(&self, number: u64) {
        let key = format!("{}-{number}", self.prefix);
        let item = sku(i64::try_from(number).unwrap_or_default() % ITEMS);
        let body = json!({"idempotency_key": key, "sku": item, "qty": 1 + number % 3}).to_string();
        let url = format!("http://{}/orders", self.gateway);
        let request = self.client.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        self.count(|counts| counts.orders_sent += 1);
        let status = request.send().await.ok().map(|response| response.status().as_u16());
        let (outcome, place): (_, fn(&mut LiveCounts) -> &mut u64) = match status {
            Some(201) => ("placed", |counts| &mut counts.orders_placed),
            Some(400..500) => ("rejected", |counts| &mut counts.orders_rejected),
            _ => ("unknown", |counts| &mut counts.orders_unknown),
        };
        self.count(|counts| *place(counts) += 1);
        let line = json!({"key": key, "outcome": outcome, "status": status}).to_string();
        let written = append_line(&self.dir.join(ORDERS_FILE), &line).and_then(|()| self.write());
        if let Err(error) = written {
            tracing::warn!(%error, "the live users' counts could not be written");
        }
    }

    async fn browse(&self) {
        let answer = self.client.get(format!("http://{}/items", self.gateway)).send().await;
        let ok = answer.is_ok_and(|response| response.status() == http::StatusCode::OK);
        self.count(|counts| if ok { counts.browses_ok += 1 } else { counts.browses_failed += 1 });
    }

    fn count(&self, change: impl FnOnce(&mut LiveCounts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Leaves the counts as they are now in the shop's folder.
    pub(crate) fn write(&self) -> Result<(), Error> {
        // Written under the lock, so that an older count never replaces a newer one.
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        write_json(&self.dir.join(COUNTS_FILE), &*counts)
    }
}
