//! Chance as a function: every draw is computed from the seed, what it is for and an index, and from nothing else.
//! So a shard, an agent or a second run draws the same without being told.

/// What a draw is for. Draws for different purposes are independent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Which journey an arrival is.
    Mix,
    /// The row of a feeder.
    Feeder(u16),
    /// The order of a shuffled feeder.
    Shuffle(u16),
    /// A branch or a pause at a place in a journey.
    Node(u32),
    /// Half of a UUID.
    Uuid(u32),
    /// A drawn value of a journey.
    Hole(u32),
    /// The second draw at a place in a journey.
    Second(u32),
    /// How long a connection lives.
    Lifetime,
}

impl Purpose {
    fn code(self) -> u64 {
        match self {
            Self::Mix => 1 << 40,
            Self::Feeder(n) => 2 << 40 | u64::from(n),
            Self::Shuffle(n) => 3 << 40 | u64::from(n),
            Self::Node(n) => 4 << 40 | u64::from(n),
            Self::Uuid(n) => 5 << 40 | u64::from(n),
            Self::Second(n) => 6 << 40 | u64::from(n),
            Self::Hole(n) => 7 << 40 | u64::from(n),
            Self::Lifetime => 8 << 40,
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// A seed made of another one and a value.
pub(crate) fn chain(seed: u64, value: u64) -> u64 {
    mix(mix(seed) ^ value)
}

/// 64 random bits.
pub(crate) fn bits(seed: u64, purpose: Purpose, index: u64) -> u64 {
    mix(mix(mix(seed) ^ purpose.code()) ^ index)
}

/// The same for the turn of a loop: turn 0 draws as if there were no loop.
pub(crate) fn bits_in(seed: u64, purpose: Purpose, index: u64, turn: u32) -> u64 {
    let bits = bits(seed, purpose, index);
    if turn == 0 { bits } else { mix(bits ^ mix(u64::from(turn))) }
}

/// Uniform in 0..1, with 53 bits.
pub(crate) fn unit(seed: u64, purpose: Purpose, index: u64) -> f64 {
    to_unit(bits(seed, purpose, index))
}

/// 64 bits as a number in 0..1.
pub(crate) fn to_unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Uniform in 0..n (0 for an empty range), by the high half of a product.
pub(crate) fn below(seed: u64, purpose: Purpose, index: u64, n: u64) -> u64 {
    scale(bits(seed, purpose, index), n)
}

/// 64 bits as a number in 0..n.
pub(crate) fn scale(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

/// A standard normal draw from two uniform ones (Box and Muller, "A note on the generation of random normal deviates",
/// 1958).
pub(crate) fn normal(one: f64, two: f64) -> f64 {
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

/// The first place in ascending sums of weights that lies above a draw; the last one for rounding's sake.
pub(crate) fn pick(sums: &[f64], draw: f64) -> usize {
    let total = sums.last().copied().unwrap_or(0.0);
    sums.partition_point(|sum| *sum <= draw * total).min(sums.len().saturating_sub(1))
}

/// Running sums.
pub(crate) fn sums(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let add = |sum: &mut f64, weight: f64| {
        *sum += weight;
        Some(*sum)
    };
    weights.into_iter().scan(0.0, add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_purposes_independent() {
        let n = 100_000_u64;
        let mean = |purpose| (0..n).map(|i| unit(7, purpose, i)).sum::<f64>() / n as f64;
        assert!((mean(Purpose::Mix) - 0.5).abs() < 0.005);
        let both = (0..n).map(|i| (unit(7, Purpose::Mix, i) - 0.5) * (unit(7, Purpose::Feeder(1), i) - 0.5));
        assert!((both.sum::<f64>() / n as f64).abs() < 0.002, "no correlation");
        assert!((0..n).all(|i| below(1, Purpose::Mix, i, 10) < 10));
    }

    #[test]
    fn normal_draws_have_mean_zero_and_deviation_one() {
        let draw = |i| normal(unit(3, Purpose::Node(1), i), unit(3, Purpose::Second(1), i));
        let n = 100_000_u64;
        let mean = (0..n).map(draw).sum::<f64>() / n as f64;
        let square = (0..n).map(|i| draw(i).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.02, "{mean} {square}");
        assert!(normal(0.0, 0.3).is_finite() && normal(to_unit(u64::MAX), 0.3).is_finite());
    }

    #[test]
    fn turns_of_a_loop_draw_anew() {
        let at = |turn| bits_in(7, Purpose::Node(1), 5, turn);
        assert_eq!(at(0), bits(7, Purpose::Node(1), 5));
        let all: std::collections::BTreeSet<u64> = (0..1000).map(at).collect();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn weights_are_kept() {
        let sums = sums([1.0, 0.0, 3.0]);
        let hits = (0..100_000_u64).map(|i| pick(&sums, unit(1, Purpose::Mix, i)));
        let mut counts = [0_u32; 3];
        hits.for_each(|k| counts[k] += 1);
        assert_eq!(counts[1], 0);
        assert!((i64::from(counts[0]) - 25_000).abs() < 600, "{counts:?}");
        assert_eq!(pick(&sums, 1.0), 2);
    }
}
