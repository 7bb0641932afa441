//! A shop with keys, a registry and a receiver of its own, and someone who can tag requests.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peakdrill_demo_shop::{
    Addresses, Bottleneck, Config, Error, LiveUsers, Mistakes, OrderDatabase, Registry,
};
use peakdrill_shadow_tag::{
    EnvId, MarkKey, MarkSecret, RunEntry, RunId, RunState, RunTable, SigningKey, VerifyingKeys,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::otlp::{Receiver, Span};

/// Longest time that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Who may tag: drill control's half of a run.
pub(crate) struct Control {
    pub(crate) env: EnvId,
    pub(crate) run: RunId,
    pub(crate) key: SigningKey,
    pub(crate) mark: MarkKey,
    low: AtomicU64,
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Control {
    pub(crate) fn new() -> Self {
        let (env, run) = ("test".parse().unwrap(), "run-1".parse().unwrap());
        let mark = MarkKey::derive(&MarkSecret::from_bytes([7; 32]), env, run);
        let key = SigningKey::from_seed("k1".parse().unwrap(), &[1; 32]);
        Self { env, run, key, mark, low: AtomicU64::new(1) }
    }

    pub(crate) fn keys_json(&self) -> String {
        let mut keys = VerifyingKeys::default();
        keys.add(self.key.kid(), self.key.public()).unwrap();
        keys.to_json()
    }

    pub(crate) fn runs_json(&self, state: RunState) -> String {
        let mut runs = RunTable::new(now_s());
        runs.insert(RunEntry { run: self.run, env: self.env, state, mark_key: self.mark }).unwrap();
        runs.to_json()
    }

    pub(crate) fn token(&self) -> String {
        self.key.mint_lease(self.env, self.run, now_s()).unwrap().as_str().to_owned()
    }

    /// A fresh marked trace and its `traceparent`.
    pub(crate) fn trace(&self) -> (String, String) {
        let low = self.low.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let trace = self.mark.trace_id(NonZeroU64::new(low).unwrap()).to_string();
        (trace.clone(), format!("00-{trace}-{low:016x}-01"))
    }

    /// The headers of a tagged request, and its trace id.
    pub(crate) fn tag(&self) -> (Vec<(&'static str, String)>, String) {
        let (trace, traceparent) = self.trace();
        let token = self.token();
        let baggage = format!("peakdrill={token}");
        (vec![("x-peakdrill", token), ("baggage", baggage), ("traceparent", traceparent)], trace)
    }
}

/// A shop that is open.
pub(crate) struct Shop {
    pub(crate) addresses: Addresses,
    pub(crate) config: Config,
    pub(crate) control: Control,
    pub(crate) otlp: Receiver,
    pub(crate) dir: TempDir,
    pub(crate) client: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

/// What an HTTP request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: serde_json::Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Shop {
    /// Opens a shop without live users, changed as the test wants.
    pub(crate) async fn open(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::new();
        let (keys, runs) = (dir.path().join("keys.json"), dir.path().join("runs.json"));
        std::fs::write(&keys, control.keys_json()).unwrap();
        std::fs::write(&runs, control.runs_json(RunState::Running)).unwrap();
        let otlp = Receiver::start(true).await;
        let mut config = Config {
            dir: dir.path().join("shop"),
            otlp: Some(otlp.endpoint()),
            registry: Registry::File(runs),
            keys,
            env: control.env,
            bottleneck: Bottleneck::None,
            seed: 1,
            orders: OrderDatabase::Sqlite,
            rules: None,
            live: LiveUsers { orders_per_s: 0.0, browses_per_s: 0.0 },
            mistakes: Mistakes::default(),
        };
        change(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, opened) = oneshot::channel();
        let ready = move |addresses: &Addresses| drop(ready.send(addresses.clone()));
        let shutdown = async { drop(stopped.await) };
        let mut task = tokio::spawn(peakdrill_demo_shop::run(config.clone(), ready, shutdown));
        let addresses = tokio::select! {
            addresses = opened => addresses.unwrap(),
            ended = &mut task => panic!("the shop did not open: {ended:?}"),
        };
        Self { addresses, config, control, otlp, dir, client: reqwest::Client::new(), stop, task }
    }

    pub(crate) async fn send(
        &self,
        request: reqwest::RequestBuilder,
        headers: &[(&'static str, String)],
    ) -> Answer {
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = tokio::time::timeout(PATIENCE, request.send()).await.unwrap().unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, url: String, headers: &[(&'static str, String)]) -> Answer {
        self.send(self.client.get(url), headers).await
    }

    pub(crate) async fn post(
        &self,
        url: String,
        body: serde_json::Value,
        headers: &[(&'static str, String)],
    ) -> Answer {
        let request = self.client.post(url).header("content-type", "application/json").body(body.to_string());
        self.send(request, headers).await
    }

    pub(crate) async fn order(&self, key: &str, headers: &[(&'static str, String)]) -> Answer {
        let body = serde_json::json!({"idempotency_key": key, "sku": "sku-007", "qty": 2});
        self.post(format!("{}/orders", self.addresses.gateway), body, headers).await
    }

    /// The idempotency keys (or order ids) in a table, read by a connection of the test's own.
    pub(crate) async fn column(&self, database: &str, table: &str, column: &str) -> Vec<String> {
        column_of(&self.addresses, database, table, column).await
    }

    pub(crate) fn json(&self, file: &str) -> serde_json::Value {
        let path = self.addresses.dir.join(file);
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
    }

    /// Lets the shop end as it should; what it left stays until this is dropped.
    pub(crate) async fn close(self) -> Closed {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
        Closed { addresses: self.addresses, otlp: self.otlp, _dir: self.dir }
    }
}

async fn column_of(addresses: &Addresses, database: &str, table: &str, column: &str) -> Vec<String> {
    let sql = AssertSqlSafe(format!("SELECT {column} FROM {table} ORDER BY {column}"));
    let dsn = &addresses.databases[database];
    if dsn.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(dsn).await.unwrap();
        return sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    }
    let mut connection = PgConnection::connect(dsn).await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
}

/// A shop that has ended.
pub(crate) struct Closed {
    pub(crate) addresses: Addresses,
    pub(crate) otlp: Receiver,
    _dir: TempDir,
}

impl Closed {
    pub(crate) async fn column(&self, database: &str, table: &str, column: &str) -> Vec<String> {
        column_of(&self.addresses, database, table, column).await
    }

    pub(crate) fn json(&self, file: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.addresses.dir.join(file)).unwrap()).unwrap()
    }

    /// The spans of one trace.
    pub(crate) fn trace(&self, id: &str) -> Vec<Span> {
        self.otlp.spans().into_iter().filter(|span| span.trace == id).collect()
    }
}
