//! Guards: what stops a drill. Pure: a window in, a decision out.

use peakdrill_drill_model::condition::{Condition, Evaluated, Stat, Stats};
use peakdrill_drill_model::snapshot::GuardRow;
use peakdrill_timebase::{format_duration, format_rate};

use super::window::TICK_NS;

/// A guard this near to its limit is worth a line.
pub const NEAR: f64 = 0.8;

/// One guard and how long it has held.
#[derive(Debug, Clone)]
struct Watched {
    condition: Condition,
    held_ns: u64,
    last: Option<Evaluated>,
    told_near: bool,
}

/// All guards of a drill.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    watched: Vec<Watched>,
}

/// What a tick of the guards found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A guard came within [`NEAR`] of its limit, for the first time since it was last away from it.
    Near(String),
    /// A guard fired: stop. The text names the guard and what was measured.
    Fired {
        /// The guard as written.
        guard: String,
        /// What was measured.
        measured: String,
    },
}

impl Guards {
    /// Guards over conditions.
    #[must_use]
    pub fn new(conditions: &[Condition]) -> Self {
        let watch = |condition: &Condition| Watched {
            condition: condition.clone(),
            held_ns: 0,
            last: None,
            told_near: false,
        };
        Self { watched: conditions.iter().map(watch).collect() }
    }

    /// Looks at the window once. Call every [`TICK_NS`]. `arriving`: journeys are still being started. When none are,
    /// the rate falls by itself and the slow requests are among themselves: only what isolation does is looked at.
    pub fn tick(&mut self, stats: &dyn Stats, arriving: bool) -> Vec<Found> {
        let mut found = Vec::new();
        for guard in self.watched.iter_mut().filter(|guard| arriving || is_of_isolation(guard.condition.stat))
        {
            guard.last = guard.condition.evaluate(stats);
            // Nothing was measured: that neither speaks for the breach nor ends it. Timeouts, say, come in bursts.
            let Some(now) = guard.last else { continue };
            if !now.holds {
                guard.held_ns = 0;
                let near = nearness(&guard.condition, &now) >= NEAR;
                if near && !guard.told_near {
                    found.push(Found::Near(format!(
                        "{}: {}",
                        guard.condition.text,
                        written(&guard.condition, &now)
                    )));
                }
                guard.told_near = near;
                continue;
            }
            guard.held_ns += TICK_NS;
            if guard.held_ns >= guard.condition.for_ns.max(TICK_NS) {
                let measured = written(&guard.condition, &now);
                found.push(Found::Fired { guard: guard.condition.text.clone(), measured });
            }
        }
        found
    }

    /// For screens, the nearest first.
    #[must_use]
    pub fn rows(&self) -> Vec<GuardRow> {
        let mut rows: Vec<GuardRow> = self.watched.iter().map(row).collect();
        rows.sort_by(|a, b| b.nearness.unwrap_or(-1.0).total_cmp(&a.nearness.unwrap_or(-1.0)));
        rows
    }
}

fn is_of_isolation(stat: Stat) -> bool {
    matches!(stat, Stat::Leaks | Stat::TagLost | Stat::AckMissing)
}

fn row(guard: &Watched) -> GuardRow {
    GuardRow {
        text: guard.condition.text.clone(),
        nearness: guard.last.as_ref().map(|now| nearness(&guard.condition, now)),
        value: guard.last.as_ref().map_or_else(|| "no data".to_owned(), |now| written(&guard.condition, now)),
        held_share: guard.held_ns as f64 / guard.condition.for_ns.max(TICK_NS) as f64,
    }
}

/// How near a value is to its limit: 1 is at it. For a condition with a lower bound (`rate < 98%`), how near
/// the value has fallen to it.
fn nearness(condition: &Condition, now: &Evaluated) -> f64 {
    use peakdrill_drill_model::condition::Op;
    let (value, limit) = (now.measured.value, now.limit);
    match condition.op {
        _ if now.holds => 1.0,
        Op::Gt | Op::Ge if limit > 0.0 => (value / limit).clamp(0.0, 1.0),
        Op::Lt | Op::Le if value > 0.0 => (limit / value).clamp(0.0, 1.0),
        _ => 0.0,
    }
}

/// A measured value with its limit, as people write them.
#[must_use]
pub fn written(condition: &Condition, now: &Evaluated) -> String {
    let one = |value: f64| write_value(condition.stat, value);
    format!("{} of {}", one(now.measured.value), one(now.limit))
}

/// A value of a statistic in its unit.
#[must_use]
pub fn write_value(stat: Stat, value: f64) -> String {
    match stat {
        Stat::Latency(_) | Stat::Service(_) => format_duration(value.max(0.0) as u64),
        Stat::ErrorRate | Stat::ScheduleMiss | Stat::AckMissing => format!("{:.2}%", value * 100.0),
        Stat::Rate | Stat::Capacity => format_rate(value),
        Stat::InFlight | Stat::Leaks | Stat::TagLost => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests;
