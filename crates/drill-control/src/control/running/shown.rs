//! What screens get to see of the load.

use std::time::Instant;

use peakdrill_collector::now_ns;
use peakdrill_drill_model::event::EventKind;
use peakdrill_timebase::{Clock, MonoNs, NS_PER_S};
use serde_json::json;

use super::Running;
use crate::error::ControlError;
use crate::live::analysis::Moment;
use crate::snapshot::Look;

impl Running {
    /// Puts on the board how the load stands. Called every tick.
    pub(super) fn show(&mut self, now: MonoNs, in_flight: u64) {
        let elapsed_ns = now.since(self.start_at);
        let look = Look {
            state: self.state,
            at_ns: self.stage.clock.unix().0,
            elapsed_ns,
            data_age_ns: now.since(self.last_batch()),
            in_flight,
            busiest_thread_share: self.busiest_thread_share,
            isolation: self.isolation(),
            timeline: &self.timeline,
            note: self.search_line(elapsed_ns),
        };
        self.board.show(
            &look,
            &mut self.window,
            &self.totals,
            &self.guards,
            self.stage.collector.as_ref(),
            &self.writer,
        );
    }

    /// Has the newest view looked at, and what was found on the board, as soon as either is there.
    pub(super) fn analyse(&mut self, now: MonoNs) -> Result<(), ControlError> {
        let Some(collector) = &self.stage.collector else { return Ok(()) };
        let second = i64::try_from(now.since(self.start_at) / NS_PER_S).unwrap_or(i64::MAX);
        // By the clock of receipts: the drill's own does not follow where the machine's is set.
        let at = Moment { now: Instant::now(), at_ns: now_ns(), taken_ns: collector.taken_ns(), second };
        match self.board.analyse(at, &self.timeline, &collector.view()) {
            Some(why) => self.event(EventKind::Finding, why, json!({ "warning": true })),
            None => Ok(()),
        }
    }
}
