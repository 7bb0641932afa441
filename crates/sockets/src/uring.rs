//! Sockets over `io_uring`.

mod ring;
mod stock;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use slab::Slab;

use crate::{EVENTS_MAX, Event, Handed};
use ring::{Done, Ring};

/// Sockets over `io_uring`.
#[derive(Debug)]
pub struct Uring {
    ring: Ring,
    /// Sockets, and those removed ones of which the kernel has not let go yet.
    slots: Slab<Slot>,
    /// Where the socket of a key is.
    places: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Slot {
    stream: TcpStream,
    key: usize,
    /// The kernel holds a receive of it, or a send.
    receiving: bool,
    sending: bool,
    removed: bool,
}

impl Uring {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { ring: Ring::new()?, slots: Slab::new(), places: Vec::new() })
    }

    pub(crate) fn add(&mut self, key: usize, stream: TcpStream) -> io::Result<()> {
        // The ring waits for sockets that block; of others it tells that they would.
        stream.set_nonblocking(false)?;
        if key >= self.places.len() {
            self.places.resize(key + 1, None);
        }
        let entry = self.slots.vacant_entry();
        let at = entry.key();
        self.ring.receive(at, stream.as_fd())?;
        entry.insert(Slot { stream, key, receiving: true, sending: false, removed: false });
        self.places[key] = Some(at);
        Ok(())
    }

    pub(crate) fn send(&mut self, key: usize, bytes: Vec<u8>) -> Handed {
        let place = self.places.get(key).copied().flatten();
        let Some((at, slot)) = place.and_then(|at| Some((at, self.slots.get_mut(at)?))) else {
            return Handed::Refused(bytes);
        };
        match self.ring.send(at, slot.stream.as_fd(), bytes, 0) {
            Ok(()) => {
                slot.sending = true;
                Handed::UnderWay
            }
            Err(bytes) => Handed::Refused(bytes),
        }
    }

    pub(crate) fn remove(&mut self, key: usize) {
        let Some(at) = self.places.get_mut(key).and_then(Option::take) else { return };
        if let Some(slot) = self.slots.get_mut(at) {
            slot.removed = true;
            if slot.sending {
                // What was said last is to leave before that.
                self.ring.flush();
            }
            // Closing would wait for the receive that is armed, and this ends it.
            let _ = slot.stream.shutdown(Shutdown::Both);
        }
        self.let_go(at);
    }

    pub(crate) fn clear(&mut self) {
        (0..self.places.len()).for_each(|key| self.remove(key));
    }

    /// Drops a socket that was removed, when the kernel is done with it.
    fn let_go(&mut self, at: usize) {
        if self.slots.get(at).is_some_and(|slot| slot.removed && !slot.receiving && !slot.sending) {
            self.slots.remove(at);
        }
    }

    pub(crate) fn watch(&mut self, watched: bool) {
        self.ring.watch(watched);
    }

    pub(crate) fn flush(&mut self) {
        self.ring.flush();
    }

    pub(crate) fn wait(&mut self, limit: Duration, patience: Duration) -> io::Result<()> {
        self.ring.enter(limit, patience)
    }

    pub(crate) fn drain(&mut self, mut tell: impl FnMut(usize, Event<'_>)) -> bool {
        for _ in 0..EVENTS_MAX {
            match self.ring.next() {
                None => return self.ring.is_through(),
                Some(Done::Received { at, result, more }) => self.received(at, result, more, &mut tell),
                Some(Done::Sent { at, bytes, written, result }) => {
                    self.sent(at, bytes, written, result, &mut tell);
                }
            }
        }
        false
    }

    fn received(
        &mut self,
        at: usize,
        result: io::Result<ring::Filled>,
        more: bool,
        tell: &mut impl FnMut(usize, Event<'_>),
    ) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.receiving = more;
        let (key, removed) = (slot.key, slot.removed);
        let go_on = match result {
            Ok(filled) => {
                let bytes = self.ring.bytes(&filled);
                let ended = bytes.is_empty();
                if !removed {
                    tell(key, if ended { Event::Ended(None) } else { Event::Received(bytes) });
                }
                self.ring.give_back(filled);
                !ended
            }
            // The stock was empty, or something came in between: it is armed again.
            Err(error) if ring::is_passing(&error) => true,
            Err(error) => {
                if !removed {
                    tell(key, Event::Ended(Some(error)));
                }
                false
            }
        };
        if removed {
            return self.let_go(at);
        }
        if go_on && !more {
            match self.ring.receive(at, slot.stream.as_fd()) {
                Ok(()) => slot.receiving = true,
                Err(error) => tell(key, Event::Ended(Some(error))),
            }
        }
    }

    fn sent(
        &mut self,
        at: usize,
        bytes: Vec<u8>,
        written: usize,
        result: io::Result<usize>,
        tell: &mut impl FnMut(usize, Event<'_>),
    ) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.sending = false;
        if slot.removed {
            return self.let_go(at);
        }
        let written = match result {
            Ok(0) => return tell(slot.key, Event::NotSent(bytes)),
            Ok(more) => written + more,
            Err(error) if ring::is_passing(&error) => written,
            Err(_) => return tell(slot.key, Event::NotSent(bytes)),
        };
        if written >= bytes.len() {
            return tell(slot.key, Event::Sent(bytes));
        }
        match self.ring.send(at, slot.stream.as_fd(), bytes, written) {
            Ok(()) => slot.sending = true,
            Err(bytes) => tell(slot.key, Event::NotSent(bytes)),
        }
    }
}

impl AsFd for Uring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
