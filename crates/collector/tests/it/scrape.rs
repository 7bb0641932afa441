//! Prometheus endpoints: looked at, journalled, and run again without them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use peakdrill_collector::counters::counter;
use peakdrill_collector::scrape::{FetchError, look};
use peakdrill_collector::{CellsFile, Limits, replay};
use peakdrill_drill_model::plan::{Scrape, Tls, TlsIdentity};
use peakdrill_testkit::tls::{CA, CLIENT, CLIENT_CA, CLIENT_KEY, Front, server_config};
use peakdrill_trace_model::metric::Measure;

use crate::support::{self, PATIENCE};

/// An endpoint that answers each look with what it is told to, and the number of the look in place of `N`.
struct Endpoint {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    fn serve(answer: &'static str) -> Self {
        Self::answer(answer, b"GET /metrics?a=b HTTP/1.1\r\nhost: 127.0.0.1")
    }

    /// Whatever the request is.
    fn serve_any(answer: &'static str) -> Self {
        Self::answer(answer, b"")
    }

    fn answer(answer: &'static str, request_begins: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let looks = AtomicU64::new(0);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Acquire) {
                    return;
                }
                let mut stream = stream.unwrap();
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap();
                assert!(request[..read].starts_with(request_begins));
                let number = looks.fetch_add(1, Ordering::Relaxed).to_string();
                // Who looked may have given up.
                let _ = stream.write_all(answer.replace('N', &number).as_bytes());
            }
        });
        Self { address, ended, thread: Some(thread) }
    }

    fn scrape(&self, service: Option<&str>) -> Scrape {
        scrape(self.address, service)
    }
}

fn scrape(address: SocketAddr, service: Option<&str>) -> Scrape {
    Scrape {
        url: format!("http://{address}/metrics?a=b"),
        authority: address.to_string(),
        path: "/metrics?a=b".to_owned(),
        service: service.map(str::to_owned),
        every_ns: 100_000_000,
        tls: None,
    }
}

/// The same over TLS.
fn secured(front: &Front, tls: Tls) -> Scrape {
    let plain = scrape(front.address(), None);
    Scrape { url: plain.url.replacen("http", "https", 1), every_ns: 2_000_000_000, tls: Some(tls), ..plain }
}

fn believing(ca: &str) -> Tls {
    Tls { ca: Some(ca.to_owned()), ..Tls::default() }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        drop(std::net::TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

const TEXT: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n\r\n\
    # TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total{service_name=\"other\"} N\n\
    # TYPE hikaricp_connections_acquire_seconds summary\n\
    hikaricp_connections_acquire_seconds_sum{pool=\"orders\"} 0.5\n\
    hikaricp_connections_acquire_seconds_count{pool=\"orders\"} 4\nother_metric 1\nbroken{\n";

#[test]
fn what_endpoints_say_is_kept_and_a_replay_needs_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut collector = support::start(Some(dir.path()));
    let endpoint = Endpoint::serve(TEXT);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    collector.scrape(&[endpoint.scrape(Some("order")), scrape(gone, None)]).unwrap();
    let seen = collector.wait_until(PATIENCE, |collector| {
        let counters = &collector.view().counters;
        let enough =
            counters.get(counter::METRIC_REQUESTS) >= 3 && counters.get(counter::SCRAPES_FAILED) >= 1;
        enough.then_some(())
    });
    assert!(seen.is_some());
    let end = collector.finish().unwrap();
    drop(endpoint);
    let failed = |line: &&String| line.contains(&gone.to_string()) && line.contains("looks failed");
    assert!(end.missing.iter().any(|line| failed(&line)), "{:?}", end.missing);
    assert!(end.view.counters.get(counter::SCRAPE_LINES_BAD) >= 3);
    let resources = &end.view.cells.resources;
    let found: Vec<_> = resources
        .series()
        .map(|(key, samples)| (key.measure, &*key.service, &*key.of, samples.iter().last().unwrap().value))
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0].1, "order", "the scenario says whose it is, not the series");
    assert!(found[0].3 >= 1_000_000_000, "the third look and later: {found:?}");
    assert_eq!(found[1], (Measure::PoolWaitTime, "order", "orders", 500_000_000));
    assert_eq!(found[2], (Measure::PoolWaits, "order", "orders", 4_000_000));

    let replayed = replay(dir.path(), Limits::default()).unwrap();
    assert_eq!(replayed.missing, Vec::<String>::new());
    let again = CellsFile::new(replayed.origin_ns, replayed.cells).to_bytes().unwrap();
    assert_eq!(again, end.cells_json);
}

