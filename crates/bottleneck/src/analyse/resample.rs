//! Moving-block bootstrap over seconds: neighbours are alike, so whole blocks are drawn.

use std::ops::Range;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Longest block, in seconds.
const BLOCK_LIMIT_S: usize = 10;
/// A block is this part of the window, so that a short window still gives different samples.
const BLOCKS_PER_WINDOW: usize = 4;

/// Length of the blocks of a window of this many seconds.
pub(crate) fn block_of(len: usize) -> usize {
    (len / BLOCKS_PER_WINDOW).clamp(1, BLOCK_LIMIT_S)
}

/// Draws samples of a window's seconds, the same ones for the same seed.
pub(crate) struct Resample {
    rng: ChaCha8Rng,
}

impl Resample {
    /// `what` keeps the draws of different estimates apart.
    pub(crate) fn new(seed: u64, what: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed ^ what.wrapping_mul(0x9E37_79B9_7F4A_7C15)) }
    }

    /// Positions `0..len`, as many as there are, in drawn blocks.
    pub(crate) fn draw(&mut self, len: usize) -> Vec<usize> {
        self.blocks(len).into_iter().flatten().collect()
    }

    /// The drawn blocks themselves; the last one is cut so that they hold as many as there are.
    pub(crate) fn blocks(&mut self, len: usize) -> Vec<Range<usize>> {
        let block = block_of(len);
        let mut out = Vec::with_capacity(len.div_ceil(block));
        let mut left = len;
        while left > 0 {
            let start = self.below(len - block + 1);
            out.push(start..start + block.min(left));
            left = left.saturating_sub(block);
        }
        out
    }

    /// A number below this one, each as likely.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..=end.saturating_sub(1) as u64) as usize
    }

    /// As many of these (seconds, or what is known of each) as there are, in drawn blocks.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        self.draw(of.len()).into_iter().filter_map(|i| of.get(i).copied()).collect()
    }
}

/// The 95 % interval of resampled estimates; `None` of none.
pub(crate) fn interval(mut estimates: Vec<f64>) -> Option<(f64, f64)> {
    estimates.retain(|e| e.is_finite());
    estimates.sort_by(f64::total_cmp);
    let last = estimates.len().checked_sub(1)?;
    let at = |part: f64| estimates[(last as f64 * part).round() as usize];
    Some((at(0.025), at(0.975)))
}
