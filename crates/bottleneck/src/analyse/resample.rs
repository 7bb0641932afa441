//! Moving-block bootstrap over seconds: neighbours are alike, so whole blocks are drawn.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Longest block, in seconds.
const BLOCK_LIMIT_S: usize = 10;
/// A block is this part of the window, so that a short window still gives different samples.
pub(crate) const BLOCKS_PER_WINDOW: usize = 4;

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
        if len == 0 {
            return Vec::new();
        }
        let block = (len / BLOCKS_PER_WINDOW).clamp(1, BLOCK_LIMIT_S);
        let mut out = Vec::with_capacity(len + block);
        while out.len() < len {
            let start = self.rng.random_range(0..=(len - block) as u64) as usize;
            out.extend(start..start + block);
        }
        out.truncate(len);
        out
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
