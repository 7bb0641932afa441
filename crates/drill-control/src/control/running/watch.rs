//! What stops a drill: guards, leaks, and not being able to see.

use peakdrill_drill_model::condition::Selectors;
use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::ledger::{leaks, tag_lost};
use peakdrill_drill_model::outcome::answers;
use peakdrill_drill_model::snapshot::RunState;
use peakdrill_timebase::{MonoNs, NS_PER_S};
use serde_json::json;

use super::Running;
use crate::error::ControlError;
use crate::live::guards::Found;
use crate::live::window::{IsolationNow, TICK_NS, share};

/// Load data older than this is stale: guards cannot see.
const STALE_NS: u64 = NS_PER_S;
/// Load data stale for so long stops the drill.
const STALE_STOP_NS: u64 = 3 * NS_PER_S;
/// Ledgers that say nothing for so long while requests are answered stop the drill.
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

    /// Whether requests are answered while the services' ledgers stand still: then nobody would see a leak.
    fn ledger_is_silent(&mut self, now: MonoNs) -> bool {
        let Some(collector) =
            self.stage.collector.as_ref().filter(|_| !self.plan.isolation.stores.is_empty())
        else {
            return false;
        };
        let view = collector.view();
        let run = self.stage.run.as_ref();
        let known: u64 = view.ledger.iter().filter(|row| row.run == run).map(|row| row.count).sum();
        if known > self.ledger_grew.0 || self.window.requests(&Selectors::default()).completed == 0 {
            self.ledger_grew = (known.max(self.ledger_grew.0), now);
        }
        now.since(self.ledger_grew.1) > LEDGER_SILENT_NS
    }

    /// Looks at everything that may stop the drill. Called every tick, until a stop.
    pub(super) fn guard(&mut self, now: MonoNs) -> Result<(), ControlError> {
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
        if self.ledger_is_silent(now) {
            return self
                .fire("news from the isolation ledgers", "none for 5 s although requests were answered");
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
        let tally = self.window.requests(&Selectors::default());
        let missing = share(tally.ack_missing, answers(tally.completed, &tally.errors))?.value;
        (missing > 1.0 - required).then_some(missing)
    }

    fn fire(&mut self, guard: &str, measured: &str) -> Result<(), ControlError> {
        self.stopped_by_guard = true;
        self.stop()?;
        let data = json!({ "fired": true, "text": guard, "measured": measured });
        self.event(EventKind::Guard, format!("guard fired: {guard} ({measured})"), data)
    }
}
