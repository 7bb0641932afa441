//! Whether the generator's own numbers can be believed. Pure.

use peakdrill_latency::Histogram;
use peakdrill_timebase::{NS_PER_MS, format_duration};

/// Missed by intended arrivals above which a run is invalid.
pub const MISSED_INVALID_SHARE: f64 = 0.01;
/// Lateness of starts at p99 above which a run is suspect, in nanoseconds.
pub const LATENESS_P99_SUSPECT_NS: u64 = 10 * NS_PER_MS;
/// Share of one processor that a shard uses above which a run is suspect.
pub const CPU_SUSPECT_SHARE: f64 = 0.9;

/// What the generator knows about itself.
#[derive(Debug, Clone, Default)]
pub struct SelfCheckInput {
    /// Journeys that the schedule held.
    pub intended: u64,
    /// Of these, not started.
    pub missed: u64,
    /// Lateness of starts.
    pub lateness: Histogram,
    /// Processor time by wall time per shard, 0..=1.
    pub cpu_shares: Vec<f64>,
    /// How far the pacer was behind at worst, in nanoseconds.
    pub overdue_max_ns: u64,
    /// Rows of requests left out.
    pub roots_dropped: u64,
    /// Batches that were never taken.
    pub batches_lost: u64,
}

/// The generator's judgement of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SelfGrade {
    /// The numbers are what they say.
    Valid,
    /// Read them with the reasons given.
    Suspect,
    /// The load was not what was asked for.
    Invalid,
}

/// A grade and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfVerdict {
    /// The worst of all reasons.
    pub grade: SelfGrade,
    /// Why it is not valid; empty when it is.
    pub because: Vec<String>,
}

/// Judges a run. Late arrivals make it suspect at most; only missed ones, or missing data, make it invalid.
#[must_use]
pub fn self_verdict(input: &SelfCheckInput) -> SelfVerdict {
    let mut found: Vec<(SelfGrade, String)> = Vec::new();
    let mut say = |grade, text: String| found.push((grade, text));
    let SelfCheckInput { intended, missed, .. } = *input;
    if intended == 0 {
        say(SelfGrade::Invalid, "nothing was intended".into());
    } else if missed > 0 {
        let share = missed as f64 / intended as f64;
        let grade = if share > MISSED_INVALID_SHARE { SelfGrade::Invalid } else { SelfGrade::Suspect };
        say(grade, format!("{missed} of {intended} arrivals were missed ({:.2} %)", share * 100.0));
    }
    if input.batches_lost > 0 {
        say(SelfGrade::Invalid, format!("{} batches of results were lost", input.batches_lost));
    }
    if let Some(p99) = input.lateness.quantile(0.99).filter(|p99| *p99 > LATENESS_P99_SUSPECT_NS) {
        let (late, worst) = (format_duration(p99), format_duration(input.overdue_max_ns));
        say(SelfGrade::Suspect, format!("one start in a hundred was {late} late or more ({worst} at worst)"));
    }
    for (shard, share) in input.cpu_shares.iter().enumerate().filter(|(_, share)| **share > CPU_SUSPECT_SHARE)
    {
        say(SelfGrade::Suspect, format!("shard {shard} used {:.0} % of a processor", share * 100.0));
    }
    if input.roots_dropped > 0 {
        say(SelfGrade::Suspect, format!("{} rows of requests were left out", input.roots_dropped));
    }
    let grade = found.iter().map(|(grade, _)| *grade).max().unwrap_or(SelfGrade::Valid);
    SelfVerdict { grade, because: found.into_iter().map(|(_, text)| text).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(intended: u64, missed: u64, late_ns: u64, cpu: f64) -> SelfCheckInput {
        let mut lateness = Histogram::new();
        lateness.record_n(late_ns, intended.max(1));
        SelfCheckInput { intended, missed, lateness, cpu_shares: vec![0.1, cpu], ..SelfCheckInput::default() }
    }

    #[test]
    fn only_missed_arrivals_make_it_invalid() {
        for (input, grade, reasons) in [
            (input(1000, 0, 1, 0.5), SelfGrade::Valid, 0),
            (input(1000, 10, 1, 0.5), SelfGrade::Suspect, 1),
            (input(1000, 11, 1, 0.5), SelfGrade::Invalid, 1),
            (input(0, 0, 1, 0.5), SelfGrade::Invalid, 1),
            (input(1000, 0, 900 * NS_PER_MS, 0.95), SelfGrade::Suspect, 2),
            (SelfCheckInput { batches_lost: 1, ..input(10, 0, 1, 0.5) }, SelfGrade::Invalid, 1),
            (SelfCheckInput { roots_dropped: 1, ..input(10, 0, 1, 0.5) }, SelfGrade::Suspect, 1),
        ] {
            let verdict = self_verdict(&input);
            assert_eq!((verdict.grade, verdict.because.len()), (grade, reasons), "{verdict:?}");
        }
    }
}
