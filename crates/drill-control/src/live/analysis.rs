//! The analysis while the load runs: asked as soon as there is a new view, and never waited for.

mod unseen;

use std::time::{Duration, Instant};

use peakdrill_bottleneck::{AnalysisInput, Cells, Ranking, rank};
use peakdrill_collector::View;
use peakdrill_drill_model::snapshot::FINDINGS_MAX;
use peakdrill_drill_model::verdict::LiveView;
use peakdrill_latency::Histogram;

use super::analyst::{Analyst, Pace};
use unseen::Unseen;

/// Resamples of a live analysis: fewer than in the report, where nobody waits for it.
const RESAMPLES: u32 = 40;
/// Spans of requests younger than this may be on their way.
const SETTLED_AFTER_S: i64 = 3;
/// A rest is as long as the look before it: at most half of a core is taken.
const REST_TIMES: u32 = 1;
/// Where no view is new, what passed of the load is looked at so often: that nothing came tells something as well.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// An instant of a run.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By the clock that looks are paced with.
    pub now: Instant,
    /// By the clock that stamps what the collector receives, Unix nanoseconds.
    pub at_ns: i64,
    /// By the same: when the newest was received of what the collector has taken, whether or not a view has it.
    pub taken_ns: Option<i64>,
    /// Seconds of the load that are over.
    pub second: i64,
}

/// Looks at a run's views while the load runs.
pub struct LiveAnalysis {
    analyst: Option<Analyst<Ranking>>,
    /// Why there is none from the start.
    untold: Option<&'static str>,
    asked: Option<Asked>,
    unseen: Unseen,
    ages: Histogram,
}

/// What was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// The view's number.
    view: u64,
    /// Of the load.
    second: i64,
    when: Instant,
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
        Self { analyst, untold, asked: None, unseen: Unseen::default(), ages: Histogram::new() }
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
        self.unseen.look(view, at.taken_ns, at.at_ns);
        let Some(analyst) = &mut self.analyst else { return self.untold.take().map_or(Ok(None), Err) };
        let Ok(found) = analyst.answer() else {
            self.analyst = None;
            return Err(
                "the live analysis ended by a bug of ours: ranking and findings stand still; the report is \
                        made from the record all the same",
            );
        };
        if found.is_some()
            && let Some(oldest_ns) = self.unseen.shown()
        {
            self.ages.record(since(oldest_ns, at.at_ns));
        }
        // Before the first second is over there is no load to look at.
        if at.second > 0 && analyst.is_free(at.now) && self.asked.is_none_or(|asked| asked.is_old(view, at)) {
            analyst.ask(&view.cells, live_input(input(), at.second));
            self.asked = Some(Asked { view: view.folded.view, second: at.second, when: at.now });
            self.unseen.asked();
        }
        Ok(found)
    }

    /// How long ago the newest of what is in the ranking was received, nanoseconds, at an instant of the clock of
    /// [`Moment::at_ns`]; `None` before any span is.
    #[must_use]
    pub fn age_ns(&self, at_ns: i64) -> Option<u64> {
        self.unseen.shown_to_ns().map(|newest_ns| since(newest_ns, at_ns))
    }

    /// How long the oldest of what was received and is not in the ranking has waited for it, nanoseconds, as far as the last
    /// turn knew; 0 where nothing does, or no spans were received.
    #[must_use]
    pub fn behind_ns(&self, at_ns: i64) -> u64 {
        self.unseen.oldest_ns().map_or(0, |oldest_ns| since(oldest_ns, at_ns))
    }

    /// How it kept up; `None` when no spans were received. What was never shown counts with the age that it has now.
    #[must_use]
    pub fn kept_up(&self, at_ns: i64) -> Option<LiveView> {
        let mut ages = self.ages.clone();
        let looks = ages.count();
        match self.behind_ns(at_ns) {
            0 => {}
            behind_ns => ages.record(behind_ns),
        }
        (ages.count() > 0).then(|| LiveView { looks, age_ms: ages.quantiles().into() })
    }

    /// Nothing is asked any more; the thread ends with what it does now.
    pub fn end(&mut self) {
        self.analyst = None;
    }
}

impl Asked {
    /// Whether there is something else to look at.
    fn is_old(self, view: &View, at: Moment) -> bool {
        let quiet = at.now.saturating_duration_since(self.when) >= AGAIN_AFTER;
        view.folded.view != self.view || at.second != self.second && quiet
    }
}

/// What may be on its way is not taken for lost.
fn live_input(mut input: AnalysisInput, second: i64) -> AnalysisInput {
    input.load_seconds = second.min(input.load_seconds.max(1));
    input.settled_before = Some(second - SETTLED_AFTER_S);
    input.settings.resamples = RESAMPLES;
    input
}

/// With the most pressing findings.
fn told_live(mut ranking: Ranking) -> Ranking {
    ranking.findings.truncate(FINDINGS_MAX);
    ranking
}

/// Nanoseconds from one instant to a later one; 0 where clocks were set back.
fn since(from_ns: i64, to_ns: i64) -> u64 {
    u64::try_from(to_ns.saturating_sub(from_ns)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
