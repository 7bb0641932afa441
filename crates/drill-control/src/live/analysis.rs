//! The analysis while the load runs: asked as soon as there is a new view, and never waited for.

use std::time::Instant;

use peakdrill_bottleneck::{AnalysisInput, Cells, Ranking, rank};
use peakdrill_collector::{Folded, View};
use peakdrill_drill_model::snapshot::FINDINGS_MAX;
use peakdrill_drill_model::verdict::{Finding, FindingKind, LiveView};
use peakdrill_latency::Histogram;

use super::analyst::{Analyst, Pace};

/// Resamples of a live analysis: fewer than in the report, where nobody waits for it.
const RESAMPLES: u32 = 40;
/// Spans of requests younger than this may be on their way.
const SETTLED_AFTER_S: i64 = 3;
/// A rest is as long as the look before it: at most half of a core is taken.
const REST_TIMES: u32 = 1;

/// An instant of a run.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By the clock that looks are paced with.
    pub now: Instant,
    /// By the wall clock, Unix nanoseconds.
    pub at_ns: i64,
    /// Seconds of the load that are over.
    pub second: i64,
}

/// Looks at a run's views while the load runs.
pub struct LiveAnalysis {
    analyst: Option<Analyst<Ranking>>,
    /// Why there is none from the start.
    untold: Option<&'static str>,
    /// What was asked last: what was folded then, and the second of the load.
    asked: Option<(Folded, i64)>,
    /// Of the view that the newest ranking is made from.
    shown: Folded,
    ages: Histogram,
}

impl LiveAnalysis {
    /// Starts its thread.
    #[must_use]
    pub fn start() -> Self {
        Self::with(rank)
    }

    pub(crate) fn with(look: impl Fn(&Cells, &AnalysisInput) -> Ranking + Send + 'static) -> Self {
        let analyst =
            Analyst::start(Pace::new(REST_TIMES), move |cells, input| told_live(look(cells, input)));
        let untold = analyst.is_none().then_some(
            "there is no live ranking: no further thread could be started; the report will have one",
        );
        Self { analyst, untold, asked: None, shown: Folded::default(), ages: Histogram::new() }
    }

    /// Takes what was found since the last turn, and asks about the newest view where it is due. To be called often: a
    /// view waits for it, and so does what is found. `input` says what is known of the run besides; it is called when
    /// something is asked.
    ///
    /// # Errors
    /// That there will be no further ranking, and why, in words; once.
    pub fn turn(
        &mut self,
        at: Moment,
        view: &View,
        input: &dyn Fn() -> AnalysisInput,
    ) -> Result<Option<Ranking>, &'static str> {
        let Some(analyst) = &mut self.analyst else { return self.untold.take().map_or(Ok(None), Err) };
        let Ok(found) = analyst.answer() else {
            self.analyst = None;
            return Err(
                "the live analysis ended by a bug of ours: ranking and findings stand still; the report is \
                        made from the record all the same",
            );
        };
        if let (Some(_), Some((of, _))) = (&found, self.asked) {
            if let Some(oldest_ns) = self.shown.oldest_new_ns(&of) {
                self.ages.record(since(oldest_ns, at.at_ns));
            }
            self.shown = of;
        }
        // A second that passes without spans tells something as well.
        if analyst.is_free(at.now) && self.asked != Some((view.folded, at.second)) {
            analyst.ask(&view.cells, live_input(input(), at.second));
            self.asked = Some((view.folded, at.second));
        }
        Ok(found)
    }

    /// How long ago the newest of what is in the ranking was received, nanoseconds; `None` before anything is in it.
    #[must_use]
    pub fn age_ns(&self, at_ns: i64) -> Option<u64> {
        self.shown.newest_ns.map(|newest_ns| since(newest_ns, at_ns))
    }

    /// How long the oldest of what was received and is not in the ranking has waited for it, nanoseconds, as far as the newest
    /// view tells; 0 where nothing does.
    #[must_use]
    pub fn behind_ns(&self, newest: &View, at_ns: i64) -> u64 {
        self.shown.oldest_missing_ns(&newest.folded).map_or(0, |oldest_ns| since(oldest_ns, at_ns))
    }

    /// How it kept up; `None` when no ranking showed anything new.
    #[must_use]
    pub fn kept_up(&self) -> Option<LiveView> {
        (self.ages.count() > 0)
            .then(|| LiveView { looks: self.ages.count(), age_ms: self.ages.quantiles().into() })
    }

    /// Nothing is asked any more; the thread ends with what it does now.
    pub fn end(&mut self) {
        self.analyst = None;
    }
}

/// What may be on its way is not taken for lost.
fn live_input(mut input: AnalysisInput, second: i64) -> AnalysisInput {
    input.load_seconds = second.min(input.load_seconds.max(1));
    input.settled_before = Some(second - SETTLED_AFTER_S);
    input.settings.resamples = RESAMPLES;
    input
}

/// With the most pressing of those findings that can be known before the end: what the drill does not come to is known
/// then.
fn told_live(mut ranking: Ranking) -> Ranking {
    ranking.findings.retain(|found: &Finding| found.kind != FindingKind::NotExercised);
    ranking.findings.truncate(FINDINGS_MAX);
    ranking
}

/// Nanoseconds from one instant to a later one; 0 where clocks were set back.
fn since(from_ns: i64, to_ns: i64) -> u64 {
    u64::try_from(to_ns.saturating_sub(from_ns)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
