//! What stops a drill: guards, leaks, and not being able to see.

use peakdrill_drill_model::condition::{Measured, Selectors};
use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::ledger::{leaks, tag_lost};
use peakdrill_drill_model::snapshot::RunState;
use peakdrill_timebase::{MonoNs, NS_PER_S};
use serde_json::json;

use super::Running;
use crate::error::ControlError;
use crate::live::guards::Found;
use crate::live::window::{IsolationNow, TICK_NS};

/// Load data older than this is stale: guards cannot see.
const STALE_NS: u64 = NS_PER_S;
/// Load data stale for so long stops the drill.
const STALE_STOP_NS: u64 = 3 * NS_PER_S;
/// A ledger that says nothing for so long stops the drill.
const LEDGER_SILENT_NS: u64 = 5 * NS_PER_S;

impl Running {
    pub(super) fn isolation(&self) -> IsolationNow {
        let Some(collector) = &self.stage.collector else { return IsolationNow::default() };
        let view = collector.view();
        let run = self.stage.run.as_ref();
        let reported = view.ledger.iter().any(|row| row.run == run);
        IsolationNow {
            leaks: reported.then(|| leaks(&view.ledger, run)),
            tag_lost: reported.then(|| tag_lost(&view.ledger, run)),
        }
    }

    /// A service with declared stores whose ledger is not heard of any more: a leak there would not be seen. Hops send
    /// their ledger whether or not anything has changed in it. Told by news and our own clock, since wall clocks jump.
    fn silent_ledger(&mut self, now: MonoNs) -> Option<String> {
        let view = self.stage.collector.as_ref()?.view();
        let stores = self.plan.isolation.stores.iter().map(|store| &store.service);
        for service in stores {
            let heard_ns = view.ledger_heard_ns.get(service).copied();
            // Preflight has heard of each of them.
            let (known, since) = self.ledgers.entry(service.clone()).or_insert((heard_ns, now));
            if *known != heard_ns {
                (*known, *since) = (heard_ns, now);
            }
            if now.since(*since) > LEDGER_SILENT_NS {
                return Some(service.clone());
            }
        }
        None
    }

    /// Tells when the journal has another kind of room than before: it is said while something can be done about it.
    fn tell_of_journal(&mut self) -> Result<(), ControlError> {
        let Some(room) = self.stage.collector.as_ref().map(|collector| collector.view().journal) else {
            return Ok(());
        };
        if room.differs(&self.journal) {
            self.journal = room;
            if let Some(note) = room.note() {
                self.event(EventKind::Finding, note, json!({ "warning": true }))?;
            }
        }
        Ok(())
    }

    /// Looks at everything that may stop the drill. Called every tick, until a stop.
    pub(super) fn guard(&mut self, now: MonoNs) -> Result<(), ControlError> {
        self.tell_of_journal()?;
        let stale = now.since(self.last_batch());
        if stale > STALE_NS && stale <= STALE_NS + TICK_NS {
            self.event(
                EventKind::Guard,
                "the load data is stale: guards cannot see",
                json!({ "stale": true }),
            )?;
        }
        if stale > STALE_STOP_NS {
            return self.fire("fresh load data", "stale for more than 3 s");
        }
        for found in self.guards.tick(&self.window, self.state == RunState::Running) {
            match found {
                Found::Near(text) => {
                    self.event(EventKind::Guard, format!("near its limit: {text}"), json!({ "near": true }))?
                }
                Found::Fired { guard, measured } => return self.fire(&guard, &measured),
            }
        }
        let leaks = self.isolation().leaks.unwrap_or(0);
        if leaks > 0 && self.plan.isolation.on_leak_stop {
            return self
                .fire("on_leak: stop", &format!("{leaks} operations reached live data or lost their tag"));
        }
        if let Some(service) = self.silent_ledger(now) {
            let guard = format!("news from the isolation ledger of `{service}`");
            return self.fire(&guard, "none for 5 s: a leak there would not be seen");
        }
        if let Some(missing) = self.unacknowledged() {
            return self.fire(
                "ack.require",
                &format!("{:.2}% of the answers do not acknowledge the tag", missing * 100.0),
            );
        }
        Ok(())
    }

    /// The share of answers that lack the acknowledgement, when it is more than the plan allows.
    fn unacknowledged(&self) -> Option<f64> {
        let required = self.plan.shadow.as_ref()?.ack_require?;
        let tally = self.window.tagged(&Selectors::default());
        let missing = Measured::share(tally.ack_missing, tally.answers())?.value;
        (missing > 1.0 - required).then_some(missing)
    }

    fn fire(&mut self, guard: &str, measured: &str) -> Result<(), ControlError> {
        self.stop()?;
        let data = json!({ "fired": true, "text": guard, "measured": measured });
        self.event(EventKind::Guard, format!("guard fired: {guard} ({measured})"), data)
    }
}
