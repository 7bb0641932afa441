//! One exchange over one HTTP/1.1 connection.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::{MonoNs, OsClock};

use crate::dial::Stream;
use crate::driver::Answer;
use crate::extract::Fault;
use crate::program::HttpRequest;
use crate::tap::Tap;

/// Longest head of an answer, in bytes.
pub const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Longest body of an answer, in bytes.
pub const BODY_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How much of a body is kept for samples where it is not needed otherwise, in bytes.
pub const BODY_START_BYTES: usize = 512;

/// Tells a running exchange to end, from outside of its task.
#[derive(Debug, Default)]
pub(crate) struct Abort {
    wanted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Abort {
    pub(crate) fn abort(&self) {
        self.wanted.set(true);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whether it is to end; else the task is woken when it is.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> bool {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        self.wanted.get()
    }
}

type Connection = http1::Connection<TokioIo<Tap>, Full<Bytes>>;

/// A connection, polled by whoever uses it: no task of its own.
pub(crate) struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Option<Pin<Box<Connection>>>,
    tap: Tap,
}

/// How an exchange ended.
pub(crate) enum Exchanged {
    /// With a result.
    Done(Result<Answer, Fault>),
    /// It was told to end.
    Aborted,
}

fn fault(class: ErrorClass, detail: impl ToString) -> Fault {
    Fault { class, detail: detail.to_string() }
}

impl Link {
    pub(crate) async fn new(stream: Stream, clock: OsClock) -> Result<Self, Fault> {
        let tap = Tap::new(stream, clock);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_MAX_BYTES);
        let made = builder.handshake(TokioIo::new(tap.clone())).await;
        let (sender, connection) = made.map_err(|error| fault(ErrorClass::Connect, error))?;
        Ok(Self { sender, connection: Some(Box::pin(connection)), tap })
    }

    /// When the newest bytes were read: after an exchange with an answer, its last.
    pub(crate) fn read_at(&self) -> MonoNs {
        self.tap.read_at()
    }

    /// Moves bytes. Afterwards `connection` is gone if it has ended.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    /// Whether the connection has ended; else the task is woken when it does.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        self.connection.is_none()
    }

    /// Waits until the connection can take another request; `false` when it will not.
    pub(crate) async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            if self.poll_closed(cx) {
                return Poll::Ready(false);
            }
            self.sender.poll_ready(cx).map(|ready| ready.is_ok())
        })
        .await
    }

    /// Sends a request and reads its answer. Once some of that was read, `hold` tells with the time of it whether to
    /// wait to be woken before anything is made of it. The caller then asks [`Self::ready`] before the next one; a link whose
    /// exchange failed or was aborted has to be dropped.
    pub(crate) async fn exchange(
        &mut self,
        request: HttpRequest,
        keep_body: bool,
        abort: &Abort,
        hold: impl Fn(&Context<'_>, MonoNs) -> bool,
    ) -> Exchanged {
        let mut response = pin!(self.sender.send_request(request));
        let (mut asked, mut read) = (false, false);
        let head = poll_fn(|cx| {
            if abort.poll(cx) {
                return Poll::Ready(None);
            }
            // There is no answer before the request was written, which the first turn does.
            if asked && !read && self.tap.read_ahead(cx) {
                read = true;
                if hold(cx, self.tap.read_at()) {
                    return Poll::Pending;
                }
            }
            asked = true;
            self.drive(cx);
            match response.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result.map_err(|error| head_fault(&error)))),
                Poll::Pending if self.connection.is_none() => {
                    Poll::Ready(Some(Err(fault(ErrorClass::Closed, "the connection ended"))))
                }
                Poll::Pending => Poll::Pending,
            }
        });
        let response = match head.await {
            None => return Exchanged::Aborted,
            Some(Err(fault)) => return Exchanged::Done(Err(fault)),
            Some(Ok(response)) => response,
        };
        let (head, body) = response.into_parts();
        if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
            return Exchanged::Done(Err(fault(
                ErrorClass::Malformed,
                "protocols switched without being asked",
            )));
        }
        match self.read_body(body, keep_body, abort).await {
            None => Exchanged::Aborted,
            Some(body) => Exchanged::Done(body.map(|body| Answer { head, body })),
        }
    }

    /// Reads a body to its end; `None` when aborted.
    async fn read_body(
        &mut self,
        mut body: Incoming,
        keep: bool,
        abort: &Abort,
    ) -> Option<Result<Bytes, Fault>> {
        let mut kept = Kept { keep, length: 0, first: Bytes::new(), all: Vec::new() };
        if body.is_end_stream() {
            return Some(Ok(Bytes::new()));
        }
        let over = poll_fn(|cx| {
            if abort.poll(cx) {
                return Poll::Ready(None);
            }
            // Asking for a frame lets the connection read on, so it is moved again behind an empty-handed ask.
            let mut moved = false;
            loop {
                match Pin::new(&mut body).poll_frame(cx) {
                    Poll::Ready(None) => return Poll::Ready(Some(Ok(()))),
                    Poll::Ready(Some(Ok(frame))) => {
                        moved = false;
                        if let Err(fault) = kept.take(frame.into_data().unwrap_or_default()) {
                            return Poll::Ready(Some(Err(fault)));
                        }
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(body_fault(&error)))),
                    Poll::Pending if moved => return Poll::Pending,
                    Poll::Pending => {
                        self.drive(cx);
                        moved = true;
                    }
                }
            }
        });
        Some(over.await?.map(|()| kept.into_bytes()))
    }
}

/// What is kept of a body while it is read.
struct Kept {
    keep: bool,
    length: u64,
    first: Bytes,
    all: Vec<u8>,
}

impl Kept {
    fn take(&mut self, data: Bytes) -> Result<(), Fault> {
        self.length += data.len() as u64;
        if self.length > BODY_MAX_BYTES {
            return Err(fault(
                ErrorClass::BodyTooLarge,
                format!("the body is longer than {BODY_MAX_BYTES} bytes"),
            ));
        }
        if self.first.is_empty() {
            self.first = if self.keep { data } else { data.slice(..data.len().min(BODY_START_BYTES)) };
        } else if self.keep {
            if self.all.is_empty() {
                self.all.extend_from_slice(&self.first);
            }
            self.all.extend_from_slice(&data);
        }
        Ok(())
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.into() }
    }
}

/// The error with all that it says of its causes.
fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(deeper) = cause {
        if let Some(io) = deeper.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = deeper.source();
    }
    None
}

fn head_fault(error: &hyper::Error) -> Fault {
    let class = match error {
        error if error.is_parse_too_large() => ErrorClass::HeadTooLarge,
        error if error.is_parse() => ErrorClass::Malformed,
        _ => ErrorClass::Closed,
    };
    fault(class, chain(error))
}

fn body_fault(error: &hyper::Error) -> Fault {
    let class = match io_kind(error) {
        _ if error.is_incomplete_message() => ErrorClass::BodyShort,
        Some(io::ErrorKind::UnexpectedEof) => ErrorClass::BodyShort,
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => ErrorClass::Malformed,
        _ => ErrorClass::Closed,
    };
    fault(class, chain(error))
}
