//! Figures of both sides, again and again over drawn blocks of windows.

use std::ops::Range;
use std::slice::from_ref;

use peakdrill_drill_model::comparison::Quantity;

use super::ranks::mann_whitney;
use super::table::Tables;
use super::tails::{Z975, student_975};
use super::{Effect, Lack, Measured, Runs, SAMPLES_ABOVE, Settings, WINDOWS_MIN};
use crate::analyse::resample::{Resample, block_of, interval};

/// Keeps these draws apart from those of the analysis.
const DRAWS: u64 = 900_000;
/// The run among the tables; its baselines stand behind it.
const RUN: usize = 0;
/// Of something that was not seen once among `n`, the true share is below this by `n`, in 39 of 40 cases: `-ln 0.025`.
const UNSEEN: f64 = 3.688_9;

/// Measures some figures of a run beside those of its baselines, which stand for one. The same input gives the same result.
///
/// Of several baselines runs are drawn as well as blocks, and the run that is judged is taken to be off by as much as a drawn
/// one is: so that what differs from run to run of the same thing is part of the interval. Of one baseline nobody knows it.
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
    for _ in 0..settings.refits {
        let blocks = draws.blocks(windows);
        // Tables of the baselines begin with 1.
        let drawn: Vec<usize> =
            (0..side_by_side.baselines).map(|_| 1 + draws.below(side_by_side.baselines)).collect();
        let like = draws.below(side_by_side.baselines);
        for figure in figures.iter_mut().filter(|figure| figure.lack.is_none()) {
            let effect = side_by_side.effect(figure.quantity, &[RUN], &drawn, &blocks);
            let off = figure.apart.get(like).copied().unwrap_or(0.0);
            figure.effects.extend(effect.map(|effect| effect + off));
        }
    }
    let measured = |figure: Figure| (figure.quantity, side_by_side.measured(figure));
    figures.into_iter().map(measured).collect()
}

/// A figure while it is refitted.
struct Figure {
    quantity: Quantity,
    lack: Option<Lack>,
    /// By how much each baseline is worse than all of them.
    apart: Vec<f64>,
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
        let several = self.baselines as f64;
        let apart = match self.baselines {
            1 => Vec::new(),
            // The mean of several is nearer to each of them than to another run.
            _ => {
                let stretch = (several / (several - 1.0)).sqrt();
                let of = |run: usize| self.effect(quantity, &[run], &self.behind(), from_ref(&self.whole()));
                self.behind().into_iter().map(|run| stretch * of(run).unwrap_or(0.0)).collect()
            }
        };
        Figure { quantity, lack, apart, effects: Vec::new() }
    }

    /// Samples of the side that has fewer, and how many it takes.
    fn samples(&self, quantity: Quantity) -> (u64, u64) {
        let of = |run: usize| {
            let (samples, ended) = self.tables.counts(run, self.windows);
            if quantity.quantile().is_some() { samples } else { ended }
        };
        let had = of(RUN).min(self.behind().into_iter().map(of).sum());
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
        let effect = match quantity {
            Quantity::Errors => new - old,
            Quantity::Throughput => (old / new).ln(),
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
        let estimate = self.effect(quantity, &[RUN], &self.behind(), from_ref(&whole)).ok_or_else(lack)?;
        let blocks = self.windows as f64 / block_of(self.windows) as f64;
        let (spread, freedom) = (spread(&figure.effects, blocks), blocks - 1.0);
        let (low, high) = interval(figure.effects).ok_or_else(lack)?;
        // Few blocks vary less among themselves than what they stand for.
        let stretch = (blocks / freedom).sqrt() * student_975(freedom) / Z975;
        let (mut low, mut high) =
            (estimate + stretch * (low - estimate), estimate + stretch * (high - estimate));
        if quantity == Quantity::Errors {
            let unseen = |share: f64, runs: &[usize]| {
                let ended: u64 = runs.iter().map(|run| self.tables.counts(*run, self.windows).1).sum();
                if share == 0.0 { UNSEEN / ended.max(1) as f64 } else { 0.0 }
            };
            high += unseen(run, &[RUN]);
            low -= unseen(baseline, &self.behind());
        }
        let second_opinion =
            mann_whitney(&self.by_block(quantity, &[RUN]), &self.by_block(quantity, &self.behind()));
        let effect = Effect { estimate, low, high, spread, freedom };
        Ok(Measured { quantity, baseline, run, effect, windows: self.windows, second_opinion })
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

/// The standard error that refits tell of.
fn spread(effects: &[f64], blocks: f64) -> f64 {
    let n = effects.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = effects.iter().sum::<f64>() / n;
    let squares: f64 = effects.iter().map(|effect| (effect - mean).powi(2)).sum();
    (squares / (n - 1.0) * blocks / (blocks - 1.0)).sqrt()
}
