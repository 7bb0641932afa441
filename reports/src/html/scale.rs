//! Axes: from a range of values to places and round ticks.

/// A value axis. Places are shares of the axis, 0..=1, from its low end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    /// Round values, ascending.
    pub(crate) ticks: Vec<f64>,
}

/// A log axis is used when the largest value is so many times the smallest.
const LOG_FROM_RATIO: f64 = 40.0;

impl Scale {
    /// A straight axis from 0 to a round value at or above the largest.
    pub(crate) fn from_zero(largest: f64, ticks_about: u32) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let step = round_step(largest / f64::from(ticks_about.max(1)));
        let count = (largest / step - 1e-9).ceil().clamp(1.0, 20.0) as u32;
        let ticks: Vec<f64> = (0..=count).map(|k| f64::from(k) * step).collect();
        Self { low: 0.0, high: f64::from(count) * step, log: false, ticks }
    }

    /// A straight axis from 0 that ends at the largest value, with round ticks up to it.
    pub(crate) fn exactly(largest: f64, ticks_about: u32, round: fn(f64) -> f64) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let step = round(largest / f64::from(ticks_about.max(1)));
        let count = (largest / step + 1e-9).floor().clamp(0.0, 20.0) as u32;
        Self {
            low: 0.0,
            high: largest,
            log: false,
            ticks: (0..=count).map(|k| f64::from(k) * step).collect(),
        }
    }

    /// An axis for values that may span several powers of ten: logarithmic when they do.
    pub(crate) fn spanning(values: impl Iterator<Item = f64> + Clone, ticks_about: u32) -> Self {
        let good = values.filter(|value| value.is_finite() && *value > 0.0);
        let high = good.clone().fold(0.0, f64::max);
        let low = good.fold(f64::INFINITY, f64::min);
        if !(low > 0.0 && low.is_finite()) || high / low < LOG_FROM_RATIO {
            return Self::from_zero(high, ticks_about);
        }
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let powers = (first..=last).map(|power| 10_f64.powi(power));
        let round: Vec<f64> = powers.clone().flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * power)).collect();
        let from = round.iter().copied().filter(|tick| *tick <= low * 1.0001).fold(round[0], f64::max);
        let to = round.iter().copied().find(|tick| *tick >= high * 0.9999).unwrap_or(high);
        let ticks: Vec<f64> = if last - first <= 2 { round } else { powers.collect() };
        let ticks = ticks.into_iter().filter(|tick| (from..=to).contains(tick)).collect();
        Self { low: from, high: to.max(from * 1.01), log: true, ticks }
    }

    /// Whether the axis is logarithmic.
    pub(crate) fn is_log(&self) -> bool {
        self.log
    }

    /// Where a value lies; values beyond the ends lie on them.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The smallest of 1, 2, 2.5, 5 × 10ⁿ that is not below a value.
pub(crate) fn round_step(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.iter().map(|m| m * power).find(|step| *step >= value * 0.9999).unwrap_or(power * 10.0)
}

/// The smallest step of a clock that is not below a number of seconds.
pub(crate) fn round_seconds(value: f64) -> f64 {
    let steps =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0];
    steps
        .into_iter()
        .find(|step| *step >= value * 0.9999)
        .unwrap_or_else(|| (value / 86_400.0).ceil() * 86_400.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::from_zero(412.0, 4).ticks, [0.0, 200.0, 400.0, 600.0]);
        assert_eq!(Scale::exactly(200.0, 6, round_seconds).ticks, [0.0, 60.0, 120.0, 180.0]);
        let log = Scale::spanning([3.0, 900.0].into_iter(), 4);
        assert!(log.is_log());
        assert_eq!(log.ticks.last(), Some(&1000.0));
    }

    proptest! {
        #[test]
        fn a_place_is_on_the_axis(values in prop::collection::vec(prop::num::f64::ANY, 0..20), at in prop::num::f64::ANY) {
            for scale in [
                Scale::spanning(values.iter().copied(), 4),
                Scale::from_zero(at, 4),
                Scale::exactly(at, 5, round_seconds),
            ] {
                prop_assert!((0.0..=1.0).contains(&scale.place(at)));
                prop_assert!(scale.ticks.len() <= 640);
            }
        }
    }
}
