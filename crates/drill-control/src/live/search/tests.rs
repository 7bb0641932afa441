//! Searches of simulated targets: a queue before a number of workers, with a known capacity.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peakdrill_drill_model::frame::Tally;
use peakdrill_drill_model::plan::StepInfo;
use peakdrill_latency::Histogram;

use super::super::window::TICK_NS;
use super::*;
use crate::testing::plan;

const MS: u64 = NS_PER_MS;
const S: u64 = NS_PER_S;

fn condition(text: &str, stat: Stat, op: Op, limit: Limit) -> Condition {
    Condition { text: text.into(), stat, select: Selectors::default(), op, limit, for_ns: 0 }
}

fn search_plan(low: f64, high: f64) -> Plan {
    let mut plan = plan();
    plan.steps = vec![StepInfo { journey: "j".into(), step: "s".into(), ..StepInfo::default() }];
    let phase = &mut plan.load.phases[0];
    let range = Range { low, high, tolerance: 0.02 };
    phase.shape = Shape::Search { range, settle_ns: 2 * S, probe_ns: 5 * S, within_ns: 3600 * S };
    phase.objective = vec![
        condition("rate >= 99% of intended", Stat::Rate, Op::Ge, Limit::OfTarget(0.99)),
        condition("p99 < 100ms", Stat::Latency(0.99), Op::Lt, Limit::Value(100e6)),
    ];
    plan
}

/// Pseudo-random numbers of 0..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A queue, first come first served, before so many workers.
struct Target {
    workers: BinaryHeap<Reverse<u64>>,
    service_ns: f64,
    /// Service times are spread evenly by this share of the mean.
    spread: f64,
    /// Chance of a pause of 300 ms of all workers, a second.
    pauses: f64,
    noise: Noise,
    /// End and arrival of what is not answered yet.
    open: BinaryHeap<Reverse<(u64, u64)>>,
    next_arrival: f64,
}

impl Target {
    fn new(workers: usize, service_ns: f64, spread: f64, pauses: f64, seed: u64) -> Self {
        Self {
            workers: (0..workers).map(|_| Reverse(0)).collect(),
            service_ns,
            spread,
            pauses,
            noise: Noise(seed),
            open: BinaryHeap::new(),
            next_arrival: 0.5,
        }
    }

    fn arrive(&mut self, at_ns: u64) {
        let Some(Reverse(free_ns)) = self.workers.pop() else { return };
        let service = self.service_ns * (1.0 + self.spread * (2.0 * self.noise.next() - 1.0));
        let end_ns = free_ns.max(at_ns) + service as u64;
        self.workers.push(Reverse(end_ns));
        self.open.push(Reverse((end_ns, at_ns)));
    }

    /// A tick with even arrivals; `rates` are the rate and from when it is sent, ascending.
    fn tick(&mut self, from_ns: u64, rates: &[(u64, f64)]) -> Tick {
        let to_ns = from_ns + TICK_NS;
        let mut journeys = Tally::default();
        if self.noise.next() < self.pauses * TICK_NS as f64 / S as f64 {
            let paused = std::mem::take(&mut self.workers);
            self.workers =
                paused.into_iter().map(|Reverse(free)| Reverse(free.max(from_ns) + 300 * MS)).collect();
        }
        // The unit process through the integral of the rate, as the engine has it.
        let mut at_ns = from_ns;
        while at_ns < to_ns {
            let rate = rates.iter().rev().find(|(since, _)| *since <= at_ns).map_or(0.0, |(_, rate)| *rate);
            let end_ns = rates
                .iter()
                .map(|(since, _)| *since)
                .find(|since| *since > at_ns)
                .unwrap_or(to_ns)
                .min(to_ns);
            let area = rate * (end_ns - at_ns) as f64 / 1e9;
            while self.next_arrival <= area {
                self.arrive(at_ns + (self.next_arrival / rate * 1e9) as u64);
                journeys.intended += 1;
                journeys.sent += 1;
                self.next_arrival += 1.0;
            }
            self.next_arrival -= area;
            at_ns = end_ns;
        }
        let mut requests = Tally { sent: journeys.sent, ..Tally::default() };
        while let Some(Reverse((end_ns, at_ns))) =
            self.open.peek().copied().filter(|Reverse((end, _))| *end <= to_ns)
        {
            self.open.pop();
            requests.completed += 1;
            requests.latency.record(end_ns - at_ns);
        }
        journeys.completed = requests.completed;
        let tallies = BTreeMap::from([(None, journeys), (Some(0), requests)]);
        Tick { tallies, target_rate: None, span_ns: TICK_NS }
    }
}

/// Searches to the end: what was found, and how long it took.
fn search(plan: &Plan, target: &mut Target) -> (CapacityFound, u64) {
    let mut run = SearchRun::new(plan, 0, 0).unwrap();
    let mut trailing = Window::new(plan);
    let mut rates = vec![(0, run.range.low)];
    let mut at_ns = 0;
    loop {
        let tick = target.tick(at_ns, &rates);
        let to_ns = at_ns + TICK_NS;
        let mut waiting = Histogram::new();
        target.open.iter().for_each(|Reverse((_, began))| waiting.record(to_ns.saturating_sub(*began)));
        let ages = BTreeMap::from([(0, waiting.to_sparse())]);
        let in_flight = target.open.len() as u64;
        trailing.push(&tick);
        trailing.set_in_flight(in_flight, ages.clone());
        let (trailing, ages) = (&trailing, &ages);
        // Counts are told a tick late.
        let t_ns = to_ns + TICK_NS;
        let seen =
            Seen { t_ns, from_ns: at_ns, to_ns, tick: &tick, trailing, in_flight, ages, end_ns: u64::MAX };
        if let Some(decision) = run.look(&seen) {
            match decision.order {
                Order::End(ended) => return (run.found(ended), to_ns),
                Order::Rate(rate) => {
                    rates.push((t_ns + TICK_NS, rate));
                    run.done(t_ns + TICK_NS);
                }
            }
        }
        at_ns = to_ns;
        assert!(at_ns < 1200 * S, "{:?}", run.probes);
    }
}

