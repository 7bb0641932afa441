//! A thread that sleeps for others, to within some tens of microseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use tokio::sync::oneshot;

/// The way to the thread. It ends when this is dropped.
pub(super) struct Alarms(Sender<Alarm>);

struct Alarm {
    at: Instant,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Alarms {
    pub(super) fn start() -> io::Result<Self> {
        let (alarms, wanted) = channel();
        std::thread::Builder::new().name("scripted-alarms".into()).spawn(move || sleep_for(&wanted))?;
        Ok(Self(alarms))
    }

    /// Waits until an instant.
    pub(super) async fn until(&self, at: Instant) {
        let (wake, woken) = oneshot::channel();
        if at > Instant::now() && self.0.send(Alarm { at, wake }).is_ok() {
            let _ = woken.await;
        }
    }
}

fn sleep_for(wanted: &Receiver<Alarm>) {
    let mut alarms: BinaryHeap<Reverse<Alarm>> = BinaryHeap::new();
    loop {
        let now = Instant::now();
        while alarms.peek().is_some_and(|Reverse(alarm)| alarm.at <= now) {
            if let Some(Reverse(alarm)) = alarms.pop() {
                let _ = alarm.wake.send(());
            }
        }
        let next = match alarms.peek() {
            Some(Reverse(alarm)) => wanted.recv_timeout(alarm.at.saturating_duration_since(now)),
            None => wanted.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(alarm) => alarms.push(Reverse(alarm)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
