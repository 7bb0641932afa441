//! One exchange over HTTP/1.1, in the clear or in TLS, bounded in time and size.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use peakdrill_drill_model::plan::Tls;
use peakdrill_tls::{ALPN_HTTP1, Client, Keys, SetupError};
use peakdrill_wire_http1::{Fields, Limits, Method, Progress, ResponseDecoder, Sink};

/// Largest body of an answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Read at once, in bytes.
const READ_BYTES: usize = 64 << 10;
/// Names that are looked up at once. A resolver that does not answer holds a thread for as long as it likes.
const RESOLVING_MAX: usize = 128;

static RESOLVING: AtomicUsize = AtomicUsize::new(0);

/// Why an endpoint could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Its name has no address, it cannot be reached, or it ended the connection.
    #[error("cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// TLS cannot be set up: nothing was sent.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] SetupError),
    /// One side does not accept the other in TLS.
    #[error("{0}")]
    Tls(String),
    /// The resolver took too long.
    #[error("its name was not resolved within {} ms", .0.as_millis())]
    Unresolved(Duration),
    /// It took too long.
    #[error("no whole answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// What it sent is no HTTP/1.1, or too large.
    #[error("what it answers cannot be read: {0}")]
    Answer(#[from] peakdrill_wire_http1::Error),
    /// It answers something else.
    #[error("it answers with status {0}; expected 200")]
    Status(u16),
}

/// What was fetched.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    status: u16,
    /// Whether it calls itself OpenMetrics.
    pub(crate) open_metrics: bool,
    pub(crate) body: Vec<u8>,
}

impl Sink for Fetched {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        self.status = status;
        self.open_metrics = fields
            .get("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with(b"application/openmetrics-text"));
    }

    fn body(&mut self, part: &[u8]) {
        self.body.extend_from_slice(part);
    }
}

/// A server and how it is spoken to. Made once and kept: certificates are read when it is made, and a connection takes up
/// the TLS session of the one before it.
pub(crate) struct Server {
    /// `host:port`.
    authority: String,
    tls: Option<Client>,
}

impl Server {
    /// `tls`: of a server that is reached over TLS. `keys`: what its settings are called.
    pub(crate) fn new(authority: &str, tls: Option<&Tls>, keys: Keys) -> Result<Self, SetupError> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
        let tls = tls.map(|tls| Client::new(tls, host, ALPN_HTTP1, keys)).transpose()?;
        Ok(Self { authority: authority.to_owned(), tls })
    }

    /// What the `host` field says: without the port that the scheme has anyway, as gateways compare it.
    pub(crate) fn host(&self) -> &str {
        let own = if self.tls.is_some() { ":443" } else { ":80" };
        self.authority.strip_suffix(own).unwrap_or(&self.authority)
    }

    /// Sends a request to it. It closes the connection behind its answer. The limit is for all of it: its name, the
    /// connection, TLS and the answer.
    pub(crate) fn exchange(&self, request: &[u8], limit: Duration) -> Result<Fetched, FetchError> {
        let time = Time { deadline: Instant::now() + limit, limit };
        let socket = Timed { stream: connect(&self.authority, &time)?, time };
        let fetched = match &self.tls {
            None => ask(socket, request),
            Some(client) => client.over(socket).map_err(FetchError::Io).and_then(|tls| ask(tls, request)),
        };
        let fetched = fetched.map_err(|error| self.meaning(error, limit))?;
        if fetched.status == 200 { Ok(fetched) } else { Err(FetchError::Status(fetched.status)) }
    }

    /// What an error means that a socket gave.
    fn meaning(&self, error: FetchError, limit: Duration) -> FetchError {
        let FetchError::Io(error) = error else { return error };
        if error.kind() == io::ErrorKind::TimedOut {
            return FetchError::TimedOut(limit);
        }
        match self.tls.as_ref().and_then(|client| client.why(&error)) {
            Some(why) => FetchError::Tls(why),
            // Without the end that TLS has, nobody knows whether somebody in between has cut it.
            None if self.tls.is_some() && error.kind() == io::ErrorKind::UnexpectedEof => FetchError::Tls(
                "it ended the connection without the end that TLS has: does it speak TLS on this port?"
                    .to_owned(),
            ),
            None => FetchError::Io(error),
        }
    }
}

fn ask(mut stream: impl Read + Write, request: &[u8]) -> Result<Fetched, FetchError> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut decoder =
        ResponseDecoder::new(Limits { head_bytes: HEAD_BYTES_MAX, body_bytes: ANSWER_BYTES_MAX });
    decoder.begin(Method::Other);
    let mut fetched = Fetched::default();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let read = stream.read(&mut bytes)?;
        let Some(part) = bytes.get(..read).filter(|part| !part.is_empty()) else {
            decoder.finish()?;
            return Ok(fetched);
        };
        if matches!(decoder.feed(part, &mut fetched)?, Progress::Done { .. }) {
            return Ok(fetched);
        }
    }
}

