//! The windows of several runs as sums in two directions, so that a quantile of any blocks of them is a few looks.

use std::ops::Range;
use std::slice::from_ref;

use peakdrill_drill_model::comparison::Quantity;
use peakdrill_latency::highest_in;

use super::Window;

/// Sums that are kept of one run, at most: 64 MiB. Where histograms fill more buckets, neighbours are put together.
const SUMS_MAX: usize = 8 << 20;

/// The common buckets of all runs, and the sums of each.
pub(super) struct Tables {
    /// Upper ends, ascending; a bucket of the table holds all samples above the one before.
    tops: Vec<u32>,
    runs: Vec<Table>,
}

struct Table {
    /// By bucket and window: samples up to this bucket, in the windows before this one.
    samples: Vec<u64>,
    /// By window: what ended before it, and how many of these in errors.
    ended: Vec<u64>,
    errors: Vec<u64>,
}

impl Tables {
    /// Of the first windows of each run.
    pub(super) fn new(runs: &[&[Window]], windows: usize) -> Self {
        let firsts = || runs.iter().map(|run| run.get(..windows).unwrap_or(run));
        let mut buckets: Vec<u32> =
            firsts().flatten().flat_map(|window| window.latency.iter().map(|(bucket, _)| bucket)).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let together = (buckets.len() * (windows + 1)).div_ceil(SUMS_MAX).max(1);
        let tops: Vec<u32> =
            buckets.chunks(together).filter_map(|neighbours| neighbours.last().copied()).collect();
        let runs = firsts().map(|run| Table::new(run, &tops)).collect();
        Self { tops, runs }
    }

    /// A figure of some runs together, over some blocks of windows: nanoseconds, a share, or a number a window. `None` where
    /// there is nothing to take it of.
    pub(super) fn figure(&self, quantity: Quantity, runs: &[usize], blocks: &[Range<usize>]) -> Option<f64> {
        let tables = || runs.iter().filter_map(|run| self.runs.get(*run));
        let sum = |of: fn(&Table) -> &[u64]| tables().map(|table| between(of(table), blocks)).sum::<u64>();
        let (ended, errors) = (|| sum(|table| &table.ended), || sum(|table| &table.errors));
        match quantity.quantile() {
            Some(q) => self.quantile(q, runs, blocks).map(|ns| ns as f64),
            None if quantity == Quantity::Errors => {
                let ended = ended();
                (ended > 0).then(|| errors() as f64 / ended as f64)
            }
            None => {
                let windows = blocks.iter().map(Range::len).sum::<usize>() * runs.len();
                (windows > 0).then(|| ended().saturating_sub(errors()) as f64 / windows as f64)
            }
        }
    }

