//! What a shard tells, and how it ends.

use std::collections::BTreeMap;
use std::sync::mpsc::TrySendError;
use std::time::Duration;

use peakdrill_drill_model::plan::StepId;
use peakdrill_latency::Sparse;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_S};

use super::{Shard, ShardReport, TICK_MS};
use crate::batch::Batch;
use crate::cpu;
use crate::driver::Driver;

/// How long the last batch waits to be taken, in milliseconds.
pub const LAST_BATCH_WAIT_MS: u64 = 10_000;

impl<D: Driver> Shard<D> {
    /// Sends a batch. When nobody takes them, it stays and grows the next one; when nobody will ever, the load stops.
    /// Whether it was taken.
    pub(super) fn tell(&mut self, now: MonoNs, last: bool) -> bool {
        let cpu_ns = cpu::thread_ns();
        self.review(cpu_ns, now);
        let (tallies, roots, roots_dropped) = self.recorder.take();
        let batch = Batch {
            shard: self.parts.shard,
            at: now,
            last,
            tallies,
            roots,
            roots_dropped,
            in_flight: self.sessions.len() as u64,
            ages: self.ages(now),
            cpu_ns,
            samples: self.picker.take(),
            overdue_ns: self.overdue(now),
            connections_opened: self.parts.driver.opened(),
        };
        match self.parts.out.try_send(batch) {
            Ok(()) => {
                self.overdue_ns = 0;
                true
            }
            Err(TrySendError::Full(batch)) => {
                self.recorder.put_back(batch.tallies, batch.roots, batch.roots_dropped);
                self.picker.put_back(batch.samples);
                false
            }
            Err(TrySendError::Disconnected(_)) => {
                self.batches_lost += 1;
                self.parts.control.fail("nobody takes the results any more".into());
                self.parts.control.cut();
                true
            }
        }
    }

    /// Fits the pacing to the room that the core has.
    fn review(&mut self, cpu_ns: u64, now: MonoNs) {
        let intended = self.recorder.totals.intended;
        let (cpu_before, intended_before, since) =
            std::mem::replace(&mut self.reviewed, (cpu_ns, intended, now));
        let wall = now.since(since) as f64;
        if cpu_before > 0 && wall > 0.0 {
            let rate = intended.saturating_sub(intended_before) as f64 / (wall / NS_PER_S as f64);
            self.pacer.review(cpu_ns.saturating_sub(cpu_before) as f64 / wall, rate);
        }
    }

    /// How far behind the pacer was at worst, or is now.
    fn overdue(&self, now: MonoNs) -> u64 {
        let next =
            self.next_arrival.as_ref().map_or(0, |next| now.since(self.parts.start_at.plus(next.at_ns)));
        self.overdue_ns.max(next)
    }

    fn ages(&self, now: MonoNs) -> Vec<(StepId, Sparse)> {
        let mut ages: BTreeMap<StepId, Sparse> = BTreeMap::new();
        for current in self.sessions.iter().filter_map(|(_, session)| session.current) {
            ages.entry(current.step).or_default().add(now.since(current.intended), 1);
        }
        ages.into_iter().collect()
    }

    /// The last batch, and the shard's own account.
    pub(super) async fn finish(mut self) -> ShardReport {
        let ended = self.parts.clock.mono();
        self.parts.driver.abort();
        let mut left_ms = LAST_BATCH_WAIT_MS;
        while !self.tell(self.parts.clock.mono(), true) {
            if left_ms == 0 {
                self.batches_lost += 1;
                break;
            }
            left_ms = left_ms.saturating_sub(TICK_MS);
            tokio::time::sleep(Duration::from_millis(TICK_MS)).await;
        }
        let totals = self.recorder.totals;
        ShardReport {
            shard: self.parts.shard,
            cpu_ns: cpu::thread_ns(),
            wall_ns: ended.since(self.parts.start_at),
            intended: totals.intended,
            started: totals.started,
            missed: totals.missed,
            sent: totals.sent,
            completed: totals.completed,
            errors: totals.errors,
            connections_opened: self.parts.driver.opened(),
            batches_lost: self.batches_lost,
        }
    }
}
