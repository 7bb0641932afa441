//! Sockets over epoll, level-triggered: what is not read yet is told again, so that one read for each thing told is
//! enough.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::thread::set_current_timer_slack;
use rustix::time::Timespec;

use crate::kernel::epoll_now;
use crate::{EVENTS_MAX, Event, Handed};

/// Most that is read at once, in bytes. One piece of memory serves all sockets.
const ROOM_BYTES: usize = 64 * 1024;
/// What tells of anything to read, of the peer's end included.
const READABLE: EventFlags = EventFlags::IN.union(EventFlags::HUP).union(EventFlags::ERR);

/// Sockets over epoll.
pub struct Epoll {
    poll: OwnedFd,
    sockets: Vec<Option<Socket>>,
    told: Vec<epoll::Event>,
    room: Box<[u8]>,
    /// There is no `epoll_pwait2`: the kernel is older (Linux before 5.11), or who keeps watch over the system's calls is.
    is_old: bool,
}

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// What was handed over and is not sent in full yet, and how much of it is.
    unsent: Vec<u8>,
    written: usize,
}

/// How far writing came.
enum Written {
    All,
    Part,
    Failed,
}

impl Socket {
    fn write(&mut self) -> Written {
        while let Some(rest) = self.unsent.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Written::Failed,
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Part,
                Err(_) => return Written::Failed,
            }
        }
        Written::All
    }

    fn take_unsent(&mut self) -> Vec<u8> {
        self.written = 0;
        std::mem::take(&mut self.unsent)
    }
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // Whoever waits says how late that may end. Where it cannot be set it is 50 µs.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        let room = vec![0; ROOM_BYTES].into_boxed_slice();
        Ok(Self { poll, sockets: Vec::new(), told: Vec::with_capacity(EVENTS_MAX), room, is_old: false })
    }

    pub(crate) fn add(&mut self, key: usize, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        epoll::add(&self.poll, &stream, EventData::new_u64(key as u64), EventFlags::IN)?;
        if key >= self.sockets.len() {
            self.sockets.resize_with(key + 1, || None);
        }
        self.sockets[key] = Some(Socket { stream, unsent: Vec::new(), written: 0 });
        Ok(())
    }

    pub(crate) fn send(&mut self, key: usize, bytes: Vec<u8>) -> Handed {
        let Some(Some(socket)) = self.sockets.get_mut(key) else {
            return Handed::Refused(bytes);
        };
        (socket.unsent, socket.written) = (bytes, 0);
        match socket.write() {
            Written::All => Handed::Sent(socket.take_unsent()),
            Written::Failed if socket.written == 0 => Handed::Refused(socket.take_unsent()),
            // Of a failure further on the next try tells, when the socket can be written to or is broken.
            Written::Part | Written::Failed => {
                watch(&self.poll, socket, key, EventFlags::IN | EventFlags::OUT);
                Handed::UnderWay
            }
        }
    }

    pub(crate) fn remove(&mut self, key: usize) {
        // Closing takes it out of the poll set.
        if let Some(socket) = self.sockets.get_mut(key) {
            *socket = None;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> io::Result<()> {
        self.told.clear();
        let limit = Timespec {
            tv_sec: limit.as_secs().min(i32::MAX as u64) as _,
            tv_nsec: limit.subsec_nanos().into(),
        };
        if self.is_old {
            return self.wait_on_an_old_kernel(&limit);
        }
        match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut self.told), Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            // Containers of old runtimes are refused what these do not know.
            Err(Errno::NOSYS | Errno::PERM) => {
                self.is_old = true;
                self.wait_on_an_old_kernel(&limit)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `epoll_wait` counts in milliseconds; `ppoll` waits to the nanosecond, in a call of its own.
    fn wait_on_an_old_kernel(&mut self, limit: &Timespec) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.poll, PollFlags::IN)], Some(limit)) {
            Ok(0) | Err(Errno::INTR) => Ok(()),
            Ok(_) => epoll_now(self.poll.as_fd(), &mut self.told),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn drain(&mut self, mut tell: impl FnMut(usize, Event<'_>)) -> bool {
        let mut all = self.told.len() < EVENTS_MAX;
        for event in self.told.drain(..) {
            let (key, flags) = (event.data.u64() as usize, event.flags);
            let Some(Some(socket)) = self.sockets.get_mut(key) else { continue };
            if flags.contains(EventFlags::OUT) && !socket.unsent.is_empty() {
                write_on(&self.poll, socket, key, &mut tell);
            }
            if !flags.intersects(READABLE) {
                continue;
            }
            match socket.stream.read(&mut self.room) {
                Ok(0) => end(&self.poll, socket, key, None, &mut tell),
                Ok(read) => {
                    all &= read < self.room.len();
                    tell(key, Event::Received(self.room.get(..read).unwrap_or_default()));
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => end(&self.poll, socket, key, Some(error), &mut tell),
            }
        }
        all
    }
}

/// Writes what is left, and tells when that is over.
fn write_on(poll: &OwnedFd, socket: &mut Socket, key: usize, tell: &mut impl FnMut(usize, Event<'_>)) {
    let told = match socket.write() {
        Written::Part => return,
        Written::All => Event::Sent(socket.take_unsent()),
        Written::Failed => Event::NotSent(socket.take_unsent()),
    };
    watch(poll, socket, key, EventFlags::IN);
    tell(key, told);
}

/// Tells the end, once: an ended socket would be told again and again.
fn end(
    poll: &OwnedFd,
    socket: &Socket,
    key: usize,
    broken: Option<io::Error>,
    tell: &mut impl FnMut(usize, Event<'_>),
) {
    // It is in the set as long as it is open, and removing what is there does not fail.
    let _ = epoll::delete(poll, &socket.stream);
    tell(key, Event::Ended(broken));
}

fn watch(poll: &OwnedFd, socket: &Socket, key: usize, flags: EventFlags) {
    // One that has ended is not in the set any more, and has nothing to tell.
    let _ = epoll::modify(poll, &socket.stream, EventData::new_u64(key as u64), flags);
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoll").field("sockets", &self.sockets.iter().flatten().count()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_old_kernel_is_waited_on_as_exactly() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut sockets = Epoll { is_old: true, ..Epoll::new().unwrap() };
        sockets.add(3, stream).unwrap();
        let mut seen = Vec::new();
        sockets.wait(Duration::from_micros(300)).unwrap();
        sockets.drain(|key, _| seen.push((key, 0)));
        assert!(seen.is_empty(), "nothing was sent yet");
        peer.write_all(b"abc").unwrap();
        while seen.is_empty() {
            sockets.wait(Duration::from_secs(5)).unwrap();
            sockets.drain(|key, event| {
                let Event::Received(bytes) = event else { panic!("{event:?}") };
                seen.push((key, bytes.len()));
            });
        }
        assert_eq!(seen, [(3, 3)]);
    }
}
