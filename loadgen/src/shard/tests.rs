use std::sync::mpsc::{Receiver, sync_channel};
use std::task::Context;

use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::timeline::Timeline;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::arrivals::Schedule;
use crate::driver::{Completion, Passed, Submission, Submitted};
use crate::message::Message;
use crate::program::tests::{fixed, plan};
use crate::tagging::Tagging;

/// Takes requests and never completes one.
struct Silent;

impl Driver for Silent {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }
    fn recycle(&mut self, _: Vec<u8>) {}
    fn submit(&mut self, _: Submission) -> Submitted {
        Submitted { at: MonoNs(0), sent: false }
    }
    fn is_alone(&self) -> bool {
        true
    }
    fn flush(&mut self) {}
    fn failure(&self) -> Option<String> {
        None
    }
    fn wait(&mut self, _: u64, _: u64) {}
    fn turn(&mut self, _: &mut Context<'_>) {}
    fn has_turns(&self) -> bool {
        false
    }
    fn moved_many(&self) -> bool {
        false
    }

    fn all_read(&self) -> bool {
        true
    }
    fn has_next(&self) -> bool {
        false
    }
    fn cancel(&mut self, _: ExchangeId) -> Passed {
        Passed::default()
    }
    fn say(&mut self, _: Message) -> Submitted {
        Submitted { at: MonoNs(0), sent: false }
    }
    fn leave(&mut self, _: u32, _: u32, _: u8) {}
    fn is_leaving(&self) -> bool {
        false
    }
    fn next(&mut self) -> Option<Completion> {
        None
    }
    fn tick(&mut self, _: MonoNs) {}
    fn withdraw(&mut self, _: MonoNs) {}
    fn abort(&mut self) {}
    fn opened(&self) -> u64 {
        0
    }
}

/// A thousand arrivals a second from half a millisecond after `start_at` on.
fn shard(start_at: MonoNs) -> (Shard<Silent>, Receiver<Batch>) {
    let mut plan = plan(vec![fixed(0)]);
    plan.load.phases[0].shape = Shape::Hold { rate: 1000.0, for_ns: 10 * NS_PER_S };
    let schedule = Arc::new(Schedule::new(&plan.load, Timeline::planned(&plan.load), None));
    let (out, batches) = sync_channel(8);
    let parts = Parts {
        shard: 0,
        shards: 1,
        program: Arc::new(Program::compile(&plan, "r", &Default::default(), Vec::new()).unwrap()),
        control: Arc::default(),
        clock: OsClock::new(),
        start_at,
        pacing: Pacing::Economy,
        max_in_flight: 1,
        arrivals: schedule.shard(0, 1),
        user_phases: Vec::new(),
        driver: Silent,
        stamper: Stamper::new(&Tagging::Plain, "r", ChaCha8Rng::from_seed([0; 32])).unwrap(),
        steps: 1,
        out,
    };
    (Shard::new(parts), batches)
}

#[test]
fn arrivals_that_were_due_at_a_stop_are_missed() {
    let start_at = MonoNs(NS_PER_S);
    let (mut shard, batches) = shard(start_at);
    shard.parts.control.stop();
    // Ten milliseconds and a half: the eleventh arrival is due just now.
    let now = start_at.plus(10 * NS_PER_MS + NS_PER_MS / 2);
    shard.obey(now);
    shard.obey(now.plus(NS_PER_S));
    assert!(shard.next_arrival.is_none());
    let totals = shard.recorder.totals;
    assert_eq!((totals.intended, totals.missed, totals.started), (11, 11, 0));
    shard.tell(now, false);
    let batch = batches.try_recv().unwrap();
    let [((0, 0, None), tally)] = batch.tallies.as_slice() else { panic!("{:?}", batch.tallies) };
    assert_eq!((tally.intended, tally.missed, tally.sent), (11, 11, 0));
    assert_eq!(batch.overdue_ns, 10 * NS_PER_MS);
}

#[test]
fn a_stop_before_the_start_misses_nothing() {
    let (mut shard, _batches) = shard(MonoNs(NS_PER_S));
    shard.parts.control.stop();
    shard.obey(MonoNs(NS_PER_S));
    assert_eq!(shard.recorder.totals.intended, 0);
}
