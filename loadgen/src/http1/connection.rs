//! One connection, and the exchange on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{Clock as _, MonoNs, OsClock};
use peakdrill_wire_http1::{Error, Limits, Progress, ResponseDecoder};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ready::Bell;
use crate::answer::{Answer, BODY_MAX_BYTES, Buffers, HEAD_MAX_BYTES};
use crate::dial::Stream;
use crate::driver::{ExchangeId, Submission};
use crate::extract::Fault;

/// Reads of one connection before others get their turn.
const READS_PER_TURN_MAX: usize = 2;
const LIMITS: Limits = Limits { head_bytes: HEAD_MAX_BYTES, body_bytes: BODY_MAX_BYTES };

pub(super) struct Connection {
    pub(super) pool: usize,
    pub(super) opened_at: MonoNs,
    /// Whether a request was ever handed to it.
    pub(super) used: bool,
    stream: Stream,
    decoder: ResponseDecoder,
    exchange: Option<Exchange>,
    /// The request, as far as it is not written yet.
    unsent: Vec<u8>,
    written: usize,
    writing: Writing,
    bell: Arc<Bell>,
    waker: Waker,
}

/// How far the request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Something of it is still to be written, or held back by TLS.
    UnderWay,
    /// The peer does not take it. It may still have answered.
    Failed,
    Done,
}

struct Exchange {
    id: ExchangeId,
    answer: Answer,
}

/// An exchange that has ended: when, and how.
pub(super) type Ended = (ExchangeId, MonoNs, Result<Answer, Fault>);

/// What became of a connection in its turn.
pub(super) struct Turn {
    pub(super) ended: Option<Ended>,
    /// Whether the connection goes on.
    pub(super) open: bool,
}

impl Connection {
    pub(super) fn new(pool: usize, stream: Stream, bell: Arc<Bell>, opened_at: MonoNs) -> Self {
        Self {
            pool,
            opened_at,
            used: false,
            stream,
            decoder: ResponseDecoder::new(LIMITS),
            exchange: None,
            unsent: Vec::new(),
            written: 0,
            writing: Writing::Done,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.exchange.is_none()
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.id == id)
    }

    /// Whether something has happened to it that was not looked at yet.
    pub(super) fn has_news(&self) -> bool {
        self.bell.is_rung()
    }

    /// Writes a request, as far as that goes at once. It is given back when nothing of it went out, because the
    /// connection has ended: then it may go over another.
    pub(super) fn send(&mut self, job: Submission, buffers: &mut Buffers) -> Result<(), Submission> {
        let Submission { id, method, keep_body, .. } = job;
        let mut cx = Context::from_waker(&self.waker);
        let tls = matches!(self.stream, Stream::Tls(_));
        let failed = match Pin::new(&mut self.stream).poll_write(&mut cx, &job.wire) {
            Poll::Pending => {
                self.written = 0;
                false
            }
            Poll::Ready(Ok(written)) if written > 0 => {
                self.written = written;
                false
            }
            // What TLS had already taken may be out: it is not written again.
            Poll::Ready(_) if tls => true,
            Poll::Ready(_) => return Err(job),
        };
        self.used = true;
        self.decoder.begin(method);
        self.unsent = job.wire;
        self.exchange = Some(Exchange { id, answer: Answer::new(buffers.take(), keep_body) });
        if failed {
            self.write_failed();
        } else if tls || self.written < self.unsent.len() {
            self.write_on(buffers);
        } else {
            self.all_written(buffers);
        }
        Ok(())
    }

    /// The peer does not take the request. Whether it has answered all the same is found by reading.
    fn write_failed(&mut self) {
        self.writing = Writing::Failed;
        self.waker.wake_by_ref();
    }

    fn all_written(&mut self, buffers: &mut Buffers) {
        self.writing = Writing::Done;
        buffers.give(std::mem::take(&mut self.unsent));
    }

    /// Writes what is left of the request. What goes wrong here is told by reading.
    fn write_on(&mut self, buffers: &mut Buffers) {
        match self.poll_write_on() {
            Poll::Ready(true) => self.all_written(buffers),
            Poll::Ready(false) => self.write_failed(),
            Poll::Pending => self.writing = Writing::UnderWay,
        }
    }

