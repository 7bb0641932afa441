//! Figures of both sides, again and again over drawn blocks of windows.

use std::ops::Range;
use std::slice::from_ref;

use peakdrill_drill_model::comparison::Quantity;

use super::ranks::mann_whitney;
use super::table::Tables;
use super::{
    BASELINES_TOLD, ERRORS_WIDE, Effect, Lack, Measured, Runs, SAMPLES_ABOVE, Settings, UNSEEN, WINDOWS_MIN,
};
use crate::analyse::resample::{Resample, block_of, interval};
use crate::tails::{Z975, student_975};

/// Keeps these draws apart from those of the analysis.
const DRAWS: u64 = 900_000;
/// The run among the tables; its baselines stand behind it.
const RUN: usize = 0;

/// Measures some figures of a run beside those of its baselines, which stand for one. The same input gives the same result.
///
/// From [`BASELINES_TOLD`] baselines on, what differs from run to run of the same thing is part of the interval: their standard
/// deviation, with the degrees of freedom that so few have. Of fewer it is not known.
#[must_use]
pub fn measure(
    runs: Runs<'_>,
    wanted: &[Quantity],
    settings: &Settings,
) -> Vec<(Quantity, Result<Measured, Lack>)> {
    let all: Vec<&[_]> = [runs.run].into_iter().chain(runs.baselines.iter().copied()).collect();
    let windows = all.iter().map(|run| run.len()).min().filter(|_| all.len() > 1).unwrap_or(0);
    if windows < WINDOWS_MIN {
        return wanted.iter().map(|quantity| (*quantity, Err(Lack::Windows(windows)))).collect();
    }
    let side_by_side = SideBySide { tables: Tables::new(&all, windows), windows, baselines: all.len() - 1 };
    let mut figures: Vec<Figure> = wanted.iter().map(|quantity| side_by_side.figure(*quantity)).collect();
    let mut draws = Resample::new(settings.seed, DRAWS);
    let behind = side_by_side.behind();
    for _ in 0..settings.refits {
        let blocks = draws.blocks(windows);
        for figure in figures.iter_mut().filter(|figure| figure.lack.is_none()) {
            figure.effects.extend(side_by_side.effect(figure.quantity, &[RUN], &behind, &blocks));
        }
    }
    let measured = |figure: Figure| (figure.quantity, side_by_side.measured(figure));
    figures.into_iter().map(measured).collect()
}

/// A figure while it is refitted.
struct Figure {
    quantity: Quantity,
    lack: Option<Lack>,
    effects: Vec<f64>,
}

struct SideBySide {
    tables: Tables,
    windows: usize,
    baselines: usize,
}

impl SideBySide {
    fn whole(&self) -> Range<usize> {
        0..self.windows
    }

    fn behind(&self) -> Vec<usize> {
        (1..=self.baselines).collect()
    }

    fn figure(&self, quantity: Quantity) -> Figure {
        let (had, wanted) = self.samples(quantity);
        let lack = (had < wanted).then_some(Lack::Samples { had, wanted });
        Figure { quantity, lack, effects: Vec::new() }
    }

    /// By how much another run of the same would be off from the mean of the baselines, and the degrees of freedom of that:
    /// the standard deviation of the baselines, and what their own mean is off by.
    fn between_baselines(&self, quantity: Quantity) -> Option<(f64, f64)> {
        let behind = self.behind();
        if behind.len() < BASELINES_TOLD {
            return None;
        }
        let of = |run: &usize| self.effect(quantity, &[*run], &behind, from_ref(&self.whole()));
        let apart: Vec<f64> = behind.iter().filter_map(of).collect();
        let several = apart.len() as f64;
        Some((deviation(&apart) * (1.0 + 1.0 / several.max(1.0)).sqrt(), (several - 1.0).max(1.0)))
    }

    /// Samples of the side that has fewer, and how many it takes. That nothing came through is a figure of the throughput.
    fn samples(&self, quantity: Quantity) -> (u64, u64) {
        let of = |run: usize| {
            let (samples, ended) = self.tables.counts(run, self.windows);
            if quantity.quantile().is_some() { samples } else { ended }
        };
        let before: u64 = self.behind().into_iter().map(of).sum();
        let had = if quantity == Quantity::Throughput { before } else { of(RUN).min(before) };
        let above = 1.0 - quantity.quantile().unwrap_or(0.5);
        // Just below, so that what is exactly enough is enough.
        (had, (SAMPLES_ABOVE / above - 1e-6).ceil() as u64)
    }

