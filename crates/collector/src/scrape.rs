//! Prometheus endpoints, looked at while a drill runs. What they say goes into the journal as a metrics request, as if
//! it had been sent: a replay needs no network.

mod request;
mod text;

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use peakdrill_drill_model::plan::Scrape;
use peakdrill_tls::{Keys, SetupError};

use crate::counters::counter;
pub use crate::http::FetchError;
use crate::http::Server;
use crate::net::{Budget, Job};
use crate::otlp::{Format, Texts};
use crate::record::{Record, RecordKind};
use crate::shared::{Shared, now_ns};

const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
/// Longest time for one look, however seldom it is made.
const LOOK_MAX: Duration = Duration::from_secs(2);
const FULL: &str = "the collector is full: what was read is left out";

/// What one look at an endpoint found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Samples that tell of a resource.
    pub samples: usize,
    /// Lines that could not be read.
    pub bad_lines: u64,
}

/// Looks at an endpoint once, and keeps nothing.
///
/// # Errors
/// [`FetchError`] when it cannot be reached, or its answer is none.
pub fn look(scrape: &Scrape) -> Result<Looked, FetchError> {
    let said = said(scrape, &server(scrape)?)?;
    Ok(Looked { samples: said.samples.len(), bad_lines: said.bad_lines })
}

/// Its certificates are read here.
fn server(scrape: &Scrape) -> Result<Server, SetupError> {
    Server::new(&scrape.authority, scrape.tls.as_ref(), Keys::Scenario)
}

/// `server`: kept from one look to the next.
fn said(scrape: &Scrape, server: &Server) -> Result<text::Said, FetchError> {
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\naccept: {ACCEPT}\r\nuser-agent: peakdrill\r\nconnection: close\r\n\r\n",
        scrape.path,
        server.host()
    );
    let fetched = server.exchange(request.as_bytes(), limit(scrape))?;
    Ok(text::read(&String::from_utf8_lossy(&fetched.body), fetched.open_metrics))
}

fn limit(scrape: &Scrape) -> Duration {
    Duration::from_nanos(scrape.every_ns).clamp(Duration::from_millis(100), LOOK_MAX)
}

/// How looks at one endpoint went.
#[derive(Debug, Default)]
struct Tally {
    looks: u64,
    failed: u64,
    last_error: String,
}

/// Endpoints that are looked at, each on a thread of its own: a slow one holds up no other.
#[derive(Default)]
pub(crate) struct Scrapers {
    threads: Vec<Scraper>,
}

/// One of them at work. It ends when its `stop` is dropped.
struct Scraper {
    place: String,
    tally: Arc<Mutex<Tally>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Where what was found goes.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) queue: Sender<Job>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) shared: Arc<Shared>,
}

impl Scrapers {
    /// Begins to look, each endpoint on a thread of its own: a plan has few.
    pub(crate) fn start(&mut self, scrapes: &[Scrape], sink: &Sink) -> std::io::Result<()> {
        for scrape in scrapes {
            let tally = Arc::new(Mutex::new(Tally::default()));
            let (stop, stopped) = mpsc::channel();
            let (own, place, sink, scrape) =
                (Arc::clone(&tally), scrape.place(), sink.clone(), scrape.clone());
            // What cannot be set up fails every look: its files are not read again.
            let server = server(&scrape);
            let work = move || {
                let every = Duration::from_nanos(scrape.every_ns);
                let mut next = Instant::now();
                loop {
                    once(&scrape, &server, &sink, &own);
                    // Looks that were missed are not made up for.
                    next = (next + every).max(Instant::now());
                    let wait = next.saturating_duration_since(Instant::now());
                    if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new().name("collector-scrape".to_owned()).spawn(work)?;
            self.threads.push(Scraper { place, tally, stop, thread });
        }
        Ok(())
    }

    /// Ends all looks, those under way within their time; says which endpoints could not be read, in words.
    pub(crate) fn stop(self) -> Vec<String> {
        // All are told before any is waited for.
        let told = |Scraper { place, tally, stop, thread }| {
            drop(stop);
            (place, tally, thread)
        };
        let told: Vec<_> = self.threads.into_iter().map(told).collect();
        let ended = told.into_iter().filter_map(|(place, tally, thread)| {
            if thread.join().is_err() {
                return Some(format!("metrics of {place}: the thread that read them panicked"));
            }
            let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            let (looks, failed) = (tally.looks, tally.failed);
            (failed > 0).then(|| {
                format!("metrics of {place}: {failed} of {looks} looks failed: {}", tally.last_error)
            })
        });
        ended.collect()
    }
}

fn once(scrape: &Scrape, server: &Result<Server, SetupError>, sink: &Sink, tally: &Mutex<Tally>) {
    let ready = server.as_ref().map_err(|error| FetchError::Setup(error.clone()));
    let found = ready.and_then(|server| said(scrape, server)).map_err(|error| error.to_string());
    let kept = found.and_then(|said| keep(scrape, said, sink).map_err(str::to_owned));
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.looks += 1;
    sink.shared.count(counter::SCRAPES, 1);
    if let Err(error) = kept {
        sink.shared.count(counter::SCRAPES_FAILED, 1);
        tally.failed += 1;
        tally.last_error = error;
    }
}

/// Hands on what was found, or says why not.
fn keep(scrape: &Scrape, said: text::Said, sink: &Sink) -> Result<(), &'static str> {
    sink.shared.count(counter::SCRAPE_LINES_BAD, said.bad_lines);
    sink.shared.count(counter::SCRAPE_SAMPLES_OVER, said.over_limit);
    let now = now_ns();
    let payload = request::request(scrape, said, now);
    let record = Record {
        kind: RecordKind::Metrics(Format::Protobuf),
        recv_ns: now,
        classes: Vec::new(),
        payload: payload.into(),
    };
    let event = record.event(&mut Texts::default()).map_err(|_| "what was read cannot be written")?;
    let charge = sink.budget.charge(2 * record.payload.len()).ok_or(FULL)?;
    let is_taken = sink.shared.hand_in(&sink.queue, Job { record, event, charge, ack: None });
    is_taken.then_some(()).ok_or("the collector's journal thread has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Fold;
    use crate::limits::Limits;

    #[test]
    fn what_a_full_collector_has_no_room_for_is_left_out() {
        let (queue, jobs) = mpsc::channel();
        let sink = Sink { queue, budget: Budget::new(1), shared: Shared::new(Fold::new(Limits::default())) };
        let scrape = Scrape {
            url: "http://h:1/metrics".to_owned(),
            authority: "h:1".to_owned(),
            path: "/metrics".to_owned(),
            service: None,
            every_ns: 1,
            tls: None,
        };
        let said = || text::read("process_cpu_seconds_total 1\n", false);
        assert_eq!(keep(&scrape, said(), &sink), Ok(()));
        assert_eq!(keep(&scrape, said(), &sink), Err(FULL));
        drop(jobs.try_recv().unwrap());
        assert!(jobs.try_recv().is_err(), "the second is not in the queue");
        assert_eq!(keep(&scrape, said(), &sink), Ok(()), "there is room again");
    }
}
