//! The ring: what is asked of the kernel and what it has done. It owns all memory that the kernel may touch, until the
//! kernel is done with it; that makes the rest safe.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::event::{EventfdFlags, eventfd};
use slab::Slab;

use super::stock::{BUFFERS, Stock};

/// Requests that can be handed over at once.
const REQUESTS_MAX: u32 = 1024;
/// Completions that the kernel keeps in shared memory; more wait in its own.
const COMPLETIONS_MAX: u32 = 8192;
/// The group of the stock.
const GROUP: u16 = 0;
/// Which operation a completion is of: the top bits of its user data; the rest is a place.
const RECEIVE: u64 = 0;
const SEND: u64 = 1 << 62;
const CANCEL: u64 = 1 << 63;
const PLACE: u64 = SEND - 1;
/// `IORING_ENTER_GETEVENTS`: the kernel does what it has put off.
const GET_EVENTS: u32 = 1;
/// Things done that patience waits for.
const TOGETHER: usize = 32;
/// Requests that are kept back at most to be handed over together: what is sent is noted when it is queued, and leaves
/// behind what was queued before it.
const KEPT_BACK_MAX: usize = 16;
/// Requests of up to so many bytes go into a socket's buffer at once, unless the peer has long not read.
const AT_ONCE_MAX: usize = 4096;
/// The longest wait in which sends are counted on that are done as soon as they are handed over.
const COUNTED_ON_MAX: Duration = Duration::from_millis(1);
/// How often, and how long, the end of what is under way is awaited while nothing ends, when the ring is closed.
const CLOSE_TRIES: u32 = 100;
const CLOSE_TRY: Duration = Duration::from_millis(10);

pub(super) struct Ring {
    ring: IoUring,
    /// Tells whoever watches the ring that there is something to do. The ring's own descriptor does not tell of what the
    /// kernel has put off until it is asked.
    bell: OwnedFd,
    /// Dropped only when nothing is under way.
    stock: ManuallyDrop<Stock>,
    sends: ManuallyDrop<Slab<Send>>,
    /// Receives that the kernel holds.
    receives: usize,
    /// Sends that are queued and will be done as soon as they are handed over.
    at_once: usize,
    /// Whether the kernel knows patience (Linux 6.12).
    patient: bool,
}

/// Bytes that the kernel reads. They stay where they are.
struct Send {
    at: usize,
    bytes: Vec<u8>,
    /// How much was sent before.
    written: usize,
}

/// Something that the kernel has done.
#[derive(Debug)]
pub(super) enum Done {
    /// A receive of the socket at a place; whether more will come of it.
    Received { at: usize, result: io::Result<Filled>, more: bool },
    /// A send of the socket at a place: the bytes, how many of them were sent before, and how many now.
    Sent { at: usize, bytes: Vec<u8>, written: usize, result: io::Result<usize> },
}

/// What was received: a buffer of the stock that is ours, or the peer's end.
#[derive(Debug)]
pub(super) struct Filled {
    buffer: Option<u16>,
    length: usize,
}

/// Whether an operation is simply to be tried again.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EINTR | libc::EAGAIN))
}

