//! Service times that vary a little and whose mean is exact.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// So many jobs in a row take exactly that many mean service times together.
pub(super) const BLOCK: usize = 64;
/// Standard deviation of the logarithm: a service time is seldom off by more than a half.
const SIGMA: f64 = 0.2;

/// Log-normal service times. Each block of [`BLOCK`] holds the same quantiles of the distribution in another
/// order, so that the mean is reached within any short stretch and not only in the long run.
#[derive(Debug)]
pub(super) struct ServiceTimes {
    block: Vec<u64>,
    next: usize,
    chance: ChaCha8Rng,
}

impl ServiceTimes {
    pub(super) fn new(mean_ns: u64, seed: u64) -> Self {
        let relative: Vec<f64> =
            (0..BLOCK).map(|i| (SIGMA * normal_quantile((i as f64 + 0.5) / BLOCK as f64)).exp()).collect();
        let scale = mean_ns as f64 * BLOCK as f64 / relative.iter().sum::<f64>();
        let mut block: Vec<u64> = relative.iter().map(|r| (r * scale) as u64).collect();
        let missing = (mean_ns * BLOCK as u64).saturating_sub(block.iter().sum());
        if let Some(last) = block.last_mut() {
            *last += missing;
        }
        Self { block, next: BLOCK, chance: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub(super) fn next_ns(&mut self) -> u64 {
        if self.next >= self.block.len() {
            self.block.shuffle(&mut self.chance);
            self.next = 0;
        }
        let time = self.block.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        time
    }
}

/// The standard normal's quantile, by bisection of its distribution function (Abramowitz and Stegun 26.2.17, off
/// by less than 1e-7).
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
        * series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, ServiceTimes, normal_quantile};

    #[test]
    fn quantiles_are_the_textbook_ones() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_964), (0.1, -1.281_552)] {
            assert!((normal_quantile(p) - z).abs() < 1e-5, "{p}");
        }
    }

    #[test]
    fn every_block_has_the_exact_mean_and_another_order() {
        let mut times = ServiceTimes::new(50_000_000, 3);
        let blocks: Vec<Vec<u64>> = (0..3).map(|_| (0..BLOCK).map(|_| times.next_ns()).collect()).collect();
        for block in &blocks {
            assert_eq!(block.iter().sum::<u64>(), 50_000_000 * BLOCK as u64);
        }
        assert_ne!(blocks[0], blocks[1]);
        let (min, max) = (blocks[0].iter().min().unwrap(), blocks[0].iter().max().unwrap());
        assert!(*min > 25_000_000 && *max < 100_000_000, "{min} {max}");
    }

    #[test]
    fn the_seed_decides() {
        let draw = |seed| {
            let mut times = ServiceTimes::new(1_000_000, seed);
            (0..100).map(|_| times.next_ns()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
