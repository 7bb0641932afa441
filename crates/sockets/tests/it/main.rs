//! Both ways of moving sockets, against real peers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "all of this is tests and their helpers"
)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use peakdrill_sockets::{Event, Handed, Kind, Sockets};
use proptest::prelude::*;
use rustix::event::epoll;
use rustix::time::Timespec;

const SOON: Duration = Duration::from_secs(10);

/// Those that this system allows. Epoll always is.
fn kinds() -> Vec<Sockets> {
    let uring = Sockets::new(Kind::Uring);
    if let Err(error) = &uring {
        eprintln!("io_uring is not tested here: {error}");
    }
    std::iter::once(Sockets::new(Kind::Epoll).unwrap()).chain(uring).collect()
}

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (one, listener.accept().unwrap().0)
}

/// What was told, by key.
#[derive(Debug, Default, PartialEq)]
struct Told {
    received: BTreeMap<usize, Vec<u8>>,
    ended: Vec<usize>,
    broken: Vec<usize>,
    sent: Vec<(usize, usize)>,
    not_sent: Vec<usize>,
}

impl Told {
    /// Waits and listens until something holds.
    fn until(&mut self, sockets: &mut Sockets, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            sockets.wait(SOON, Duration::from_micros(50)).unwrap();
            self.drain(sockets);
        }
    }

    fn drain(&mut self, sockets: &mut Sockets) -> bool {
        sockets.drain(|key, event| match event {
            Event::Received(bytes) => self.received.entry(key).or_default().extend_from_slice(bytes),
            Event::Ended(None) => self.ended.push(key),
            Event::Ended(Some(_)) => self.broken.push(key),
            Event::Sent(bytes) => self.sent.push((key, bytes.len())),
            Event::NotSent(_) => self.not_sent.push(key),
        })
    }

    fn bytes(&self) -> usize {
        self.received.values().map(Vec::len).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What peers write arrives whole and in order at the right key, however it is cut.
    #[test]
    fn what_is_written_is_received(
        writes in prop::collection::vec((0_usize..5, prop::collection::vec(any::<u8>(), 1..20_000)), 1..40),
    ) {
        for mut sockets in kinds() {
            let mut peers = Vec::new();
            for key in 0..5 {
                let (own, peer) = pair();
                sockets.add(key, own).unwrap();
                peers.push(peer);
            }
            let (mut told, mut written) = (Told::default(), BTreeMap::<usize, Vec<u8>>::new());
            let mut total = 0;
            for (key, bytes) in &writes {
                peers[*key].write_all(bytes).unwrap();
                written.entry(*key).or_default().extend_from_slice(bytes);
                total += bytes.len();
                sockets.wait(Duration::ZERO, Duration::ZERO).unwrap();
                told.drain(&mut sockets);
            }
            told.until(&mut sockets, |told| told.bytes() == total);
            prop_assert_eq!(&told.received, &written);
            drop(peers);
            told.until(&mut sockets, |told| told.ended.len() == 5);
        }
    }
}

/// More than the kernel takes at once, while the peer reads nothing at first.
#[test]
fn a_long_send_goes_on_until_it_is_done() {
    for mut sockets in kinds() {
        let (own, mut peer) = pair();
        sockets.add(3, own).unwrap();
        let bytes: Vec<u8> = (0..8_000_000_u32).map(|n| n as u8).collect();
        assert_eq!(sockets.send(3, bytes.clone()), Handed::UnderWay);
        sockets.wait(Duration::ZERO, Duration::ZERO).unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; 8_000_000];
            peer.read_exact(&mut all).unwrap();
            all
        });
        let mut told = Told::default();
        told.until(&mut sockets, |told| !told.sent.is_empty());
        assert_eq!(told.sent, [(3, 8_000_000)]);
        assert!(reader.join().unwrap() == bytes, "{:?}", sockets.kind());
    }
}

/// Waits for an edge of a descriptor; whether one came.
fn rings(poll: &std::os::fd::OwnedFd, limit: Duration) -> bool {
    let mut told = Vec::with_capacity(4);
    let limit = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos().into() };
    epoll::wait(poll, rustix::buffer::spare_capacity(&mut told), Some(&limit)).unwrap() > 0
}

/// Somebody who watches the descriptor, as a runtime does, hears of all that happens, again and again.
#[test]
fn who_watches_is_told() {
    for mut sockets in kinds() {
        let (own, mut peer) = pair();
        sockets.add(0, own).unwrap();
        sockets.watch(true);
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&poll, &sockets, epoll::EventData::new_u64(1), flags).unwrap();
        let mut told = Told::default();
        // What happened before is not told of.
        sockets.wait(Duration::ZERO, Duration::ZERO).unwrap();
        told.drain(&mut sockets);
        for round in 1..=50 {
            peer.write_all(b"x").unwrap();
            while told.bytes() < round {
                assert!(rings(&poll, SOON), "{:?}, round {round}", sockets.kind());
                sockets.wait(Duration::ZERO, Duration::ZERO).unwrap();
                told.drain(&mut sockets);
            }
        }
    }
}

/// What is sent need not wait for the next wait.
#[test]
fn flushed_is_sent() {
    for mut sockets in kinds() {
        let (own, mut peer) = pair();
        sockets.add(0, own).unwrap();
        let _ = sockets.send(0, b"now".to_vec());
        sockets.flush();
        let mut got = [0; 3];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"now");
    }
}

