//! Scripted HTTP/1.1 peers whose truth is known.
//!
//! A [`Server`] listens on a free port of 127.0.0.1, on a thread of its own, and does what its [`Script`] says until it
//! is dropped. It counts connections and requests, and keeps what it saw with the instants at which a request had
//! arrived and its answer was handed to the system. Delays do not hang on a runtime's millisecond timer: a thread
//! sleeps for them.

mod act;
mod alarms;
mod parse;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

/// Requests kept by one server, at most; later ones are only counted.
pub const LOG_MAX: usize = 500_000;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// What a server does with a request.
#[derive(Clone)]
pub enum Script {
    /// Answers `200` with an empty JSON object at once, and keeps no log.
    Null,
    /// Answers `200` after so long.
    Delay(Duration),
    /// Requests queue for so many workers, first come first served, each busy for exactly so long with one. Its capacity is
    /// their number by that time: who is free when is kept as instants, so that no late wake-up lowers it.
    Workers {
        /// How many.
        count: usize,
        /// Time for one request.
        service: Duration,
    },
    /// Answers nothing for the first `frozen` of every `period` since its start, then everything at once.
    Freeze {
        /// Length of a cycle.
        period: Duration,
        /// How long it stands still in each.
        frozen: Duration,
    },
    /// Closes without an answer.
    Close,
    /// Answers once, then closes without having said so.
    CloseAfterAnswer,
    /// Promises a long body, sends a part of it, and closes.
    HalfBody,
    /// Sends what is not HTTP.
    Garbage,
    /// Sends a head that does not end.
    HugeHead,
    /// Sends a body that does not end.
    EndlessBody,
    /// Takes the request and never answers.
    Silent,
    /// Answers with these statuses in turn, over all connections.
    Statuses(Vec<u16>),
    /// Answers with the request as JSON: method, path, headers, body.
    Echo,
    /// Answers what a function says.
    Handler(Arc<dyn Fn(&Seen) -> Reply + Send + Sync>),
}

/// An answer of a [`Script::Handler`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers besides `content-length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.as_bytes().to_vec() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A request as a server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its place in the order of arrival, from 0.
    pub number: u64,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The other end of its connection.
    pub peer: SocketAddr,
    /// When all of it was there.
    pub arrived: Instant,
    /// When its answer was handed to the system; `None`: not yet, or never.
    pub answered: Option<Instant>,
}

impl Seen {
    /// The first header of a name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    epoch: Instant,
    accepted: AtomicU64,
    open: AtomicU64,
    requests: AtomicU64,
    log: Mutex<Vec<Seen>>,
    alarms: alarms::Alarms,
    /// Of [`Script::Workers`]: when each is free.
    free: Mutex<Vec<Instant>>,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// When no port, thread or runtime is to be had.
    pub fn start(script: Script) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(async { listen() })?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            epoch: Instant::now(),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            log: Mutex::default(),
            alarms: alarms::Alarms::start()?,
            free: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("scripted".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(&listener, &serving) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// When its cycles began.
    #[must_use]
    pub fn epoch(&self) -> Instant {
        self.shared.epoch
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Connections that are open now, as far as the server knows.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Whole requests received so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
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

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(BACKLOG)
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        // An error here is one connection that broke, or too many files for a moment.
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(1, Ordering::SeqCst);
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let _ = act::serve(stream, peer, &shared).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

impl Shared {
    /// Keeps a request; its place in the log.
    fn keep(&self, seen: Seen) -> Option<usize> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        (log.len() < LOG_MAX).then(|| {
            log.push(seen);
            log.len() - 1
        })
    }

    fn answered(&self, place: Option<usize>) {
        let now = Instant::now();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = place.and_then(|place| log.get_mut(place)) {
            seen.answered = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
