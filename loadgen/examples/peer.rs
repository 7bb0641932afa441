//! A server whose truth is known: one thread that never sleeps, so that no waking up is in what it tells.
//!
//! `peer stamp PER_SECOND` answers at once and tells how far arrivals were off an even grid of that rate.
//! `peer freeze PERIOD_MS FROZEN_MS` answers nothing in the last part of each period, counted from the first request, and
//! tells how long requests waited for their answers. `peer workers N SERVICE_US` serves N requests at a time, each for the
//! same time, in the order they came: its capacity is N / SERVICE.
//!
//! Prints its address, then serves until its input ends, then prints one line of JSON.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use rustix::event::epoll;
use rustix::time::Timespec;

/// Most events taken at once.
const EVENTS: usize = 256;
/// Requests that are remembered; more end the run.
const REQUESTS_MAX: usize = 20_000_000;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
const HEAD_END: &[u8] = b"\r\n\r\n";
const LISTENER: u64 = u64::MAX;
const INPUT: u64 = u64::MAX - 1;

/// When answers are given.
enum Mode {
    Stamp { rate: f64 },
    Freeze { period_ns: u64, frozen_ns: u64 },
    Workers { free_at: BinaryHeap<Reverse<u64>>, service_ns: u64 },
}

struct Peer {
    mode: Mode,
    poll: rustix::fd::OwnedFd,
    listener: TcpListener,
    connections: Vec<Option<(TcpStream, Vec<u8>)>>,
    started: Instant,
    /// When requests came, in nanoseconds.
    stamps: Vec<u64>,
    /// When they are to be answered: then, which stamp, which connection.
    due: BinaryHeap<Reverse<(u64, usize, usize)>>,
    /// How long each waited, in nanoseconds.
    waits: Vec<u64>,
}

fn mode(args: &[String]) -> Result<Mode, Box<dyn Error>> {
    let number = |text: &String| text.parse::<u64>();
    match args {
        [name, rate] if name == "stamp" => Ok(Mode::Stamp { rate: rate.parse()? }),
        [name, period, frozen] if name == "freeze" => Ok(Mode::Freeze {
            period_ns: number(period)? * 1_000_000,
            frozen_ns: number(frozen)? * 1_000_000,
        }),
        [name, workers, service] if name == "workers" => {
            let free_at = (0..number(workers)?.max(1)).map(|_| Reverse(0)).collect();
            Ok(Mode::Workers { free_at, service_ns: number(service)? * 1_000 })
        }
        _ => Err("peer stamp PER_SECOND | freeze PERIOD_MS FROZEN_MS | workers N SERVICE_US".into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut peer = Peer::new(mode(&args)?)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", peer.listener.local_addr()?)?;
    out.flush()?;
    while peer.turn()? {}
    writeln!(out, "{}", peer.told())?;
    Ok(())
}

impl Peer {
    fn new(mode: Mode) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        epoll::add(&poll, std::io::stdin(), epoll::EventData::new_u64(INPUT), epoll::EventFlags::IN)?;
        let (connections, stamps, due, waits) = (Vec::new(), Vec::new(), BinaryHeap::new(), Vec::new());
        Ok(Self { mode, poll, listener, connections, started: Instant::now(), stamps, due, waits })
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Takes in what has come and gives the answers that are due; whether it goes on.
    fn turn(&mut self) -> Result<bool, Box<dyn Error>> {
        let mut events = Vec::with_capacity(EVENTS);
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&now))?;
        for event in events {
            match event.data.u64() {
                INPUT if std::io::stdin().read(&mut [0; 64])? == 0 => return Ok(false),
                INPUT => {}
                LISTENER => self.accept()?,
                at => self.read(at as usize)?,
            }
        }
        while let Some(Reverse((at, stamp, connection))) = self.due.peek().copied()
            && at <= self.now()
        {
            self.due.pop();
            self.answer(stamp, connection);
        }
        Ok(true)
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        let (stream, _) = match self.listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            accepted => accepted?,
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let data = epoll::EventData::new_u64(self.connections.len() as u64);
        epoll::add(&self.poll, &stream, data, epoll::EventFlags::IN)?;
        self.connections.push(Some((stream, Vec::new())));
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
        let mut room = [0; 16 * 1024];
        let Some(Some((stream, unread))) = self.connections.get_mut(at) else { return Ok(()) };
        match stream.read(&mut room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Ok(read) if read > 0 => unread.extend_from_slice(room.get(..read).unwrap_or_default()),
            _ => {
                self.connections[at] = None;
                return Ok(());
            }
        }
        let heads = unread.windows(HEAD_END.len()).filter(|window| *window == HEAD_END).count();
        if heads > 0 && unread.ends_with(HEAD_END) {
            unread.clear();
            (0..heads).try_for_each(|_| self.request(at))?;
        }
        Ok(())
    }

    fn request(&mut self, connection: usize) -> Result<(), Box<dyn Error>> {
        let (now, stamp) = (self.now(), self.stamps.len());
        if stamp == REQUESTS_MAX {
            return Err(format!("more than {REQUESTS_MAX} requests").into());
        }
        self.stamps.push(now);
        let first = self.stamps.first().copied().unwrap_or(now);
        let due = match &mut self.mode {
            Mode::Stamp { .. } => now,
            Mode::Freeze { period_ns, frozen_ns } => {
                let into = (now - first) % *period_ns;
                if into < *period_ns - *frozen_ns { now } else { now + *period_ns - into }
            }
            Mode::Workers { free_at, service_ns } => {
                let free = free_at.pop().map_or(now, |Reverse(at)| at.max(now));
                free_at.push(Reverse(free + *service_ns));
                free + *service_ns
            }
        };
        if due <= now {
            self.answer(stamp, connection);
        } else {
            self.due.push(Reverse((due, stamp, connection)));
        }
        Ok(())
    }

    fn answer(&mut self, stamp: usize, connection: usize) {
        // A client that is gone takes no answer.
        if let Some(Some((stream, _))) = self.connections.get_mut(connection) {
            let _ = stream.write_all(ANSWER);
        }
        let came = self.stamps.get(stamp).copied().unwrap_or_default();
        self.waits.push(self.now() - came);
    }

    /// What it has seen.
    fn told(mut self) -> String {
        let requests = self.stamps.len();
        let off =
            if let Mode::Stamp { rate } = self.mode { off_grid(&self.stamps, rate) } else { Vec::new() };
        self.waits.sort_unstable();
        let [off, waits] =
            [off, self.waits].map(|sorted| [0.5, 0.9, 0.99, 0.999].map(|q| quantile(&sorted, q)));
        format!(r#"{{"requests":{requests},"off_ns":{off:?},"waits_ns":{waits:?}}}"#)
    }
}

/// How far arrivals were off the even grid that fits them best, sorted, in nanoseconds.
fn off_grid(stamps: &[u64], rate: f64) -> Vec<u64> {
    let beside: Vec<i64> =
        stamps.iter().enumerate().map(|(k, at)| *at as i64 - (k as f64 * 1e9 / rate) as i64).collect();
    let mut sorted = beside.clone();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let mut off: Vec<u64> = beside.iter().map(|at| at.abs_diff(middle)).collect();
    off.sort_unstable();
    off
}

fn quantile(sorted: &[u64], q: f64) -> u64 {
    let place = ((q * sorted.len() as f64).ceil() as usize).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}
