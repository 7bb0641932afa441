//! Spans as a system of five services sends them, as fast as they are taken or at a rate.
//!
//! `spans ADDRESS SECONDS IN_FLIGHT [PER_SECOND]`: sends over OTLP/gRPC to the address. Each service has a connection
//! and sends its spans of a window of traces in one request, some windows later than the first service: a trace's spans
//! come apart, as batching exporters send them. A span has ten attributes. Without a rate, what is refused is sent
//! again; with one it is not, and what finds no room among the requests in flight is not sent at all. Tells of each window's requests on its output
//! (see `receive`), and at the end of what was sent in a line of JSON on its error output.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tokio::sync::Semaphore;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Traces of a window.
const WINDOW: u64 = 200;
/// How long after the first service each sends a window, in windows.
const LATER: [u64; SERVICES.len()] = [0, 2, 5, 7, 9];
/// Ids from here on are the drill's: the upper half of a trace id.
const UPPER: u64 = 1;
/// Between the starts of two traces, and of a trace from its first start to its last end.
const STEP_NS: u64 = 100_000;
const DURATION_NS: u64 = 40_000_000;
/// Ids and times of spans are put in the place of these.
const MARK_TRACE: u64 = 0xA5A5_5A5A_C3C3_3C3C;
const MARK_TEXT: &[u8] = b"@@@@@@@@";
/// When what was refused is sent again: what the collector asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const SERVICES: [&str; 5] = ["gateway", "order", "stock", "payment", "users"];
/// What a span is like.
enum What {
    Server(&'static str),
    Client(&'static str, &'static str),
    Query(&'static str),
    Cache,
    Inner(&'static str),
}
use What::{Cache, Client, Inner, Query, Server};

/// The spans of a trace: service, position of its parent (0: the load), start and length in 1/400 of the duration, what.
const TRACE: [(usize, u64, u64, u64, What); 16] = [
    (0, 0, 0, 400, Server("/checkout/{id}")),
    (0, 1, 5, 290, Client("order", "/orders/{id}")),
    (1, 2, 8, 280, Server("/orders/{id}")),
    (1, 3, 10, 60, Query("orders")),
    (1, 3, 72, 100, Client("stock", "/stock/{id}")),
    (2, 5, 75, 90, Server("/stock/{id}")),
    (2, 6, 76, 10, Cache),
    (2, 6, 88, 70, Query("stock")),
    (1, 3, 175, 90, Client("payment", "/charge/{id}")),
    (3, 9, 178, 84, Server("/charge/{id}")),
    (3, 10, 180, 70, Client("bank.example", "/v1/charge/{id}")),
    (1, 3, 266, 20, Inner("render")),
    (0, 1, 300, 90, Client("users", "/users/{id}")),
    (4, 13, 304, 80, Server("/users/{id}")),
    (4, 14, 306, 50, Query("users")),
    (4, 14, 360, 12, Cache),
];

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

fn int(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

/// Kind, name and ten attributes.
fn describe(what: &What, service: &str) -> (i32, String, Vec<KeyValue>) {
    let thread = || vec![int("thread.id", 37), text("thread.name", "http-nio-8080-exec-12")];
    let db = |system: &str, verb: &str, table: &str, statement: String| {
        let host = format!("{service}-{system}.internal");
        let mut list = vec![
            text("db.system.name", system),
            text("db.namespace", service),
            text("db.operation.name", verb),
            text("db.collection.name", table),
            text("db.query.text", &statement),
            text("server.address", &host),
            int("server.port", 5432),
            text("network.peer.address", "10.12.7.31"),
        ];
        list.extend(thread());
        list
    };
    match what {
        Server(route) => {
            let mut list = vec![
                text("http.request.method", "POST"),
                text("url.scheme", "https"),
                text("url.path", &route.replace("{id}", "@@@@@@@@")),
                text("http.route", route),
                int("http.response.status_code", 200),
                text("server.address", &format!("{service}.shop.svc.cluster.local")),
                text("user_agent.original", "okhttp/4.12.0"),
                text("network.protocol.version", "1.1"),
            ];
            list.extend(thread());
            (2, format!("POST {route}"), list)
        }
        Client(peer, route) => {
            let host = format!("{peer}.shop.svc.cluster.local");
            let mut list = vec![
                text("http.request.method", "POST"),
                text("url.full", &format!("http://{host}:8080{}", route.replace("{id}", "@@@@@@@@"))),
                text("url.template", route),
                int("http.response.status_code", 200),
                text("server.address", &host),
                int("server.port", 8080),
                text("network.protocol.version", "1.1"),
                text("network.peer.address", "10.12.4.18"),
            ];
            list.extend(thread());
            (3, "POST".to_owned(), list)
        }
        Query(table) => {
            let statement = format!("SELECT * FROM {table} WHERE id = $1 AND shop = '@@@@@@@@' LIMIT 20");
            (3, format!("SELECT {table}"), db("postgresql", "SELECT", table, statement))
        }
        Cache => (3, "GET".to_owned(), db("redis", "GET", "session", "GET session:@@@@@@@@".to_owned())),
        Inner(name) => {
            let mut list = vec![
                text("code.function.name", "com.shop.render.OrderView.render"),
                text("code.file.path", "OrderView.java"),
                int("code.line.number", 218),
                text("view.name", "order"),
                text("view.locale", "en-GB"),
                text("view.id", "@@@@@@@@"),
                int("view.items", 4),
                text("view.theme", "midnight"),
            ];
            list.extend(thread());
            (1, (*name).to_owned(), list)
        }
    }
}

/// Where something of a span stands in the request.
struct Place {
    trace: usize,
    start: usize,
    end: usize,
    text: usize,
    window_at: u64,
    position: usize,
}

/// One service's request of a window, and what is to be put into it.
struct Template {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    from + bytes[from..].windows(what.len()).position(|window| window == what).unwrap_or_default()
}

fn template(service: usize) -> Template {
    let mine: Vec<usize> = (0..TRACE.len()).filter(|at| TRACE[*at].0 == service).collect();
    let mut spans = Vec::new();
    // Spans of one trace lie apart, as they do in what an exporter gathers from requests that run at once.
    for position in &mine {
        for window_at in 0..WINDOW {
            let (kind, name, attributes) = describe(&TRACE[*position].4, SERVICES[service]);
            let mut trace_id = MARK_TRACE.to_be_bytes().to_vec();
            trace_id.extend_from_slice(&(window_at << 8 | *position as u64).to_be_bytes());
            spans.push(Span {
                trace_id,
                span_id: vec![1; 8],
                parent_span_id: vec![2; 8],
                name,
                kind,
                start_time_unix_nano: MARK_TRACE ^ 1,
                end_time_unix_nano: MARK_TRACE ^ 2,
                attributes,
                flags: 0x101,
                ..Default::default()
            });
        }
    }
    let resource = Resource {
        attributes: vec![
            text("service.name", SERVICES[service]),
            text("service.version", "2.41.0"),
            text("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", "java"),
            text("host.name", "ip-10-12-7-114"),
        ],
        ..Default::default()
    };
    let scope =
        InstrumentationScope { name: "io.opentelemetry.tomcat-10.0".to_owned(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    let group = ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() };
    let bytes = ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec();
    let (mut places, mut from) = (Vec::new(), 0);
    for position in &mine {
        for window_at in 0..WINDOW {
            let trace = find(&bytes, from, &MARK_TRACE.to_be_bytes());
            let start = find(&bytes, trace, &(MARK_TRACE ^ 1).to_le_bytes());
            let end = find(&bytes, start, &(MARK_TRACE ^ 2).to_le_bytes());
            let text = find(&bytes, end, MARK_TEXT);
            places.push(Place { trace, start, end, text, window_at, position: *position });
            from = text;
        }
    }
    Template { bytes, places }
}

fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Template {
    /// The request of a window whose first trace starts then.
    fn request(&self, window: u64, start_ns: u64) -> Bytes {
        let mut bytes = self.bytes.clone();
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        for place in &self.places {
            let trace = window * WINDOW + place.window_at;
            let (_, parent, from, length, _) = &TRACE[place.position];
            let id = |position: u64| match position {
                0 => 1,
                position => mixed(trace << 8 | position),
            };
            let unit = DURATION_NS / 400 - trace % 40_000;
            let start = start_ns + place.window_at * STEP_NS + 30_000 + from * unit;
            put(place.trace, &UPPER.to_be_bytes());
            put(place.trace + 8, &trace.to_be_bytes());
            // Behind the trace id: tag, length, span id, tag, length, parent.
            put(place.trace + 18, &id(place.position as u64 + 1).to_be_bytes());
            put(place.trace + 28, &id(*parent).to_be_bytes());
            put(place.start, &start.to_le_bytes());
            put(place.end, &(start + length * unit).to_le_bytes());
            put(place.text, format!("{:08x}", mixed(trace) as u32).as_bytes());
        }
        bytes.into()
    }
}

/// Messages as bytes.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        bytes::Buf::advance(bytes, bytes::Buf::remaining(bytes));
        Ok(Some(()))
    }
}

async fn export(channel: Channel, request: Bytes) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = http::uri::PathAndQuery::from_static(PATH);
    client.unary(tonic::Request::new(request), path, Raw).await.map(|_| ())
}

#[derive(Default)]
struct Totals {
    taken: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    unsent: AtomicU64,
    bytes: AtomicU64,
}

fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or_default()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, seconds, in_flight, rate @ ..] = &args[..] else {
        return Err("spans ADDRESS SECONDS IN_FLIGHT [PER_SECOND]".into());
    };
    let (seconds, in_flight): (f64, usize) = (seconds.parse()?, in_flight.parse()?);
    let rate: Option<f64> = rate.first().map(|rate| rate.parse()).transpose()?;
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let mut channels = Vec::new();
    for _ in SERVICES {
        channels.push(endpoint.connect().await?);
    }
    let templates: Vec<Template> = (0..SERVICES.len()).map(template).collect();
    let totals = Arc::new(Totals::default());
    let room = Arc::new(Semaphore::new(in_flight));
    let mut out = std::io::stdout().lock();
    let (started, begun_ns) = (Instant::now(), now_ns());
    let mut starts = Vec::new();
    let per_window = WINDOW * TRACE.len() as u64;
    for window in 0_u64.. {
        let last = started.elapsed().as_secs_f64() > seconds;
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64((window * per_window) as f64 / rate);
            tokio::time::sleep_until((started + due).into()).await;
        }
        if last {
            break;
        }
        // A trace is over when its spans are sent.
        starts.push(now_ns().max(begun_ns) - DURATION_NS - WINDOW * STEP_NS);
        let start_ns = starts[window as usize];
        writeln!(out, "{} {WINDOW} {start_ns} {STEP_NS} {}", window * WINDOW, DURATION_NS + 60_000)?;
        out.flush()?;
        for (service, later) in LATER.iter().enumerate() {
            let Some(of) = window.checked_sub(*later) else { continue };
            let permit = match rate {
                None => Arc::clone(&room).acquire_owned().await?,
                Some(_) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(permit) => permit,
                    Err(_) => {
                        totals.unsent.fetch_add(templates[service].places.len() as u64, Ordering::Relaxed);
                        continue;
                    }
                },
            };
            let request = templates[service].request(of, starts[of as usize]);
            let (channel, totals) = (channels[service].clone(), Arc::clone(&totals));
            let (spans, bytes) = (templates[service].places.len() as u64, request.len() as u64);
            let again = rate.is_none();
            tokio::spawn(async move {
                let mut answer = export(channel.clone(), request.clone()).await;
                while again && answer.as_ref().is_err_and(|status| status.code() == Code::Unavailable) {
                    totals.refused.fetch_add(spans, Ordering::Relaxed);
                    tokio::time::sleep(RETRY_AFTER).await;
                    answer = export(channel.clone(), request.clone()).await;
                }
                let counted = match answer {
                    Ok(()) => &totals.taken,
                    Err(status) if status.code() == Code::Unavailable => &totals.refused,
                    Err(status) => {
                        // Where that is closed too there is nobody to tell.
                        let _ = writeln!(std::io::stderr(), "spans: {status}");
                        &totals.failed
                    }
                };
                counted.fetch_add(spans, Ordering::Relaxed);
                totals.bytes.fetch_add(bytes, Ordering::Relaxed);
                drop(permit);
            });
        }
        tokio::task::yield_now().await;
    }
    let _all = room.acquire_many(u32::try_from(in_flight)?).await?;
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let told = serde_json::json!({
        "seconds": started.elapsed().as_secs_f64(),
        "taken": of(&totals.taken),
        "refused": of(&totals.refused),
        "failed": of(&totals.failed),
        "unsent": of(&totals.unsent),
        "bytes": of(&totals.bytes),
    });
    writeln!(std::io::stderr(), "{told}")?;
    Ok(())
}