#[test]
fn one_look_says_what_is_there_or_why_not() {
    let endpoint = Endpoint::serve(TEXT);
    let looked = look(&endpoint.scrape(None)).unwrap();
    assert_eq!((looked.samples, looked.bad_lines), (3, 1));
    let missing = Endpoint::serve("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(look(&missing.scrape(None)), Err(FetchError::Status(404))));
    let odd = Endpoint::serve("SSH-2.0-OpenSSH\r\n");
    assert!(matches!(look(&odd.scrape(None)), Err(FetchError::Answer(_))));
    let cut = Endpoint::serve("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nprocess_cpu");
    assert!(matches!(look(&cut.scrape(None)), Err(FetchError::Answer(_))));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(matches!(look(&scrape(silent.local_addr().unwrap(), None)), Err(FetchError::TimedOut(_))));
}

#[test]
fn over_tls_a_certificate_is_believed_for_a_reason_or_the_look_has_failed() {
    let endpoint = Endpoint::serve(TEXT);
    let front = Front::start(server_config(None).unwrap(), endpoint.address).unwrap();
    let looked = look(&secured(&front, believing(CA))).unwrap();
    assert_eq!((looked.samples, looked.bad_lines), (3, 1));
    let insecure = Tls { insecure: true, ..Tls::default() };
    assert_eq!(look(&secured(&front, insecure)).unwrap().samples, 3);
    assert_eq!(front.handshakes(), (2, 0));

    let mut collector = support::start(None);
    collector.scrape(&[secured(&front, believing(CA)), secured(&front, Tls::default())]).unwrap();
    let seen = collector.wait_until(PATIENCE, |collector| {
        let counters = &collector.view().counters;
        let enough =
            counters.get(counter::METRIC_REQUESTS) >= 1 && counters.get(counter::SCRAPES_FAILED) >= 1;
        enough.then_some(())
    });
    assert!(seen.is_some());
    let end = collector.finish().unwrap();
    let failed: Vec<&String> = end.missing.iter().filter(|line| line.contains("looks failed")).collect();
    let [failed] = failed[..] else { panic!("{:?}", end.missing) };
    assert!(
        failed.contains("looks failed: its certificate is from an authority that is not known"),
        "{failed}"
    );
    assert!(failed.contains("in `tls.ca`"), "{failed}");
}

#[test]
fn an_endpoint_that_lets_in_only_clients_it_knows_is_shown_a_certificate() {
    let endpoint = Endpoint::serve(TEXT);
    let front = Front::start(server_config(Some(CLIENT_CA)).unwrap(), endpoint.address).unwrap();
    let identity =
        TlsIdentity { cert: Some(CLIENT.into()), key: Some(CLIENT_KEY.into()), ..TlsIdentity::default() };
    let known = Tls { identity, ..believing(CA) };
    assert_eq!(look(&secured(&front, known)).unwrap().samples, 3);
    let error = look(&secured(&front, believing(CA))).unwrap_err();
    assert!(matches!(&error, FetchError::Tls(why) if why.contains("`tls.cert`")), "{error}");
}

#[test]
fn what_is_wrong_with_tls_is_told_and_takes_no_longer_than_a_look() {
    let wants = |address: SocketAddr, tls: Tls| {
        let plain = scrape(address, None);
        look(&Scrape { tls: Some(tls), ..plain }).unwrap_err()
    };
    let error = wants("127.0.0.1:1".parse().unwrap(), believing("no/such.pem"));
    assert!(error.to_string().starts_with("TLS cannot be set up: `tls.ca`: no/such.pem: "), "{error}");
    let clear = Endpoint::serve_any("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let calm = Scrape { every_ns: 2_000_000_000, tls: Some(believing(CA)), ..scrape(clear.address, None) };
    let error = look(&calm).unwrap_err();
    assert!(error.to_string().contains("does not answer in TLS"), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = wants(silent.local_addr().unwrap(), believing(CA));
    assert!(matches!(error, FetchError::TimedOut(_)), "{error}");
    // A record of TLS that is never whole: every byte comes in time, and the look ends all the same.
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = slow.local_addr().unwrap();
    let sending = std::thread::spawn(move || {
        let (mut stream, _) = slow.accept().unwrap();
        let mut sent = stream.write_all(&[0x16, 3, 3, 0x40, 0]);
        while sent.is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(5));
            sent = stream.write_all(&[0]);
        }
    });
    let error = wants(address, believing(CA));
    assert!(matches!(error, FetchError::TimedOut(_)), "{error}");
    sending.join().unwrap();
}
