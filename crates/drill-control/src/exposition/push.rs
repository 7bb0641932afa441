//! The drill's own metrics, sent by OTLP over HTTP.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use peakdrill_collector::export::{Endpoint, Receiver};
use peakdrill_drill_model::plan::Tls;
use peakdrill_drill_model::snapshot::Snapshot;
use url::Url;

use super::{Newest, families};
use crate::error::ControlError;

/// Time between two requests.
const EVERY: Duration = Duration::from_secs(1);
/// Longest time for one.
const LIMIT: Duration = Duration::from_secs(2);

/// Reads where to send to: `http://host:port` or `https://host:port`, with a path where it is not `/v1/metrics`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn endpoint(text: &str) -> Result<Endpoint, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    let (host, tls) = match (url.scheme(), url.host_str()) {
        ("http", Some(host)) => (host, None),
        ("https", Some(host)) => (host, Some(Tls::default())),
        _ => {
            return Err(format!(
                "`{text}` is no endpoint: expected `http://host:port` or `https://host:port`"
            ));
        }
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("an endpoint has no user, no password and no query".to_owned());
    }
    let authority = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
    let path = if url.path() == "/" { "/v1/metrics" } else { url.path() };
    Ok(Endpoint { authority, path: path.to_owned(), tls })
}

/// Metrics on their way, once a second. A receiver that is slow or gone holds up nothing but this.
#[derive(Debug)]
pub struct Push {
    stop: Sender<()>,
    thread: JoinHandle<Sent>,
}

/// How it went.
#[derive(Debug, Default)]
struct Sent {
    requests: u64,
    failed: u64,
    last_error: String,
    /// When what grows began, Unix nanoseconds: once for all requests, for another start tells of a restart.
    start_ns: Option<i64>,
}

impl Sent {
    fn start_ns(&mut self, of: &Snapshot) -> i64 {
        let began = of.at_ns.saturating_sub(i64::try_from(of.elapsed_ns).unwrap_or(i64::MAX));
        *self.start_ns.get_or_insert(began)
    }
}

impl Push {
    /// Begins to send.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn start(receiver: Receiver, newest: Newest) -> Result<Self, ControlError> {
        let (stop, stopped) = channel::<()>();
        let work = move || {
            let mut sent = Sent::default();
            loop {
                let over = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
                once(&receiver, &newest, &mut sent);
                // The last look is sent as well: it has the final counts.
                if over {
                    return sent;
                }
            }
        };
        let thread = std::thread::Builder::new().name("pd-push".into()).spawn(work);
        let thread = thread.map_err(|error| ControlError::Exposition(error.to_string()))?;
        Ok(Self { stop, thread })
    }

    /// Sends the last look and ends; what went wrong, in words.
    #[must_use]
    pub fn end(self) -> Option<String> {
        drop(self.stop);
        match self.thread.join() {
            Ok(Sent { requests, failed, last_error, .. }) if failed > 0 => {
                Some(format!("metrics of the drill: {failed} of {requests} could not be sent: {last_error}"))
            }
            Ok(_) => None,
            Err(_) => Some("metrics of the drill: the thread that sent them panicked".to_owned()),
        }
    }
}

fn once(receiver: &Receiver, newest: &Newest, sent: &mut Sent) {
    let Some(snapshot) = newest() else { return };
    let start_ns = sent.start_ns(&snapshot);
    sent.requests += 1;
    if let Err(error) = receiver.push(&families(&snapshot), start_ns, snapshot.at_ns, LIMIT) {
        sent.failed += 1;
        sent.last_error = error.to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tests::snapshot;

    #[test]
    fn counts_have_one_start() {
        let mut sent = Sent::default();
        let preflight = Snapshot { at_ns: 1_000, ..snapshot() };
        let load = Snapshot { at_ns: 9_000, elapsed_ns: 3_999, ..snapshot() };
        assert_eq!([&preflight, &load, &load].map(|of| sent.start_ns(of)), [1_000; 3]);
        assert_eq!(Sent::default().start_ns(&load), 5_001, "who comes late begins with the load");
    }

    #[test]
    fn endpoints_are_read() {
        let read = |text: &str| endpoint(text).map(|one| (one.authority, one.path, one.tls.is_some()));
        let wanted = |authority: &str, path: &str, tls| Ok((authority.to_owned(), path.to_owned(), tls));
        assert_eq!(read("http://127.0.0.1:4318"), wanted("127.0.0.1:4318", "/v1/metrics", false));
        assert_eq!(read("http://[::1]/otlp/v1/metrics"), wanted("[::1]:80", "/otlp/v1/metrics", false));
        assert_eq!(read("https://otlp.test"), wanted("otlp.test:443", "/v1/metrics", true));
        for bad in
            ["127.0.0.1:4318", "https://u@h", "http://u@h", "grpc://h:4317", "http://h/?a=b", "http://"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
