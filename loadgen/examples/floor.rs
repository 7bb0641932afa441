//! The floor: what the kernel alone costs a client. Prebuilt bytes over keep-alive connections, answers counted and not
//! looked at, one thread, `epoll`. Nothing that tells what it sent, or that it was right, can cost less.
//!
//! `floor ADDRESS CONNECTIONS SECONDS closed` or `floor ADDRESS CONNECTIONS SECONDS rate PER_SECOND QUANTUM_US`: with a
//! quantum of 0 it sleeps until each request is due, by the nanosecond; with `spin` it never sleeps. Prints one line of
//! JSON.

use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use peakdrill_latency::Histogram;
use rustix::event::epoll;
use rustix::time::Timespec;

/// Most events taken at once.
const EVENTS: usize = 256;

struct Floor {
    connections: Vec<TcpStream>,
    /// When the request on each connection was due, and how long answers took from then on, in nanoseconds.
    due: Vec<u64>,
    latency: Histogram,
    started: Instant,
    /// Bytes of an answer that are still to come, per connection; 0: it is free.
    left: Vec<usize>,
    free: Vec<usize>,
    request: Vec<u8>,
    answer_bytes: usize,
    room: Vec<u8>,
    done: u64,
}

/// When requests are due: evenly, from the start on.
struct Schedule {
    interval_ns: f64,
    total: u64,
    quantum_ns: u64,
    spins: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, seconds, mode, rest @ ..] = args.as_slice() else {
        return Err("floor ADDRESS CONNECTIONS SECONDS closed|rate [PER_SECOND QUANTUM_US|spin]".into());
    };
    let length = Duration::from_secs(seconds.parse()?);
    let mut floor = Floor::new(address, connections.parse()?)?;
    let (lag, sent) = match (mode.as_str(), rest) {
        ("closed", []) => (Histogram::new(), floor.closed(length)?),
        ("rate", [rate, quantum_us]) => {
            let rate: f64 = rate.parse()?;
            let total = (rate * length.as_secs_f64()) as u64;
            let spins = quantum_us == "spin";
            let quantum_ns = if spins { 0 } else { quantum_us.parse::<u64>()? * 1_000 };
            floor.open(&Schedule { interval_ns: 1e9 / rate, total, quantum_ns, spins })?
        }
        _ => return Err("the mode is `closed`, or `rate PER_SECOND QUANTUM_US`".into()),
    };
    let at = |q| lag.quantile(q).unwrap_or(0);
    writeln!(
        std::io::stdout(),
        r#"{{"sent":{sent},"requests":{},"lag_p50_ns":{},"lag_p99_ns":{},"latency_p50_ns":{}}}"#,
        floor.done,
        at(0.5),
        at(0.99),
        floor.latency.quantile(0.5).unwrap_or(0)
    )?;
    Ok(())
}

impl Floor {
    fn new(address: &str, connections: usize) -> Result<Self, Box<dyn Error>> {
        let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
        let mut room = vec![0; 64 * 1024];
        // The first answer tells how long they are.
        let mut first = TcpStream::connect(address)?;
        first.write_all(&request)?;
        let answer_bytes = first.read(&mut room)?;
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            open.push(stream);
        }
        let (left, free) = (vec![0; connections], (0..connections).collect());
        let (due, latency, started) = (vec![0; connections], Histogram::new(), Instant::now());
        Ok(Self {
            connections: open,
            due,
            latency,
            started,
            left,
            free,
            request,
            answer_bytes,
            room,
            done: 0,
        })
    }

    fn watch(&self) -> Result<rustix::fd::OwnedFd, Box<dyn Error>> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (at, stream) in self.connections.iter().enumerate() {
            epoll::add(&poll, stream, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
        }
        Ok(poll)
    }

    fn send(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
        let Some(mut stream) = self.connections.get(at) else { return Ok(()) };
        if stream.write(&self.request)? != self.request.len() {
            return Err("a request went out in parts".into());
        }
        if let Some(left) = self.left.get_mut(at) {
            *left = self.answer_bytes;
        }
        Ok(())
    }

    /// Waits for answers, at most so long, and reads them.
    fn receive(&mut self, poll: &rustix::fd::OwnedFd, wait: Option<u64>) -> Result<(), Box<dyn Error>> {
        let mut events = Vec::with_capacity(EVENTS);
        let wait = wait
            .map(|ns| Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as _ });
        match epoll::wait(poll, rustix::buffer::spare_capacity(&mut events), wait.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            other => other?,
        };
        for event in events {
            let at = event.data.u64() as usize;
            let (Some(mut stream), Some(left)) = (self.connections.get(at), self.left.get_mut(at)) else {
                continue;
            };
            let read = match stream.read(&mut self.room) {
                Ok(0) => return Err("the server closed a connection".into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                read => read?,
            };
            *left = left.checked_sub(read).ok_or("an answer has another length")?;
            if *left == 0 {
                self.done += 1;
                if let Some(due) = self.due.get(at).filter(|due| **due > 0) {
                    self.latency.record(self.started.elapsed().as_nanos() as u64 - due);
                }
                self.free.push(at);
            }
        }
        Ok(())
    }

    /// Every connection asks again as soon as it has its answer. Returns what was sent.
    fn closed(&mut self, length: Duration) -> Result<u64, Box<dyn Error>> {
        let (poll, started, mut sent) = (self.watch()?, Instant::now(), 0);
        while started.elapsed() < length {
            while let Some(at) = self.free.pop() {
                self.send(at)?;
                sent += 1;
            }
            self.receive(&poll, None)?;
        }
        Ok(sent)
    }

    /// Sends what is due when it is due, and a connection is free. Returns how late that was, and what was sent.
    fn open(&mut self, schedule: &Schedule) -> Result<(Histogram, u64), Box<dyn Error>> {
        let (poll, started, mut lag) = (self.watch()?, Instant::now(), Histogram::new());
        self.started = started;
        let due = |index: u64| (index as f64 * schedule.interval_ns) as u64;
        // The first instant at or after one at which something is sent.
        let tick = |at: u64| match schedule.quantum_ns {
            0 => at,
            quantum => at.div_ceil(quantum) * quantum,
        };
        let (mut sent, mut wake) = (0, 0);
        while self.done < schedule.total {
            let mut now = started.elapsed().as_nanos() as u64;
            if now >= wake {
                while sent < schedule.total
                    && due(sent) <= now
                    && let Some(at) = self.free.pop()
                {
                    lag.record(now - due(sent));
                    if let Some(place) = self.due.get_mut(at) {
                        *place = due(sent);
                    }
                    self.send(at)?;
                    sent += 1;
                    now = started.elapsed().as_nanos() as u64;
                }
                wake = if sent < schedule.total { tick(due(sent).max(now + 1)) } else { u64::MAX };
            }
            let stalled = self.free.is_empty() || sent == schedule.total;
            let sleep = if schedule.spins { Some(0) } else { (!stalled).then(|| wake.saturating_sub(now)) };
            self.receive(&poll, sleep)?;
        }
        Ok((lag, sent))
    }
}
