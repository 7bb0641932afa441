//! How much something changed from light load to peak, and how sure that is.

use crate::analyse::resample::{Resample, interval};
use crate::analysis::Settings;

/// Of one second: how much, and of how many.
pub(super) type Part = (f64, f64);

/// Keeps the draws apart from those of other estimates.
const DRAWS: u64 = 0xB351_DE00;
/// Seconds of a window that are drawn one by one, at most: of more, several go together.
const PARTS_MAX: usize = 600;

/// A mean at light load and at peak, and a figure of the two with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) light: f64,
    pub(super) peak: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// All of them together.
pub(super) fn sum(parts: &[Part]) -> Part {
    parts.iter().fold((0.0, 0.0), |(a, b), (much, many)| (a + much, b + many))
}

/// The part of the sums; `None` of none.
pub(super) fn mean(parts: &[Part]) -> Option<f64> {
    let (much, many) = sum(parts);
    (many > 0.0).then(|| much / many)
}

/// The peak by light load.
pub(super) fn times(light: f64, peak: f64) -> f64 {
    peak / light
}

/// The peak less light load.
pub(super) fn more(light: f64, peak: f64) -> f64 {
    peak - light
}

/// How a mean changed. `of` makes the figure that the interval is of: [`times`] or [`more`].
pub(super) fn change(
    light: &[Part],
    peak: &[Part],
    of: fn(f64, f64) -> f64,
    settings: &Settings,
) -> Option<Change> {
    let (light, peak) = (together(light), together(peak));
    let mut draws = Resample::new(settings.seed, DRAWS);
    let mut drawn = |parts: &[Part]| mean(&draws.pick(parts));
    let figures = (0..settings.resamples).filter_map(|_| Some(of(drawn(&light)?, drawn(&peak)?))).collect();
    let (low, high) = interval(figures)?;
    Some(Change { light: mean(&light)?, peak: mean(&peak)?, low, high })
}

/// Neighbours added up, so that few parts are left.
fn together(parts: &[Part]) -> Vec<Part> {
    let each = parts.len().div_ceil(PARTS_MAX).max(1);
    parts.chunks(each).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(value: f64, seconds: usize) -> Vec<Part> {
        (0..seconds).map(|s| (value * (10 + s % 3) as f64, (10 + s % 3) as f64)).collect()
    }

    #[test]
    fn a_change_without_noise_is_known_for_sure() {
        let settings = Settings::default();
        let found = change(&parts(2.0, 9), &parts(6.0, 2_000), times, &settings).unwrap();
        assert!((found.light - 2.0).abs() < 1e-9 && (found.peak - 6.0).abs() < 1e-9);
        assert!((found.low - 3.0).abs() < 1e-9 && (found.high - 3.0).abs() < 1e-9, "{found:?}");
        assert_eq!(change(&[], &parts(1.0, 9), more, &settings), None);
        assert_eq!(change(&[(0.0, 0.0)], &parts(1.0, 9), more, &settings), None);
    }

    proptest! {
        #[test]
        fn no_figure_is_beyond_what_the_seconds_are(
            light in prop::collection::vec((0.0..9.0_f64, 5.0..9.0_f64), 8..40),
            peak in prop::collection::vec((0.0..9.0_f64, 5.0..9.0_f64), 8..40),
        ) {
            let found = change(&light, &peak, more, &Settings::default()).unwrap();
            prop_assert!(found.low <= found.high);
            // No mean lies outside of what its seconds are: neither that of all nor that of any draw.
            let bounds = |parts: &[Part]| parts.iter().map(|(a, b)| a / b).fold((f64::MAX, 0.0_f64), |(l, h), x| (l.min(x), h.max(x)));
            let ((ll, lh), (pl, ph)) = (bounds(&light), bounds(&peak));
            let within = |figure: f64| figure >= pl - lh - 1e-9 && figure <= ph - ll + 1e-9;
            prop_assert!([found.low, found.high, found.peak - found.light].map(within) == [true; 3], "{found:?}");
        }
    }
}
