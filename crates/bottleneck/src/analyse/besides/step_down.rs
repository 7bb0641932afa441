//! Whether retries end when the load goes down again. Where they do not, the system stays down although the load that
//! brought it down is gone: it is metastable.

use crate::analyse::series::mean as series_mean;
use crate::analyse::windows::Windows;
use crate::analyse::words::journeys;

use super::change::{Part, mean, sum};

/// Retries must have ended so many seconds after the load went down.
const END_S: usize = 30;
/// Width of the mean over which attempts are looked at, in seconds.
const OVER_S: usize = 3;
/// Fewer calls than this in it say nothing.
const FEW_CALLS: f64 = 5.0;

/// What became of the retries when the load went down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum StepDown {
    /// The load never went down to where there were no retries before.
    NotTested,
    /// They ended so many seconds after it did.
    Ends {
        /// Journeys a second.
        rate: f64,
        /// Seconds.
        after_s: usize,
    },
    /// They did not in time.
    Stays {
        /// Journeys a second.
        rate: f64,
        /// Attempts a call after that.
        attempts: f64,
    },
    /// They did not, and the load was not down for long enough to tell.
    TooShort {
        /// Seconds.
        down_s: usize,
    },
}

impl StepDown {
    pub(super) fn words(self) -> String {
        match self {
            Self::NotTested => {
                "whether that ends when the load goes down was not tested: the load never did".to_owned()
            }
            Self::Ends { rate: at, after_s: 0 } => {
                format!("it ended as soon as the load went down to {}", journeys(at))
            }
            Self::Ends { rate: at, after_s } => {
                format!("it ended {after_s} s after the load had gone down to {}", journeys(at))
            }
            Self::Stays { rate: at, attempts } => format!(
                "it did not end when the load went down to {}: {END_S} s later there were still {attempts:.1} attempts a \
                 call, and the system does not recover by itself",
                journeys(at)
            ),
            Self::TooShort { down_s } => {
                format!(
                    "whether that ends is not known: it had not when the load had been down for {down_s} s"
                )
            }
        }
    }
}

/// Looks at the seconds after the peak whose rate is that at which attempts were `calm` on the way up.
///
/// `calm_rate`: journeys a second at which there were few attempts on the way up. `parts`: attempts and calls of each
/// second of the load.
pub(super) fn step_down(windows: &Windows, calm_rate: Option<f64>, calm: f64, parts: &[Part]) -> StepDown {
    let light = series_mean(&windows.smooth, &windows.light);
    let bar = calm_rate.unwrap_or(light).max(light);
    // The mean over three seconds of what comes by chance.
    let bar = bar + 2.0 * (bar / 3.0).sqrt();
    let load = parts.len();
    let after = windows.top.last().map_or(load, |last| last + 1);
    let low = |s: &usize| windows.smooth.get(*s).is_some_and(|rate| *rate <= bar);
    let down: Vec<usize> = (after..load).skip_while(|s| !low(s)).take_while(low).collect();
    // The mean of the rate still has the peak in it in the first second.
    if down.len() < OVER_S {
        return StepDown::NotTested;
    }
    let at = series_mean(&windows.smooth, down.get(1..).unwrap_or_default());
    // These are seconds in a row.
    let first = down.first().copied().unwrap_or(load);
    let parts = parts.get(first..first + down.len()).unwrap_or_default();
    let over = |parts: &[Part]| mean(parts).filter(|_| sum(parts).1 >= FEW_CALLS);
    let ends = parts.windows(OVER_S).position(|some| over(some).is_some_and(|attempts| attempts <= calm));
    match (ends, over(parts.get(END_S..).unwrap_or_default())) {
        (Some(after_s), _) if after_s <= END_S => StepDown::Ends { rate: at, after_s },
        (_, Some(attempts)) if down.len() >= END_S + OVER_S => StepDown::Stays { rate: at, attempts },
        _ => StepDown::TooShort { down_s: down.len() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 s at 20/s, 10 s at 100/s, then `down` seconds at 20/s; attempts a call by second.
    fn found(down: usize, attempts: impl Fn(usize) -> f64) -> StepDown {
        let mut smooth = vec![20.0; 30 + down];
        smooth[20..30].fill(100.0);
        let windows = Windows {
            light: (2..20).collect(),
            peak: (20..30).collect(),
            top: (20..30).collect(),
            left_out: Vec::new(),
            smooth,
            tested: Some(100.0),
            rose: true,
        };
        let parts: Vec<Part> = (0..30 + down).map(|s| (20.0 * attempts(s), 20.0)).collect();
        step_down(&windows, Some(20.0), 1.4, &parts)
    }

    #[test]
    fn retries_that_end_are_told_from_those_that_stay() {
        let until = |end: usize| move |s: usize| if (20..end).contains(&s) { 3.0 } else { 1.0 };
        assert_eq!(found(60, until(30)), StepDown::Ends { rate: 20.0, after_s: 0 });
        assert_eq!(found(60, until(40)), StepDown::Ends { rate: 20.0, after_s: 10 });
        assert_eq!(found(60, until(200)), StepDown::Stays { rate: 20.0, attempts: 3.0 });
        assert_eq!(found(20, until(200)), StepDown::TooShort { down_s: 20 });
        assert_eq!(found(0, until(200)), StepDown::NotTested);
        // What ends late has not ended in time.
        assert!(matches!(found(60, until(75)), StepDown::Stays { .. }));
    }
}