impl Ring {
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS_MAX)
            .dontfork()
            .build(REQUESTS_MAX)?;
        if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        ring.submitter().register_eventfd(bell.as_raw_fd())?;
        let stock = Stock::new();
        // SAFETY: the ring of buffers has this many entries, begins with a page, and is dropped only when the kernel is
        // done with it.
        unsafe { ring.submitter().register_buf_ring_with_flags(stock.ring_address(), BUFFERS, GROUP, 0)? };
        let (stock, sends) = (ManuallyDrop::new(stock), ManuallyDrop::new(Slab::new()));
        let patient = ring.params().is_feature_min_timeout();
        let mut new = Self { ring, bell, stock, sends, receives: 0, at_once: 0, patient };
        new.watch(false);
        Ok(new)
    }

    /// Whether the bell is to be rung.
    pub(super) fn watch(&mut self, watched: bool) {
        let completions = self.ring.completion();
        if watched {
            completions.enable_eventfd();
        } else {
            completions.disable_eventfd();
        }
    }

    /// Arms a receive that stays armed.
    pub(super) fn receive(&mut self, at: usize, socket: BorrowedFd<'_>) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), GROUP).build();
        // SAFETY: what it writes to is of the stock.
        unsafe { self.push(entry.user_data(RECEIVE | at as u64)) }?;
        self.receives += 1;
        Ok(())
    }

    /// Sends what is left of some bytes; they come back when it cannot be handed over.
    pub(super) fn send(
        &mut self,
        at: usize,
        socket: BorrowedFd<'_>,
        bytes: Vec<u8>,
        written: usize,
    ) -> Result<(), Vec<u8>> {
        let rest = bytes.get(written..).unwrap_or_default();
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(socket.as_raw_fd()), rest.as_ptr(), length)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build();
        let place = self.sends.insert(Send { at, bytes, written });
        // SAFETY: moving a vector does not move its bytes, and it is kept until the completion.
        match unsafe { self.push(entry.user_data(SEND | place as u64)) } {
            Ok(()) => {
                self.at_once += usize::from(length as usize <= AT_ONCE_MAX);
                if self.ring.submission().len() >= KEPT_BACK_MAX {
                    self.flush();
                }
                Ok(())
            }
            Err(_) => Err(self.sends.remove(place).bytes),
        }
    }

    /// Hands over what is queued, without waiting. What the kernel does not take now it takes next time.
    pub(super) fn flush(&mut self) {
        if !self.ring.submission().is_empty() {
            self.at_once = 0;
            let _ = self.ring.submit();
        }
    }

    /// Queues a request; a full queue is handed over first.
    ///
    /// # Safety
    /// Memory that the request names must live until its completion.
    unsafe fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: as the caller says.
        if unsafe { self.ring.submission().push(&entry) }.is_ok() {
            return Ok(());
        }
        self.at_once = 0;
        self.ring.submit()?;
        // SAFETY: as the caller says.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.map_err(|_| io::Error::other("the queue of requests to the kernel is full"))
    }

    /// Hands over what is queued, and waits until something is done, at most so long. With some patience it waits that
    /// much for many things to be done.
    pub(super) fn enter(&mut self, limit: Duration, patience: Duration) -> io::Result<()> {
        let done = !self.ring.completion().is_empty();
        let at_once = std::mem::take(&mut self.at_once);
        let entered = if limit.is_zero() || done {
            if self.is_through() {
                return Ok(());
            }
            let queued = self.ring.submission().len() as u32;
            // SAFETY: what is queued was pushed with its memory taken care of; there is no further argument.
            unsafe { self.ring.submitter().enter::<libc::sigset_t>(queued, 0, GET_EVENTS, None) }
        } else {
            let patience = if self.patient { patience.min(limit).as_micros() as u32 } else { 0 };
            let wanted = if patience > 0 { TOGETHER } else { self.awaited(at_once) };
            let limit = if at_once > 0 { limit.min(COUNTED_ON_MAX) } else { limit };
            let time = Timespec::new().sec(limit.as_secs()).nsec(limit.subsec_nanos());
            let args = SubmitArgs::new().timespec(&time).min_wait_usec(patience);
            self.ring.submitter().submit_with_args(wanted, &args)
        };
        match entered {
            Err(error)
                if !matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY)
                ) =>
            {
                Err(error)
            }
            // When the kernel is short of something it takes the rest next time.
            _ => Ok(()),
        }
    }

    /// How many things are to be done before a wait is over: one, besides the sends that are done as soon as they are
    /// handed over and are nothing to wake up for. Should one of them have to wait for its peer after all, what else happens
    /// is seen after [`COUNTED_ON_MAX`] at the latest; with one that waits already it is not counted on.
    fn awaited(&self, at_once: usize) -> usize {
        if self.sends.len() == at_once { at_once + 1 } else { 1 }
    }

    /// Whether nothing is left for the next [`Self::enter`]: neither what is queued here, nor what the kernel has put off
    /// (since Linux 6.13 it deals with some tens of things at a time, and says that there are more).
    pub(super) fn is_through(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.is_empty() && !queue.taskrun() && !queue.cq_overflow()
    }

    /// The next thing that was done.
    pub(super) fn next(&mut self) -> Option<Done> {
        loop {
            let entry = self.ring.completion().next()?;
            let (place, flags) = ((entry.user_data() & PLACE) as usize, entry.flags());
            let result = usize::try_from(entry.result())
                .map_err(|_| io::Error::from_raw_os_error(entry.result().saturating_neg()));
            if entry.user_data() & CANCEL != 0 {
                continue;
            }
            if entry.user_data() & SEND != 0 {
                let Some(Send { at, bytes, written }) = self.sends.try_remove(place) else { continue };
                return Some(Done::Sent { at, bytes, written, result });
            }
            let more = cqueue::more(flags);
            self.receives -= usize::from(!more);
            let result = result.map(|length| Filled { buffer: cqueue::buffer_select(flags), length });
            return Some(Done::Received { at: place, result, more });
        }
    }

    /// What was received; nothing at the peer's end.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        // SAFETY: a buffer that a completion has named is ours until it is given back, which takes what names it.
        filled.buffer.map_or(&[], |id| unsafe { self.stock.bytes(id, filled.length) })
    }

    pub(super) fn give_back(&mut self, filled: Filled) {
        if let Some(id) = filled.buffer {
            self.stock.give_back(id);
        }
    }

    /// Ends all that is under way; whether the kernel has let go of everything.
    fn end_all(&mut self) -> bool {
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::any()).build().user_data(CANCEL);
        // SAFETY: it names no memory.
        if unsafe { self.push(cancel) }.is_err() {
            return false;
        }
        let mut tries = 0;
        while tries < CLOSE_TRIES {
            let left = self.receives + self.sends.len();
            if left == 0 {
                return true;
            }
            if self.enter(CLOSE_TRY, Duration::ZERO).is_err() {
                return false;
            }
            while let Some(done) = self.next() {
                if let Done::Received { result: Ok(filled), .. } = done {
                    self.give_back(filled);
                }
            }
            // What ends is not a try: many sockets end in many turns.
            tries += u32::from(self.receives + self.sends.len() == left);
        }
        false
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // What the kernel may still write to, or read, is left to it: lost memory is better than memory of two owners.
        if self.end_all() {
            let _ = self.ring.submitter().unregister_buf_ring(GROUP);
            // SAFETY: neither is used after this.
            unsafe {
                ManuallyDrop::drop(&mut self.stock);
                ManuallyDrop::drop(&mut self.sends);
            }
        }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("receives", &self.receives).field("sends", &self.sends.len()).finish()
    }
}