/// The time that an exchange has.
#[derive(Debug, Clone, Copy)]
struct Time {
    deadline: Instant,
    limit: Duration,
}

impl Time {
    /// What is left of it.
    fn left(&self) -> Result<Duration, FetchError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(FetchError::TimedOut(self.limit)) } else { Ok(left) }
    }
}

/// A socket whose reads and writes wait for what is left of the time, each of them: in TLS, many of them are one read of
/// what was sent, and who sends byte by byte would have the time anew for each.
struct Timed {
    stream: TcpStream,
    time: Time,
}

impl Timed {
    fn within(
        &mut self,
        set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        act: impl FnOnce(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let left = self.time.left().map_err(|_| io::ErrorKind::TimedOut)?;
        set(&self.stream, Some(left))?;
        // What waited too long says so in another way on Linux.
        act(&mut self.stream).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.within(TcpStream::set_read_timeout, |stream| stream.read(bytes))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.within(TcpStream::set_write_timeout, |stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Connects to the first address that answers.
fn connect(authority: &str, time: &Time) -> Result<TcpStream, FetchError> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let lookup = |name: &str| name.to_socket_addrs().map(Iterator::collect);
    for address in resolve(authority, time.left()?, &RESOLVING, lookup)? {
        match TcpStream::connect_timeout(&address, time.left()?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// A look-up under way, counted until it ends.
struct Resolving(&'static AtomicUsize);

impl Drop for Resolving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The addresses of a `host:port`. The system's resolver knows no time limit, so a thread waits for it; one that comes
/// too late talks to nobody.
fn resolve(
    authority: &str,
    limit: Duration,
    under_way: &'static AtomicUsize,
    lookup: impl FnOnce(&str) -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, FetchError> {
    if let Ok(address) = authority.parse() {
        return Ok(vec![address]);
    }
    if under_way.fetch_add(1, Ordering::AcqRel) >= RESOLVING_MAX {
        under_way.fetch_sub(1, Ordering::AcqRel);
        let full = format!("{RESOLVING_MAX} names are looked up already, and the resolver does not answer");
        return Err(io::Error::other(full).into());
    }
    let held = Resolving(under_way);
    let (found, answer) = mpsc::channel();
    let name = authority.to_owned();
    let work = move || {
        let addresses = lookup(&name);
        drop(held);
        // Who asked may have given up.
        let _ = found.send(addresses);
    };
    thread::Builder::new().name("collector-resolve".to_owned()).spawn(work)?;
    match answer.recv_timeout(limit) {
        Ok(addresses) => Ok(addresses?),
        Err(RecvTimeoutError::Timeout) => Err(FetchError::Unresolved(limit)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the thread that resolved its name panicked").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_does_not_answer_holds_up_nobody() {
        static UNDER_WAY: AtomicUsize = AtomicUsize::new(RESOLVING_MAX - 1);
        let (answer, wait) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        let silent = move |_: &str| {
            let _ = wait.recv();
            drop::<mpsc::Sender<()>>(ended);
            Ok(Vec::new())
        };
        let limit = Duration::from_millis(1);
        let found = resolve("exporter:9187", limit, &UNDER_WAY, silent);
        assert!(matches!(found, Err(FetchError::Unresolved(of)) if of == limit), "{found:?}");
        let over = resolve("exporter:9187", limit, &UNDER_WAY, |_| Ok(Vec::new()));
        assert!(over.unwrap_err().to_string().contains("looked up already"));
        let plain = resolve("[::1]:80", limit, &UNDER_WAY, |_| unreachable!("an address is no name"));
        assert_eq!(plain.unwrap(), ["[::1]:80".parse().unwrap()]);
        drop(answer);
        assert!(end.recv().is_err(), "it ends with the resolver");
    }

    #[test]
    fn the_host_has_no_port_that_its_scheme_has_anyway() {
        let host = |authority: &str, tls: Option<&Tls>| {
            Server::new(authority, tls, Keys::Scenario).unwrap().host().to_owned()
        };
        let tls = Tls { insecure: true, ..Tls::default() };
        assert_eq!(host("otlp.test:443", Some(&tls)), "otlp.test");
        assert_eq!(host("otlp.test:443", None), "otlp.test:443");
        assert_eq!(host("[::1]:80", None), "[::1]");
        assert_eq!(host("otlp.test:4318", Some(&tls)), "otlp.test:4318");
    }

    #[test]
    fn a_name_is_resolved() {
        static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
        let address: SocketAddr = "127.0.0.1:9187".parse().unwrap();
        let lookup = move |name: &str| {
            assert_eq!(name, "exporter:9187");
            Ok(vec![address])
        };
        assert_eq!(resolve("exporter:9187", Duration::from_secs(30), &UNDER_WAY, lookup).unwrap(), [address]);
        assert_eq!(UNDER_WAY.load(Ordering::Acquire), 0);
    }
}