    /// Ready when all is written, or when that is not to be.
    fn poll_write_on(&mut self) -> Poll<bool> {
        let mut cx = Context::from_waker(&self.waker);
        while let Some(rest) = self.unsent.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(&mut cx, rest)) {
                Ok(written) if written > 0 => self.written += written,
                _ => return Poll::Ready(false),
            }
        }
        Pin::new(&mut self.stream).poll_flush(&mut cx).map(|flushed| flushed.is_ok())
    }

    /// Writes and reads what can be. `room` is where is read to.
    pub(super) fn turn(&mut self, room: &mut [u8], buffers: &mut Buffers, clock: OsClock) -> Turn {
        self.bell.answer();
        if self.writing == Writing::UnderWay {
            self.write_on(buffers);
        }
        let (mut ended, mut reads) = (None, 0);
        // An exchange that has ended is followed by one more read: it makes the connection watched, and finds what nobody
        // asked for.
        while ended.is_some() || reads < READS_PER_TURN_MAX {
            reads += 1;
            let mut buffer = ReadBuf::new(room);
            let mut cx = Context::from_waker(&self.waker);
            let read = Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer);
            let Poll::Ready(read) = read else {
                return Turn { ended, open: true };
            };
            // The end of an answer is that of the read which brought its last byte.
            let at = clock.mono();
            let bytes = buffer.filled();
            let open = match read {
                Ok(()) if !bytes.is_empty() => self.take(bytes, at, &mut ended),
                Ok(()) => self.end(None, at, &mut ended),
                Err(error) => self.end(Some(error), at, &mut ended),
            };
            if !open {
                return Turn { ended, open };
            }
        }
        // There may be more to read, of which nothing tells again.
        self.waker.wake_by_ref();
        Turn { ended, open: true }
    }

    /// Takes bytes that were read; whether the connection goes on.
    fn take(&mut self, bytes: &[u8], at: MonoNs, ended: &mut Option<Ended>) -> bool {
        // What nobody asked for makes the next answer doubtful.
        let Some(Exchange { id, mut answer }) = self.exchange.take() else {
            return false;
        };
        match self.decoder.feed(bytes, &mut answer) {
            Ok(Progress::More) => {
                self.exchange = Some(Exchange { id, answer });
                true
            }
            Ok(Progress::Done { used, reusable }) => {
                *ended = Some((id, at, Ok(answer)));
                reusable && used == bytes.len() && self.writing == Writing::Done
            }
            Err(error) => {
                *ended = Some((id, at, Err(fault(error))));
                false
            }
        }
    }

    /// The peer has closed, or the connection broke. It does not go on.
    fn end(&mut self, broken: Option<io::Error>, at: MonoNs, ended: &mut Option<Ended>) -> bool {
        if let Some(Exchange { id, answer }) = self.exchange.take() {
            let result = match (broken, self.decoder.finish()) {
                (None, Ok(())) => Ok(answer),
                (None, Err(error)) => Err(fault(error)),
                // TLS that ends without notice may have been cut off.
                (Some(broken), finish) if broken.kind() == io::ErrorKind::UnexpectedEof => {
                    let class = finish.err().map_or(ErrorClass::BodyShort, class);
                    Err(Fault { class, detail: broken.to_string() })
                }
                (Some(broken), _) => Err(Fault { class: ErrorClass::Closed, detail: broken.to_string() }),
            };
            *ended = Some((id, at, result));
        }
        false
    }
}

fn fault(error: Error) -> Fault {
    Fault { class: class(error), detail: error.to_string() }
}

fn class(error: Error) -> ErrorClass {
    match error {
        Error::Closed | Error::HeadShort => ErrorClass::Closed,
        Error::BodyShort(_) => ErrorClass::BodyShort,
        Error::HeadTooLarge(_) => ErrorClass::HeadTooLarge,
        Error::BodyTooLarge(_) => ErrorClass::BodyTooLarge,
        Error::Head(_) | Error::Framing(_) | Error::Chunk(_) | Error::Switched => ErrorClass::Malformed,
    }
}
