//! Peers of HTTP/2 that are made by hand, frame by frame: hostile ones, and one that goes away in the middle.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Part, Protocol, Template};
use peakdrill_loadgen::Transport;

use crate::common::{S, Told, get, hold, node, plan, run_over, transports};

/// One connection of such a peer.
struct Peer {
    stream: TcpStream,
    /// Which one it is, from 0.
    number: usize,
    /// The paths of requests, over all connections.
    seen: Arc<Mutex<Vec<String>>>,
}

/// Listens until it is dropped, with a thread for each connection.
struct Peers {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Script = fn(&mut Peer) -> Option<()>;

impl Peers {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, ends) = (Arc::clone(&seen), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for number in 0.. {
                let (stream, _) = listener.accept().unwrap();
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                stream.set_nodelay(true).unwrap();
                let mut peer = Peer { stream, number, seen: Arc::clone(&log) };
                // Each ends with its connection, which the load closes at its end.
                std::thread::spawn(move || peer.greet().and_then(|()| script(&mut peer)));
            }
        });
        Self { address, seen, over, thread: Some(thread) }
    }

    /// So many requests in a second, over connections with so many streams, one at a time.
    fn run(&self, transport: Transport, requests: f64, streams: u32) -> Told {
        let path = Template(vec![Part::Literal("/r".into()), Part::Index, Part::Literal(".".into())]);
        let mut request = get(0, "");
        request.path = path;
        let mut plan = plan(&format!("http://{}", self.address), hold(requests, S), vec![node(request)]);
        plan.targets[0].protocol = Protocol::Http2 { streams };
        plan.targets[0].max_connections = 1;
        let told = run_over(transport, plan);
        told.assert_sums();
        told
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Peer {
    fn read<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    fn greet(&mut self) -> Option<()> {
        assert_eq!(&self.read::<24>()?, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        self.send(4, 0, 0, &[])
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<()> {
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        let [d, e, f, g] = stream.to_be_bytes();
        let frame = [&[a, b, c, kind, flags, d, e, f, g][..], payload].concat();
        self.stream.write_all(&frame).ok()
    }

    /// The stream of the next request; other frames are passed over.
    fn request(&mut self) -> Option<u32> {
        loop {
            let [a, b, c, kind, _, d, e, f, g] = self.read::<9>()?;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.stream.read_exact(&mut payload).ok()?;
            if kind == 1 {
                let text = String::from_utf8_lossy(&payload).into_owned();
                let path = text
                    .find("/r")
                    .and_then(|at| text[at..].split_once('.'))
                    .map(|(path, _)| path.to_owned());
                self.seen.lock().unwrap().push(path.unwrap());
                return Some(u32::from_be_bytes([d, e, f, g]));
            }
        }
    }

    fn answer(&mut self, stream: u32) -> Option<()> {
        self.send(1, 5, stream, &[0x88])
    }
}

/// All requests of a peer end in one class.
fn all_end_in(class: ErrorClass, script: Script) {
    for transport in transports() {
        let peers = Peers::start(script);
        let told = peers.run(transport, 10.0, 1);
        let errors = told.step(0).errors;
        assert_eq!(errors, BTreeMap::from([(class, 10)]), "{:?}", told.samples.first());
    }
}

#[test]
fn what_a_peer_does_wrong_has_its_own_class() {
    // A head of 100,000 bytes in continuations; and one that never ends.
    all_end_in(ErrorClass::HeadTooLarge, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(1, 1, stream, &[0x88])?;
            let field = [&[0, 1, b'a', 0x7f, 0xa9, 0x04][..], &[b'x'; 680]].concat();
            (0..10).try_for_each(|_| peer.send(9, 0, stream, &field.repeat(15)))?;
            peer.send(9, 4, stream, &[])?;
        }
    });
    all_end_in(ErrorClass::HeadTooLarge, |peer| {
        let stream = peer.request()?;
        peer.send(1, 1, stream, &[0x88])?;
        loop {
            peer.send(9, 0, stream, &[0x88; 10])?;
        }
    });
    // A body without an end, and one that is shorter, and longer, than promised.
    all_end_in(ErrorClass::BodyTooLarge, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(1, 4, stream, &[0x88])?;
            (0..1100).try_for_each(|_| peer.send(0, 0, stream, &[b'x'; 16_000]))?;
        }
    });
    all_end_in(ErrorClass::BodyShort, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(1, 4, stream, &[0x88, 0x0f, 0x0d, 1, b'9'])?;
            peer.send(0, 1, stream, b"short")?;
        }
    });
    all_end_in(ErrorClass::Malformed, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(1, 4, stream, &[0x88, 0x0f, 0x0d, 1, b'2'])?;
            peer.send(0, 1, stream, b"long")?;
        }
    });
    // Compression out of step, garbage, and a flood of frames that say nothing.
    all_end_in(ErrorClass::Malformed, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(1, 5, stream, &[0xff; 9])?;
        }
    });
    all_end_in(ErrorClass::Malformed, |peer| {
        peer.request()?;
        peer.stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()?;
        peer.request().map(drop)
    });
    all_end_in(ErrorClass::Malformed, |peer| {
        peer.request()?;
        loop {
            peer.send(6, 0, 0, &[0; 8])?;
        }
    });
    all_end_in(ErrorClass::Reset, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(3, 0, stream, &[0, 0, 0, 8])?;
        }
    });
    // Refused again and again: it was sent some times, and not for ever.
    all_end_in(ErrorClass::Reset, |peer| {
        loop {
            let stream = peer.request()?;
            peer.send(3, 0, stream, &[0, 0, 0, 7])?;
        }
    });
    all_end_in(ErrorClass::Closed, |peer| peer.request().map(drop));
    all_end_in(ErrorClass::BodyShort, |peer| {
        let stream = peer.request()?;
        peer.send(1, 4, stream, &[0x88])
    });
}

/// A peer that takes twenty requests on a connection, waits for three more and leaves them out: these go over another
/// connection, and each request is answered once.
#[test]
fn what_a_peer_leaves_out_goes_over_another_connection() {
    for transport in transports() {
        let peers = Peers::start(|peer| {
            let mut last = 0;
            if peer.number > 0 {
                loop {
                    let stream = peer.request()?;
                    peer.answer(stream)?;
                }
            }
            for _ in 0..20 {
                last = peer.request()?;
                peer.answer(last)?;
            }
            (0..3).try_for_each(|_| peer.request().map(drop))?;
            peer.send(7, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())?;
            peer.request().map(drop)
        });
        let told = peers.run(transport, 50.0, 100);
        assert!(told.step(0).errors.is_empty(), "{:?}", told.step(0).errors);
        assert_eq!((told.step(0).sent, told.report.shards[0].connections_opened), (50, 2));
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for path in peers.seen.lock().unwrap().iter() {
            *times.entry(path.clone()).or_default() += 1;
        }
        assert_eq!(times.len(), 50);
        // Those three were seen by the first connection too, which said that it had not looked at them.
        assert_eq!(times.values().filter(|times| **times == 2).count(), 3, "{times:?}");
        assert_eq!(times.values().sum::<u32>(), 53);
    }
}
