//! A connection's bytes, read before anything is made of them, with the time of that.
//!
//! When many answers arrive at once, each would else be timed when its turn to be understood came, and not when it was
//! there. See `docs/adr-002-end-of-an-answer.md`.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use peakdrill_timebase::{Clock as _, MonoNs, OsClock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::Stream;

/// Most that is read ahead of a connection, in bytes.
const AHEAD_MAX_BYTES: usize = 16 * 1024;
/// Room that a connection keeps for its next answer, in bytes.
const KEPT_BYTES: usize = 1024;

/// The bytes of a connection. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Tap(Rc<RefCell<Inner>>);

struct Inner {
    stream: Stream,
    clock: OsClock,
    /// When something was read last, an end included.
    read_at: MonoNs,
    /// What was read ahead, and how much of it has been taken.
    ahead: Vec<u8>,
    taken: usize,
    /// What went wrong when reading ahead, for whoever reads next.
    failed: Option<io::Error>,
}

impl Tap {
    pub(crate) fn new(stream: Stream, clock: OsClock) -> Self {
        let (ahead, read_at) = (Vec::new(), clock.mono());
        Self(Rc::new(RefCell::new(Inner { stream, clock, read_at, ahead, taken: 0, failed: None })))
    }

    /// When the newest bytes were read, or the connection's end was seen.
    pub(crate) fn read_at(&self) -> MonoNs {
        self.0.borrow().read_at
    }

    /// Reads what is there; whether there is something to be taken. Else the task is woken when there is.
    pub(crate) fn read_ahead(&self, cx: &mut Context<'_>) -> bool {
        let inner = &mut *self.0.borrow_mut();
        if inner.taken < inner.ahead.len() || inner.failed.is_some() {
            return true;
        }
        let mut space = [MaybeUninit::uninit(); AHEAD_MAX_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        match inner.read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => inner.ahead.extend_from_slice(buffer.filled()),
            Poll::Ready(Err(error)) => inner.failed = Some(error),
        }
        true
    }
}

impl Inner {
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.read_at = self.clock.mono();
        Poll::Ready(result)
    }

    /// Hands out what was read ahead, as far as there is room; whether there was any.
    fn take(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let left = self.ahead.get(self.taken..).unwrap_or_default();
        let part = left.get(..left.len().min(buffer.remaining())).unwrap_or_default();
        if left.is_empty() {
            return false;
        }
        buffer.put_slice(part);
        self.taken += part.len();
        if self.taken == self.ahead.len() {
            self.taken = 0;
            self.ahead.clear();
            self.ahead.shrink_to(KEPT_BYTES);
        }
        true
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        if inner.take(buffer) {
            return Poll::Ready(Ok(()));
        }
        match inner.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => inner.read(cx, buffer),
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_shutdown(cx)
    }
}
