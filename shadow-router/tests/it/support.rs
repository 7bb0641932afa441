//! Keys, tagged headers, small servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::IntoResponse;
use http::{HeaderMap, HeaderName, HeaderValue};
use peakdrill_shadow_router::{Mode, Outcome, Position, Router, Rules, Traceparent, Verifier, Work};
use peakdrill_shadow_tag::{
    EnvId, MarkKey, MarkSecret, RunEntry, RunId, RunState, RunTable, SigningKey, SpanId, VerifyingKeys,
};

pub(crate) fn env() -> EnvId {
    "test".parse().unwrap()
}

pub(crate) fn run() -> RunId {
    "run-1".parse().unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed("k1".parse().unwrap(), &[7; 32])
}

pub(crate) fn mark() -> MarkKey {
    MarkKey::derive(&MarkSecret::from_bytes([9; 32]), env(), run())
}

pub(crate) fn table(state: RunState) -> RunTable {
    let mut table = RunTable::new(now());
    table.insert(RunEntry { run: run(), env: env(), state, mark_key: mark() }).unwrap();
    table
}

pub(crate) fn token() -> String {
    key().mint_lease(env(), run(), now()).unwrap().as_str().to_owned()
}

pub(crate) fn trace(low: u64) -> Traceparent {
    let trace_id = mark().trace_id(low.try_into().unwrap());
    Traceparent { trace_id, parent_id: SpanId::from_bytes([1; 8]).unwrap(), flags: 1 }
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What the generator sends.
pub(crate) fn tagged(low: u64) -> HeaderMap {
    let token = token();
    headers(&[
        ("x-peakdrill", &token),
        ("baggage", &format!("peakdrill={token},user=7")),
        ("traceparent", &trace(low).to_string()),
    ])
}

pub(crate) fn stamped() -> HeaderMap {
    headers(&[("baggage", "peakdrill=live")])
}

pub(crate) fn router_with(position: Position, mode: Mode, rules: &str) -> Router {
    let mut keys = VerifyingKeys::default();
    keys.add(key().kid(), key().public()).unwrap();
    Router::builder("order")
        .position(position)
        .mode(mode)
        .verifier(Verifier::new(env(), keys, table(RunState::Running)))
        .rules(Rules::from_json(rules, "order").unwrap())
        .build()
        .unwrap()
}

pub(crate) fn inner(rules: &str) -> Router {
    router_with(Position::Inner, Mode::Enforce, rules)
}

pub(crate) fn live_work(router: &Router) -> Work {
    router.accept(&stamped()).unwrap()
}

pub(crate) fn shadow_work(router: &Router, low: u64) -> Work {
    router.accept(&tagged(low)).unwrap()
}

pub(crate) fn counted(router: &Router, resource: &str, outcome: Outcome) -> u64 {
    let rows = router.ledger_snapshot();
    rows.iter().filter(|row| row.resource == resource && row.outcome == outcome).map(|row| row.count).sum()
}

/// Serves until the test's runtime ends.
pub(crate) async fn serve(app: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A server that answers with the headers it saw, as JSON, and counts.
pub(crate) async fn echo() -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let app = axum::Router::new().fallback(async move |headers: HeaderMap| {
        counter.fetch_add(1, Ordering::SeqCst);
        let seen: serde_json::Map<_, _> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
            .collect();
        axum::Json(seen).into_response()
    });
    (serve(app).await, calls)
}
