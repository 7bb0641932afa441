//! A server of HTTP/2 whose truth is known: over plain TCP by prior knowledge, or in TLS by ALPN.
//!
//! It stands on the `h2` crate, on a thread of its own, and answers what a function says until it is dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Requests kept by one server, at most; later ones are only counted.
const LOG_MAX: usize = 500_000;

/// What a server does with a request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// How long it waits before, beside all others.
    pub after: Duration,
    /// It gives the stream up with this code instead.
    pub reset: Option<u32>,
    /// The status; 0: 200.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(&'static str, String)>,
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Scheme, authority, path and query.
    pub uri: String,
    /// Fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub connection: u64,
    /// When all of it was there.
    pub arrived: Instant,
}

/// How a server is set up.
#[derive(Clone, Default)]
pub struct Setup {
    /// TLS; its ALPN is taken as it is.
    pub tls: Option<Arc<ServerConfig>>,
    /// Most streams at a time that it allows.
    pub streams: Option<u32>,
    /// What a client may send on a stream before it hears that it was taken, in bytes.
    pub window: Option<u32>,
    /// After so many requests on a connection it takes no more on it, and says so.
    pub requests_per_connection: Option<u64>,
}

type Script = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// A running server.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    setup: Setup,
    accepted: AtomicU64,
    requests: AtomicU64,
    /// Streams under way now, and at most.
    open: AtomicU64,
    most: AtomicU64,
    log: Mutex<Vec<Seen>>,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// When no port, thread or runtime is to be had.
    pub fn start(setup: Setup, script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let scheme = if setup.tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            script: Arc::new(script),
            setup,
            accepted: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            open: AtomicU64::new(0),
            most: AtomicU64::new(0),
            log: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("http2".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(&listener, &serving) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, scheme, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Its base URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Whole requests received so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Most requests that were under way at a time, over all connections.
    #[must_use]
    pub fn most_at_a_time(&self) -> u64 {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// What was seen so far, in order of arrival.
    #[must_use]
    pub fn log(&self) -> Vec<Seen> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        // An error here is one connection that broke, or too many files for a moment.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let _ = connect(stream, number, &shared).await;
        });
    }
}

async fn connect(stream: TcpStream, number: u64, shared: &Arc<Shared>) -> Result<(), h2::Error> {
    let Some(tls) = &shared.setup.tls else { return serve(stream, number, shared).await };
    match TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
        Ok(stream) => serve(stream, number, shared).await,
        Err(_) => Ok(()),
    }
}

async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    number: u64,
    shared: &Arc<Shared>,
) -> Result<(), h2::Error> {
    let mut builder = Builder::new();
    if let Some(streams) = shared.setup.streams {
        builder.max_concurrent_streams(streams);
    }
    if let Some(window) = shared.setup.window {
        builder.initial_window_size(window);
    }
    let mut connection = builder.handshake::<_, Bytes>(io).await?;
    let mut taken = 0;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        taken += 1;
        if shared.setup.requests_per_connection == Some(taken) {
            connection.graceful_shutdown();
        }
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
            shared.most.fetch_max(open, Ordering::SeqCst);
            let _ = answer(request, respond, number, &shared).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: u64,
    shared: &Shared,
) -> Result<(), h2::Error> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part?;
        body.extend_from_slice(&part);
        stream.flow_control().release_capacity(part.len())?;
    }
    let (method, uri) = (head.method.to_string(), head.uri.to_string());
    let seen = Seen { method, uri, headers: head.headers, body, connection, arrived: Instant::now() };
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let answer = (shared.script)(&seen);
    {
        let mut log = shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < LOG_MAX {
            log.push(seen);
        }
    }
    if !answer.after.is_zero() {
        tokio::time::sleep(answer.after).await;
    }
    if let Some(code) = answer.reset {
        respond.send_reset(Reason::from(code));
        return Ok(());
    }
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
    *response.headers_mut() = map(&answer.headers);
    let empty = answer.body.is_empty() && answer.trailers.is_empty();
    let mut sending = respond.send_response(response, empty)?;
    if !empty {
        send(&mut sending, answer.body, answer.trailers.is_empty()).await?;
    }
    if !answer.trailers.is_empty() {
        sending.send_trailers(map(&answer.trailers))?;
    }
    Ok(())
}

/// Sends a body as the client has room for it.
async fn send(sending: &mut SendStream<Bytes>, body: Vec<u8>, last: bool) -> Result<(), h2::Error> {
    let mut rest = Bytes::from(body);
    loop {
        sending.reserve_capacity(rest.len());
        let room = if rest.is_empty() { 0 } else { capacity(sending).await? };
        let part = rest.split_to(room.min(rest.len()));
        let ends = rest.is_empty();
        sending.send_data(part, ends && last)?;
        if ends {
            return Ok(());
        }
    }
}

async fn capacity(sending: &mut SendStream<Bytes>) -> Result<usize, h2::Error> {
    std::future::poll_fn(|cx| sending.poll_capacity(cx)).await.unwrap_or_else(|| Err(Reason::CANCEL.into()))
}

fn map(fields: &[(&'static str, String)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(value) {
            map.append(HeaderName::from_static(name), value);
        }
    }
    map
}
