//! A connection in TLS, over a socket of the runtime: it is moved when its waker says so.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use peakdrill_timebase::{Clock as _, OsClock};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::connection::Writing;
use super::ready::Bell;
use super::talk::{Talk, Told, Turn};
use crate::answer::Buffers;

/// Reads of one connection before others get their turn.
const READS_PER_TURN_MAX: usize = 2;

pub(super) struct Secured {
    stream: TlsStream<TcpStream>,
    /// What was handed over, as far as it is not written yet.
    unsent: Vec<u8>,
    written: usize,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Secured {
    pub(super) fn new(stream: TlsStream<TcpStream>, bell: Arc<Bell>) -> Self {
        let waker = Waker::from(Arc::clone(&bell));
        Self { stream, unsent: Vec::new(), written: 0, bell, waker }
    }

    /// Whether something has happened to it that was not looked at yet.
    pub(super) fn has_news(&self) -> bool {
        self.bell.is_rung()
    }

    /// Writes bytes, as far as that goes at once. What TLS has taken may be out: it never goes over another
    /// connection.
    pub(super) fn send(&mut self, bytes: Vec<u8>, buffers: &mut Buffers) -> Writing {
        (self.unsent, self.written) = (bytes, 0);
        self.write_on(buffers)
    }

    /// Writes what is left. Of what goes wrong reading tells: the peer may have answered all the same.
    fn write_on(&mut self, buffers: &mut Buffers) -> Writing {
        match self.poll_write_on() {
            Poll::Pending => Writing::UnderWay,
            Poll::Ready(true) => {
                buffers.give(std::mem::take(&mut self.unsent));
                Writing::Done
            }
            Poll::Ready(false) => {
                self.waker.wake_by_ref();
                Writing::Failed
            }
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
    pub(super) fn turn(
        &mut self,
        talk: &mut Talk,
        writing: &mut Writing,
        room: &mut [u8],
        told: &mut Told,
        clock: OsClock,
    ) -> Turn {
        self.bell.answer();
        let mut freed = false;
        if *writing == Writing::UnderWay {
            *writing = self.write_on(&mut told.buffers);
            freed = (talk.is_shared() || talk.has_out()) && *writing != Writing::UnderWay;
        }
        let mut reads = 0;
        // The last exchange that has ended is followed by one more read: it makes the connection watched, and finds what
        // nobody asked for.
        while reads < READS_PER_TURN_MAX + usize::from(freed && talk.is_idle()) {
            reads += 1;
            let mut buffer = ReadBuf::new(room);
            let mut cx = Context::from_waker(&self.waker);
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer) else {
                return Turn { freed, open: true };
            };
            // The end of an answer is that of the read which brought its last byte.
            let at = clock.mono();
            let bytes = buffer.filled();
            let turn = match read {
                Ok(()) if !bytes.is_empty() => talk.received(bytes, at, *writing, told),
                Ok(()) => talk.ended(None, at, told),
                Err(error) => talk.ended(Some(&error), at, told),
            };
            freed |= turn.freed;
            if !turn.open {
                return Turn { freed, open: false };
            }
        }
        // There may be more to read, of which nothing tells again.
        self.waker.wake_by_ref();
        Turn { freed, open: true }
    }
}
