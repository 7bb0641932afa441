//! Taking connections from a listener, and what is said where that fails.

use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

/// After a connection could not be accepted for want of something, most likely of files: nothing is there before others
/// have closed theirs.
const PAUSE: Duration = Duration::from_millis(100);
/// When nothing was wanting for so long, it is over.
const OVER_AFTER: Duration = Duration::from_secs(10);

/// A listener, and what it wants.
pub(super) struct Accepting {
    listener: TcpListener,
    want: Want,
}

impl Accepting {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, want: Want::default() }
    }

    /// The next connection, however long that takes. What is not waited for to the end is not lost.
    pub(super) async fn next(&mut self) -> TcpStream {
        loop {
            let error = match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Some(failed) = self.want.accepted(Instant::now()) {
                        tracing::info!(failed, "connections are accepted again");
                    }
                    return stream;
                }
                Err(error) => error,
            };
            if is_of_one(&error) {
                tracing::debug!(%error, "a connection was gone before it was accepted");
                continue;
            }
            if self.want.failed(&error, Instant::now()) {
                tracing::warn!(%error, "connections are not accepted: they wait until they can be");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether nothing is wanting, and only this connection is not to be had: its peer has gone, or cannot be reached any more.
fn is_of_one(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

/// What a listener wants, told when it begins, when it is something else, and when it is over: it may fail ten times a second.
#[derive(Default)]
struct Want(Option<Failing>);

struct Failing {
    /// Number of the error.
    cause: Option<i32>,
    times: u64,
    last: Instant,
}

impl Want {
    /// Notes that no connection could be accepted; true where that is news.
    fn failed(&mut self, error: &Error, now: Instant) -> bool {
        let cause = error.raw_os_error();
        match &mut self.0 {
            Some(failing) => {
                failing.times += 1;
                failing.last = now;
                std::mem::replace(&mut failing.cause, cause) != cause
            }
            None => {
                self.0 = Some(Failing { cause, times: 1, last: now });
                true
            }
        }
    }

    /// Notes that a connection was accepted: how often none was before, where that is over now.
    fn accepted(&mut self, now: Instant) -> Option<u64> {
        let is_over = |failing: &mut Failing| now.duration_since(failing.last) >= OVER_AFTER;
        self.0.take_if(is_over).map(|failing| failing.times)
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn who_has_gone_is_no_want() {
        let of = |errno: Errno| is_of_one(&Error::from(errno));
        assert!([Errno::CONNABORTED, Errno::CONNRESET, Errno::HOSTUNREACH].into_iter().all(of));
        assert!(![Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].into_iter().any(of));
    }

    #[test]
    fn a_want_is_told_once_and_when_it_is_another_and_when_it_is_over() {
        let (mut want, start) = (Want::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        let [process, all] = [Errno::MFILE, Errno::NFILE].map(Error::from);
        assert_eq!(want.accepted(at(0)), None);
        let told: Vec<bool> = (0..50).map(|i| want.failed(&process, at(100 * i))).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 1);
        assert!(told[0]);
        // One in between is not the end of it.
        assert_eq!(want.accepted(at(5_000)), None);
        assert!(!want.failed(&process, at(5_100)) && want.failed(&all, at(5_200)));
        assert_eq!(want.accepted(at(15_100)), None);
        assert_eq!(want.accepted(at(15_200)), Some(52));
        assert_eq!(want.accepted(at(15_300)), None);
        assert!(want.failed(&all, at(15_400)), "it begins anew");
    }
}
