//! One exchange over plain HTTP/1.1, bounded in time and size.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use peakdrill_wire_http1::{Fields, Limits, Method, Progress, ResponseDecoder, Sink};

/// Largest body of an answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Read at once, in bytes.
const READ_BYTES: usize = 64 << 10;

/// Why an endpoint could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Its name has no address, it cannot be reached, or it ended the connection.
    #[error("cannot be reached: {0}")]
    Io(#[from] std::io::Error),
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

/// Sends a request to a server (`host:port`), which closes the connection behind its answer.
pub(crate) fn exchange(authority: &str, request: &[u8], limit: Duration) -> Result<Fetched, FetchError> {
    let deadline = Instant::now() + limit;
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(FetchError::TimedOut(limit)) } else { Ok(left) }
    };
    let timed_out = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => FetchError::TimedOut(limit),
        _ => FetchError::Io(error),
    };
    let mut stream = connect(authority, &left)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(request).map_err(timed_out)?;
    let mut decoder =
        ResponseDecoder::new(Limits { head_bytes: HEAD_BYTES_MAX, body_bytes: ANSWER_BYTES_MAX });
    decoder.begin(Method::Other);
    let mut fetched = Fetched::default();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        stream.set_read_timeout(Some(left()?))?;
        let read = stream.read(&mut bytes).map_err(timed_out)?;
        let Some(part) = bytes.get(..read).filter(|part| !part.is_empty()) else {
            decoder.finish()?;
            break;
        };
        if matches!(decoder.feed(part, &mut fetched)?, Progress::Done { .. }) {
            break;
        }
    }
    if fetched.status == 200 { Ok(fetched) } else { Err(FetchError::Status(fetched.status)) }
}

/// Connects to the first address that answers.
fn connect(
    authority: &str,
    left: &impl Fn() -> Result<Duration, FetchError>,
) -> Result<TcpStream, FetchError> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "its name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left()?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}