    /// By how much some runs are worse than others, over some blocks.
    fn effect(
        &self,
        quantity: Quantity,
        run: &[usize],
        baseline: &[usize],
        blocks: &[Range<usize>],
    ) -> Option<f64> {
        let new = self.tables.figure(quantity, run, blocks)?;
        let old = self.tables.figure(quantity, baseline, blocks)?;
        // As if half a request had come through: else what lost all of them would be no number.
        let half = 0.5 / blocks.iter().map(Range::len).sum::<usize>().max(1) as f64;
        let effect = match quantity {
            Quantity::Errors => new - old,
            Quantity::Throughput => (old.max(half) / new.max(half)).ln(),
            _ => (new / old).ln(),
        };
        effect.is_finite().then_some(effect)
    }

    fn measured(&self, figure: Figure) -> Result<Measured, Lack> {
        let (quantity, whole) = (figure.quantity, self.whole());
        let lack = || {
            let (had, wanted) = self.samples(quantity);
            Lack::Samples { had, wanted }
        };
        if let Some(lack) = figure.lack {
            return Err(lack);
        }
        let of = |runs: &[usize]| self.tables.figure(quantity, runs, from_ref(&whole)).ok_or_else(lack);
        let (run, baseline) = (of(&[RUN])?, of(&self.behind())?);
        if let Some(lack) = self.unseen_of_few(quantity, run + baseline) {
            return Err(lack);
        }
        let estimate = self.effect(quantity, &[RUN], &self.behind(), from_ref(&whole)).ok_or_else(lack)?;
        let mut effect = self.refitted(estimate, figure.effects).ok_or_else(lack)?;
        if let Some((off, freedom)) = self.between_baselines(quantity) {
            effect = effect.and(off, freedom);
        }
        if quantity == Quantity::Errors {
            let unseen = |share: f64, runs: &[usize]| {
                let ended: u64 = runs.iter().map(|run| self.tables.counts(*run, self.windows).1).sum();
                if share == 0.0 { UNSEEN / ended.max(1) as f64 } else { 0.0 }
            };
            effect.high += unseen(run, &[RUN]);
            effect.low -= unseen(baseline, &self.behind());
        }
        let second_opinion =
            mann_whitney(&self.by_block(quantity, &[RUN]), &self.by_block(quantity, &self.behind()));
        Ok(Measured { quantity, baseline, run, effect, windows: self.windows, second_opinion })
    }

    /// No errors at all, in so few requests that nobody knows how many of a thousand would have been.
    fn unseen_of_few(&self, quantity: Quantity, errors: f64) -> Option<Lack> {
        let (had, _) = self.samples(quantity);
        // With as many on each side the interval is just narrow enough.
        let wanted = (2.0 * UNSEEN / ERRORS_WIDE).ceil() as u64;
        let is_few = quantity == Quantity::Errors && errors == 0.0 && had < wanted;
        is_few.then_some(Lack::Samples { had, wanted })
    }

    /// The interval of the refits.
    fn refitted(&self, estimate: f64, effects: Vec<f64>) -> Option<Effect> {
        let blocks = self.windows as f64 / block_of(self.windows) as f64;
        let freedom = blocks - 1.0;
        // Few blocks vary less among themselves than what they stand for.
        let few = (blocks / freedom).sqrt();
        let spread = few * deviation(&effects);
        let (low, high) = interval(effects)?;
        let stretch = few * student_975(freedom) / Z975;
        let [low, high] = [low, high].map(|end| estimate + stretch * (end - estimate));
        Some(Effect { estimate, low, high, spread, freedom })
    }

    /// The figure of each block of each run, larger where it is worse.
    fn by_block(&self, quantity: Quantity, runs: &[usize]) -> Vec<f64> {
        let block = block_of(self.windows);
        let starts = || (0..=self.windows - block).step_by(block);
        let of = |run: usize, start: usize| {
            self.tables.figure(quantity, &[run], from_ref(&(start..start + block)))
        };
        let worse = |value: f64| if quantity == Quantity::Throughput { -value } else { value };
        let each = runs.iter().flat_map(|run| starts().filter_map(move |start| of(*run, start)));
        each.map(worse).collect()
    }
}

impl Effect {
    /// With another thing that it may be off by, whose standard error has so many degrees of freedom. Those of both together
    /// are by Satterthwaite (Biometrics Bulletin 2, 1946, 110).
    fn and(self, off: f64, freedom: f64) -> Self {
        let reach = off * student_975(freedom);
        let (a, b) = (self.spread.powi(2), off.powi(2));
        let both = (a + b).powi(2) / (a.powi(2) / self.freedom + b.powi(2) / freedom);
        Self {
            estimate: self.estimate,
            low: self.estimate - (self.estimate - self.low).hypot(reach),
            high: self.estimate + (self.high - self.estimate).hypot(reach),
            spread: (a + b).sqrt(),
            freedom: if both.is_finite() { both } else { self.freedom },
        }
    }
}

/// The standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (n - 1.0)).sqrt()
}
