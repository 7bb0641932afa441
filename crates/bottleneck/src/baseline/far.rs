//! What a part too short for intervals shows all the same: that a run is worse by far.

use super::{ERRORS_WIDE, SAMPLES_ABOVE, UNSEEN, Window};

/// A median is worse by far when it is so many times what it was.
const TIMES: u64 = 2;
/// Standard errors by which counts may be off.
const SIGMAS: f64 = 2.0;

/// What is worse by far, in the run and in its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Far {
    /// Shares of what ended that ended in an error.
    Errors {
        /// In the run.
        run: f64,
        /// Before.
        baseline: f64,
    },
    /// Medians, nanoseconds.
    Median {
        /// In the run.
        run: u64,
        /// Before.
        baseline: u64,
    },
}

/// Whether all windows of a run taken together are worse by far than those of its baselines: a point more errors than counts as
/// small as these may be off by (the standard error of a count is its root), or twice the median. It tells nothing of what is
/// not worse, and is no substitute for [`measure`](super::measure).
#[must_use]
pub fn worse_by_far<'a>(run: &[Window], baselines: impl IntoIterator<Item = &'a Window>) -> Option<Far> {
    let (run, baseline) = (together(run), together(baselines));
    let share = |window: &Window| window.errors as f64 / window.ended.max(1) as f64;
    let at_least = run.errors as f64 - SIGMAS * (run.errors as f64).sqrt();
    let at_most = baseline.errors as f64 + SIGMAS * (baseline.errors as f64).sqrt() + UNSEEN;
    if at_least / run.ended.max(1) as f64 - at_most / baseline.ended.max(1) as f64 > ERRORS_WIDE {
        return Some(Far::Errors { run: share(&run), baseline: share(&baseline) });
    }
    let wanted = 2.0 * SAMPLES_ABOVE;
    let median =
        |window: &Window| window.latency.quantile(0.5).filter(|_| window.latency.count() as f64 >= wanted);
    let (run, baseline) = (median(&run)?, median(&baseline)?);
    (run > baseline.saturating_mul(TIMES)).then_some(Far::Median { run, baseline })
}

fn together<'a>(windows: impl IntoIterator<Item = &'a Window>) -> Window {
    windows.into_iter().fold(Window::default(), |mut sum, window| {
        sum.add(window);
        sum
    })
}

#[cfg(test)]
mod tests {
    use peakdrill_latency::Sparse;

    use super::*;

    /// Two windows of requests that took so long, some of them in errors.
    fn of(ended: u64, errors: u64, ms: u64) -> [Window; 2] {
        let mut latency = Sparse::default();
        latency.add(ms * 1_000_000, i64::try_from(ended).unwrap());
        let window = |errors| Window::new(&latency, ended, errors);
        [window(errors / 2), window(errors - errors / 2)]
    }

    #[test]
    fn what_is_worse_by_far_is_seen_and_chance_is_not() {
        let found = |run: [Window; 2], baseline: [Window; 2]| worse_by_far(&run, &baseline);
        let calm = || of(250, 0, 10);
        assert_eq!(found(calm(), calm()), None);
        assert_eq!(found(of(250, 1, 10), calm()), None, "one error in 500");
        assert_eq!(found(of(250, 8, 10), calm()), None, "as many may be chance, nearly");
        let errors = |of| matches!(of, Some(Far::Errors { .. }));
        assert!(errors(found(of(250, 500, 10), calm())) && errors(found(of(250, 25, 10), calm())));
        assert!(
            errors(found(of(250, 100, 10), of(250, 40, 10)))
                && !errors(found(of(250, 60, 10), of(250, 40, 10)))
        );
        assert_eq!(found(of(250, 0, 19), calm()), None);
        assert!(matches!(found(of(250, 0, 25), calm()), Some(Far::Median { .. })));
        assert_eq!(found(of(9, 0, 25), of(9, 0, 10)), None, "of eighteen nobody knows");
        assert_eq!(found(of(0, 0, 25), calm()), None);
        assert_eq!(found(of(250, 0, 25), of(0, 0, 10)), None);
    }
}