/// However many sockets there are, and whatever is under way on them, dropping them ends in time and tells the peers.
#[test]
fn dropped_while_busy() {
    for mut sockets in kinds() {
        let mut peers = Vec::new();
        for key in 0..400 {
            let (own, peer) = pair();
            sockets.add(key, own).unwrap();
            if key % 40 == 0 {
                let _ = sockets.send(key, vec![1; 4_000_000]);
            }
            peers.push(peer);
        }
        sockets.wait(Duration::ZERO, Duration::ZERO).unwrap();
        let kind = sockets.kind();
        drop(sockets);
        let mut room = vec![0; 1 << 20];
        for mut peer in peers {
            peer.set_read_timeout(Some(SOON)).unwrap();
            let ended = loop {
                match peer.read(&mut room) {
                    Ok(0) => break Ok(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            assert!(ended.is_ok(), "{kind:?}: {ended:?}");
        }
    }
}

#[test]
fn a_send_to_who_is_gone_is_refused_or_told() {
    for mut sockets in kinds() {
        let (own, peer) = pair();
        sockets.add(0, own).unwrap();
        // Closing with something unread resets the connection.
        let mut told = Told::default();
        (&peer).write_all(b"x").unwrap();
        if let Handed::UnderWay = sockets.send(0, b"unread".to_vec()) {
            told.until(&mut sockets, |told| !told.sent.is_empty());
        }
        drop(peer);
        told.until(&mut sockets, |told| told.ended.len() + told.broken.len() == 1);
        match sockets.send(0, b"late".to_vec()) {
            Handed::Refused(bytes) => assert_eq!(bytes, b"late"),
            Handed::UnderWay => told.until(&mut sockets, |told| !told.not_sent.is_empty()),
            Handed::Sent(_) => panic!("sent to who is gone"),
        }
        sockets.remove(0);
        assert_eq!(sockets.send(0, b"none".to_vec()), Handed::Refused(b"none".to_vec()));
    }
}

/// A peer that has only stopped sending still gets what is sent.
#[test]
fn a_half_closed_peer_is_served() {
    for mut sockets in kinds() {
        let (own, mut peer) = pair();
        sockets.add(0, own).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut told = Told::default();
        told.until(&mut sockets, |told| !told.ended.is_empty());
        if sockets.send(0, b"still".to_vec()) == Handed::UnderWay {
            told.until(&mut sockets, |told| !told.sent.is_empty());
        }
        let mut got = [0; 5];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"still");
    }
}

/// A key that is free again belongs to the new socket alone, whatever the old one had under way.
#[test]
fn a_key_can_be_used_again() {
    for mut sockets in kinds() {
        let mut told = Told::default();
        let mut old = Vec::new();
        for round in 0..50_u8 {
            let (own, mut peer) = pair();
            sockets.add(7, own).unwrap();
            // Too much to go out at once: it is under way when the socket is removed.
            let _ = sockets.send(7, vec![round; 4_000_000]);
            peer.write_all(&[round; 100]).unwrap();
            told.until(&mut sockets, |told| told.bytes() == 100);
            assert_eq!(std::mem::take(&mut told.received), BTreeMap::from([(7, vec![round; 100])]));
            sockets.remove(7);
            old.push(peer);
        }
        assert_eq!(told, Told { sent: told.sent.clone(), ..Told::default() });
        // The peers are told that it is over.
        for mut peer in old {
            let mut rest = Vec::new();
            let _ = peer.read_to_end(&mut rest);
        }
    }
}

#[test]
fn waiting_ends_when_it_should() {
    for mut sockets in kinds() {
        let (own, peer) = pair();
        sockets.add(0, own).unwrap();
        let mut told = Told::default();
        // Nothing happens: a short wait ends by itself.
        sockets.wait(Duration::from_micros(300), Duration::ZERO).unwrap();
        told.drain(&mut sockets);
        assert_eq!(told, Told::default());
        let writer = std::thread::spawn(move || (&peer).write_all(b"now").map(|()| peer));
        told.until(&mut sockets, |told| told.bytes() == 3);
        drop(writer.join().unwrap().unwrap());
        told.until(&mut sockets, |told| !told.ended.is_empty());
        // The end is told once.
        sockets.wait(Duration::from_micros(300), Duration::ZERO).unwrap();
        told.drain(&mut sockets);
        assert_eq!(told.ended, [0]);
    }
}

/// Whoever is told that it was all has been told all that was there.
#[test]
fn all_means_all() {
    for mut sockets in kinds() {
        let mut peers = Vec::new();
        for key in 0..300 {
            let (own, peer) = pair();
            sockets.add(key, own).unwrap();
            peers.push(peer);
        }
        let mut told = Told::default();
        for round in 1..20 {
            peers.iter_mut().for_each(|peer| peer.write_all(b"x").unwrap());
            sockets.wait(SOON, Duration::ZERO).unwrap();
            while !told.drain(&mut sockets) {
                sockets.wait(Duration::ZERO, Duration::ZERO).unwrap();
            }
            assert_eq!(told.bytes(), 300 * round, "{:?}", sockets.kind());
        }
    }
}

/// Many sockets that all receive while nobody looks: more than the common stock of memory holds.
#[test]
fn a_stock_that_runs_out_loses_nothing() {
    for mut sockets in kinds() {
        let mut peers = Vec::new();
        for key in 0..300 {
            let (own, peer) = pair();
            sockets.add(key, own).unwrap();
            peers.push(peer);
        }
        peers.iter_mut().for_each(|peer| peer.write_all(&[1; 9000]).unwrap());
        let mut told = Told::default();
        told.until(&mut sockets, |told| told.bytes() == 300 * 9000);
        assert!(told.received.values().all(|bytes| bytes.len() == 9000));
        sockets.clear();
        for peer in &mut peers {
            let mut rest = Vec::new();
            let _ = peer.read_to_end(&mut rest);
        }
    }
}