/// Shares of seeds whose result is within 3 % of the truth, and the longest search.
fn searches(seeds: u64, spread: f64, pauses: f64) -> (u64, u64) {
    let (mut good, mut longest_ns) = (0, 0);
    for seed in 0..seeds {
        let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        noise.next();
        let workers = 1 + (noise.next() * 16.0) as usize;
        let truth = 300.0 + noise.next() * 600.0;
        let service_ns = workers as f64 / truth * 1e9;
        let plan = search_plan(200.0, 1000.0);
        let mut target = Target::new(workers, service_ns, spread, pauses, seed ^ 0x5bd1_e995);
        let (found, took_ns) = search(&plan, &mut target);
        let held = found.held_per_s.unwrap_or(0.0);
        if (held / truth - 1.0).abs() <= 0.03 && found.ended == Ended::Found {
            good += 1;
        } else {
            eprintln!("seed {seed}: truth {truth:.1}, {found}");
        }
        longest_ns = longest_ns.max(took_ns);
    }
    (good, longest_ns)
}

#[test]
fn a_clean_target_is_found_within_three_per_cent() {
    let (good, longest_ns) = searches(100, 0.0, 0.0);
    assert!(good >= 99, "{good} of 100");
    assert!(longest_ns < 180 * S, "{} s", longest_ns / S);
}

#[test]
fn a_noisy_target_is_found_within_three_per_cent() {
    let (good, longest_ns) = searches(100, 0.5, 0.0);
    assert!(good >= 99, "{good} of 100");
    assert!(longest_ns < 180 * S, "{} s", longest_ns / S);
}

#[test]
fn pauses_of_the_target_mislead_rarely() {
    // A pause of 300 ms a minute: a probe in which one falls is an unlucky one.
    let (good, _) = searches(30, 0.2, 1.0 / 60.0);
    assert!(good >= 27, "{good} of 30");
}

#[test]
fn outside_of_the_range_is_said() {
    let plan = search_plan(200.0, 1000.0);
    let (below, _) = search(&plan, &mut Target::new(4, 4.0 / 150.0 * 1e9, 0.0, 0.0, 1));
    assert_eq!((below.ended, below.held_per_s, below.failed_per_s), (Ended::BelowLow, None, Some(200.0)));
    let (above, _) = search(&plan, &mut Target::new(4, 4.0 / 2000.0 * 1e9, 0.0, 0.0, 1));
    assert_eq!((above.ended, above.held_per_s, above.failed_per_s), (Ended::AtLeastHigh, Some(1000.0), None));
}

#[test]
fn a_probe_without_hope_ends_early() {
    let plan = search_plan(200.0, 1000.0);
    let (found, _) = search(&plan, &mut Target::new(4, 4.0 / 400.0 * 1e9, 0.0, 0.0, 1));
    let high = &found.tried[1];
    assert_eq!((high.rate, high.held), (1000.0, Some(false)));
    assert!(high.because.contains("ended early"), "{}", high.because);
    assert!(high.to_ns - high.from_ns < 4 * S, "{high:?}");
}

#[test]
fn a_probe_with_too_few_answers_is_made_again_and_given_up() {
    // 5 s at 10/s are 50 answers: too few for p99.
    let slow = search_plan(10.0, 1000.0);
    let target = || Target::new(4, 4.0 / 400.0 * 1e9, 0.0, 0.0, 1);
    let (found, _) = search(&slow, &mut target());
    assert_eq!((found.ended, found.probes, found.unmeasured), (Ended::Unmeasured, 0, 3));
    assert!(found.tried.iter().all(|probe| probe.held.is_none() && probe.rate == 10.0), "{found}");
    assert_eq!(found.tried[0].because, "p99 < 100ms (from 50 samples of the 100 it needs)");

    // What fails by what can be measured has failed: a target that answers next to nothing.
    let (below, _) = search(&slow, &mut Target::new(1, 2e9, 0.0, 0.0, 1));
    assert_eq!((below.ended, below.unmeasured), (Ended::BelowLow, 0));

    // One that needs no more answers than there are holds.
    let mut median = slow;
    median.load.phases[0].objective[1].stat = Stat::Latency(0.5);
    let (found, _) = search(&median, &mut target());
    assert_eq!((found.ended, found.unmeasured), (Ended::Found, 0));
}

#[test]
fn a_target_that_answers_nothing_at_all_cannot_be_judged_by_its_errors() {
    let mut plan = search_plan(200.0, 1000.0);
    plan.load.phases[0].objective =
        vec![condition("error_rate < 1%", Stat::ErrorRate, Op::Lt, Limit::Value(0.01))];
    let (found, _) = search(&plan, &mut Target::new(1, 1e15, 0.0, 0.0, 1));
    assert_eq!((found.ended, found.unmeasured), (Ended::Unmeasured, 3));
    assert_eq!(found.tried[0].because, "error_rate < 1% (nothing was measured)");
}
