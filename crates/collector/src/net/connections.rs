//! Connections: how many, how long they may be silent, and what each may keep unread.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::codegen::Service;

use super::accept::Accepting;
use super::admission::Ingest;
use super::{grpc, told};
use crate::counters::counter;
use crate::limits::Limits;
use crate::shared::Shared;

/// Requests under way on one connection of HTTP/2.
const STREAMS_PER_CONNECTION_MAX: u32 = 64;
/// Bytes of a request that a client may send before it is told that they were read. The 64 KiB of the protocol would
/// stop it several times in each.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same over all requests of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// Connections that have these windows. They hold what was not read yet, and that is not charged; where there are many
/// connections, each is slow enough for the windows of the protocol.
const WIDE_CONNECTIONS_MAX: usize = 32;
const NARROW_WINDOW_BYTES: u32 = 64 << 10;
/// Largest piece in which a request may come.
const FRAME_BYTES_MAX: u32 = 128 << 10;
/// The largest head of a request.
const HEAD_BYTES_MAX: u32 = 16 << 10;
/// A connection of HTTP/2 over which nothing comes is asked for an answer so often ...
const PING_EVERY: Duration = Duration::from_secs(30);
/// ... and closed when there is none within this time.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Room for connections, over all listeners.
#[derive(Clone)]
pub(super) struct Doors {
    places: Arc<Semaphore>,
    places_max: usize,
    wide: Arc<Semaphore>,
    idle_max: Duration,
    /// It was said that there is no room.
    said: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Doors {
    pub(super) fn new(limits: &Limits, shared: &Arc<Shared>) -> Self {
        let places_max = limits.connections_max.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places_max)),
            places_max,
            wide: Arc::new(Semaphore::new(WIDE_CONNECTIONS_MAX)),
            idle_max: limits.idle_max,
            said: Arc::default(),
            shared: Arc::clone(shared),
        }
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            self.shared.count(counter::CONNECTIONS_REFUSED, 1);
            if !self.said.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    open = self.places_max,
                    "no room for another connection: it is closed at once"
                );
            }
        }
        place
    }

    /// Ends when all connections have.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(self.places_max).unwrap_or(u32::MAX);
        // An error is a semaphore that is closed, which none is.
        drop(self.places.acquire_many(all).await);
    }

    fn builder(&self, is_wide: bool) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        let (stream, connection) = match is_wide {
            true => (STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES),
            false => (NARROW_WINDOW_BYTES, 2 * NARROW_WINDOW_BYTES),
        };
        builder
            .http2()
            .timer(TokioTimer::new())
            .initial_stream_window_size(stream)
            .initial_connection_window_size(connection)
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
            .max_frame_size(FRAME_BYTES_MAX)
            .max_header_list_size(HEAD_BYTES_MAX)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT);
        let mut http1 = builder.http1();
        http1.timer(TokioTimer::new()).header_read_timeout(self.idle_max);
        http1.max_buf_size(FRAME_BYTES_MAX as usize);
        builder
    }
}

/// What a listener answers with.
#[derive(Clone)]
pub(super) enum Receiver {
    Grpc(Ingest),
    Http(Router),
}

/// What a connection answers with.
struct Serving {
    receiver: Receiver,
    /// A request has come.
    begun: Arc<AtomicBool>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Serving {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        self.begun.store(true, Ordering::Relaxed);
        match &self.receiver {
            Receiver::Grpc(ingest) => {
                let ingest = ingest.clone();
                Box::pin(async move { Ok(grpc::answer(ingest, request).await) })
            }
            Receiver::Http(routes) => Box::pin(routes.clone().call(request)),
        }
    }
}

/// Accepts connections and serves them, until it is told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    doors: Doors,
    receiver: Receiver,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut accepting = Accepting::new(tokio::net::TcpListener::from_std(listener)?);
    let mut stop = pin!(told(stopped.clone()));
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            stream = accepting.next() => stream,
        };
        if let Some(place) = doors.place() {
            let (doors, receiver, stopped) = (doors.clone(), receiver.clone(), stopped.clone());
            tokio::spawn(async move {
                connection(stream, &doors, receiver, stopped).await;
                drop(place);
            });
        }
    }
}

async fn connection(stream: TcpStream, doors: &Doors, receiver: Receiver, stopped: watch::Receiver<bool>) {
    // Without it an answer may wait for the next one: that is slow, and no more.
    let _ = stream.set_nodelay(true);
    let wide = doors.wide.try_acquire().ok();
    let mut builder = doors.builder(wide.is_some());
    if matches!(receiver, Receiver::Grpc(_)) {
        builder = builder.http2_only();
    }
    let begun = Arc::new(AtomicBool::new(false));
    let serving = Serving { receiver, begun: Arc::clone(&begun) };
    let mut open = pin!(builder.serve_connection(TokioIo::new(stream), serving));
    let (mut idle, mut is_watched) = (pin!(tokio::time::sleep(doors.idle_max)), true);
    let (mut stop, mut stops) = (pin!(told(stopped)), false);
    loop {
        tokio::select! {
            biased;
            end = open.as_mut() => {
                if let Err(error) = end {
                    tracing::debug!(error, "a connection ended");
                }
                return;
            }
            () = &mut idle, if is_watched => {
                is_watched = false;
                if !begun.load(Ordering::Relaxed) {
                    doors.shared.count(counter::CONNECTIONS_IDLE, 1);
                    return;
                }
            }
            () = &mut stop, if !stops => {
                stops = true;
                open.as_mut().graceful_shutdown();
            }
        }
    }
}