    /// The nearest rank, as [`Sparse::quantile`](peakdrill_latency::Sparse::quantile) has it.
    fn quantile(&self, q: f64, runs: &[usize], blocks: &[Range<usize>]) -> Option<u64> {
        let up_to = |bucket: usize| -> u64 {
            runs.iter()
                .filter_map(|run| self.runs.get(*run))
                .map(|table| between(table.row(bucket), blocks))
                .sum()
        };
        let all = up_to(self.tops.len().checked_sub(1)?);
        let wanted = ((q * all as f64).ceil() as u64).max(1);
        let (mut low, mut high) = (0, self.tops.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if up_to(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        self.tops.get(low).map(|bucket| highest_in(*bucket))
    }

    /// Samples of latency of a run, and what ended.
    pub(super) fn counts(&self, run: usize, windows: usize) -> (u64, u64) {
        let whole = 0..windows;
        let table = self.runs.get(run).zip(self.tops.len().checked_sub(1));
        let samples = table.map_or(0, |(table, last)| between(table.row(last), from_ref(&whole)));
        (samples, self.runs.get(run).map_or(0, |table| between(&table.ended, from_ref(&whole))))
    }
}

impl Table {
    fn new(windows: &[Window], tops: &[u32]) -> Self {
        let stride = windows.len() + 1;
        let mut samples = vec![0_u64; tops.len() * stride];
        let (mut ended, mut errors) = (vec![0_u64; stride], vec![0_u64; stride]);
        for (at, window) in (1..).zip(windows) {
            for (bucket, count) in window.latency.iter() {
                let row = tops.partition_point(|top| *top < bucket);
                if let Some(sum) = samples.get_mut(row * stride + at) {
                    *sum = sum.saturating_add(u64::try_from(count).unwrap_or(0));
                }
            }
            ended[at] = ended[at - 1].saturating_add(window.ended);
            errors[at] = errors[at - 1].saturating_add(window.errors);
        }
        for row in samples.chunks_mut(stride) {
            for at in 1..row.len() {
                row[at] = row[at].saturating_add(row[at - 1]);
            }
        }
        for at in stride..samples.len() {
            samples[at] = samples[at].saturating_add(samples[at - stride]);
        }
        Self { samples, ended, errors }
    }

    fn row(&self, bucket: usize) -> &[u64] {
        let stride = self.ended.len();
        self.samples.get(bucket * stride..(bucket + 1) * stride).unwrap_or_default()
    }
}

/// What lies in some blocks of windows, of sums over the windows before each.
fn between(sums: &[u64], blocks: &[Range<usize>]) -> u64 {
    let at = |window: usize| sums.get(window).or(sums.last()).copied().unwrap_or(0);
    blocks.iter().map(|block| at(block.end).saturating_sub(at(block.start))).sum()
}

#[cfg(test)]
mod tests {
    use peakdrill_latency::Sparse;
    use proptest::prelude::*;

    use super::*;

    fn window(samples: &[u64]) -> Window {
        let mut latency = Sparse::default();
        samples.iter().for_each(|ns| latency.add(*ns, 1));
        Window { latency, ended: samples.len() as u64, errors: samples.len() as u64 / 3 }
    }

    proptest! {
        /// The looks find what merging the drawn windows gives.
        #[test]
        fn a_quantile_of_blocks_is_that_of_their_windows_together(
            a in prop::collection::vec(prop::collection::vec(1..5_000_000_u64, 0..9), 4..20),
            b in prop::collection::vec(prop::collection::vec(1..5_000_000_u64, 0..9), 4..20),
            starts in prop::collection::vec(0..4_usize, 1..6),
            lengths in prop::collection::vec(0..3_usize, 1..6),
        ) {
            let runs: Vec<Vec<Window>> = [a, b].iter().map(|run| run.iter().map(|w| window(w)).collect()).collect();
            let n = runs.iter().map(Vec::len).min().unwrap();
            let tables = Tables::new(&[&runs[0], &runs[1]], n);
            let blocks: Vec<Range<usize>> =
                starts.iter().zip(&lengths).map(|(start, len)| *start..(start + len).min(n)).collect();
            for chosen in [vec![0], vec![1], vec![0, 1], vec![1, 1, 0]] {
                let mut all = Window::default();
                for run in &chosen {
                    blocks.iter().for_each(|block| runs[*run][block.clone()].iter().for_each(|w| all.add(w)));
                }
                for quantity in [Quantity::P50, Quantity::P95, Quantity::P99] {
                    let q = quantity.quantile().unwrap();
                    let wanted = all.latency.quantile(q).map(|ns| ns as f64);
                    let found = tables.figure(quantity, &chosen, &blocks).filter(|_| all.ended > 0);
                    prop_assert_eq!(found, wanted);
                }
                let share = (all.ended > 0).then(|| all.errors as f64 / all.ended as f64);
                prop_assert_eq!(tables.figure(Quantity::Errors, &chosen, &blocks), share);
            }
            prop_assert_eq!(tables.counts(0, n).0, runs[0][..n].iter().map(|w| w.ended).sum::<u64>());
        }
    }
}
