//! What has to be tried or measured on the machine itself.

use std::time::{Duration, Instant};

use peakdrill_sockets::{Kind, Sockets, clock_state};

use super::facts::Facts;
use super::read::Roots;

/// Sleeps that are measured.
const SLEEPS: usize = 100;
/// Length of each.
const SLEEP: Duration = Duration::from_millis(1);
/// When the measuring ends, however many sleeps there were.
const AT_MOST: Duration = Duration::from_millis(500);

/// Fills in what files do not tell: how exactly this process sleeps, what others use of the processors meanwhile, whether
/// `io_uring` works. Takes less than a second.
pub fn measure(facts: &mut Facts, roots: &Roots) {
    let before = times(roots);
    facts.clock.overshoot_ns = overshoot();
    if let Some((before, after)) = before.zip(times(roots)) {
        (facts.processor.stolen, facts.processor.busy) = shares(before, after);
    }
    facts.clock.synchronised = clock_state().ok().map(|state| state.synchronised);
    let cores = std::thread::available_parallelism().ok();
    facts.processor.cores = cores.and_then(|cores| u32::try_from(cores.get()).ok());
    facts.uring = Some(Sockets::new(Kind::Uring).map(drop).map_err(|error| error.to_string()));
}

/// By how much sleeps are too long, at 50 % and 99 %.
fn overshoot() -> Option<(u64, u64)> {
    let begun = Instant::now();
    let mut over = Vec::with_capacity(SLEEPS);
    while over.len() < SLEEPS && begun.elapsed() < AT_MOST {
        let before = Instant::now();
        std::thread::sleep(SLEEP);
        let late = before.elapsed().saturating_sub(SLEEP);
        over.push(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
    }
    over.sort_unstable();
    let at = |share: usize| over.get((over.len() * share / 100).min(over.len().saturating_sub(1))).copied();
    at(50).zip(at(99))
}

/// Ticks of all processors since the start of the system: all, idle, and given to other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    all: u64,
    idle: u64,
    stolen: u64,
}

fn times(roots: &Roots) -> Option<Times> {
    from_stat(&std::fs::read_to_string(roots.proc.join("stat")).ok()?)
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal. Guests are part of user.
fn from_stat(text: &str) -> Option<Times> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|value| value.parse().ok()).collect();
    let at = |place: usize| ticks.get(place).copied();
    Some(Times { all: ticks.iter().sum(), idle: at(3)? + at(4)?, stolen: at(7)? })
}

/// Shares of the time between: stolen, and used here.
fn shares(before: Times, after: Times) -> (Option<f64>, Option<f64>) {
    let all = after.all.saturating_sub(before.all);
    if all == 0 {
        return (None, None);
    }
    let share = |ticks: u64| Some(ticks as f64 / all as f64);
    let stolen = after.stolen.saturating_sub(before.stolen);
    let idle = after.idle.saturating_sub(before.idle);
    (share(stolen), share(all.saturating_sub(idle + stolen)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_processors_are_those_of_the_time_between() {
        let before = from_stat("cpu  100 0 50 800 10 5 5 30 7 7\ncpu0 1 2 3\n").unwrap();
        assert_eq!(before, Times { all: 1000, idle: 810, stolen: 30 });
        let after = Times { all: 1100, idle: 860, stolen: 40 };
        assert_eq!(shares(before, after), (Some(0.1), Some(0.4)));
        assert_eq!(shares(before, before), (None, None), "no time has passed");
        assert_eq!(from_stat("cpu  1 2 3\n"), None);
    }

    #[test]
    fn measuring_fills_in_what_files_do_not_tell_and_ends() {
        let (mut facts, begun) = (Facts::default(), Instant::now());
        measure(&mut facts, &Roots::default());
        assert!(begun.elapsed() < Duration::from_secs(10));
        let (middle, most) = facts.clock.overshoot_ns.unwrap();
        assert!(middle <= most && facts.processor.cores.is_some() && facts.uring.is_some());
    }
}
