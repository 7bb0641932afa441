//! The test of Mann and Whitney: which of two samples is the larger, whatever their distribution.

use peakdrill_drill_model::comparison::SecondOpinion;

use crate::tails::above;

/// Fewer values on a side than this hardly say anything: of four and four, the clearest order has a p of 1 in 70.
const FEW: usize = 8;

/// Whether the values of the run are larger than those of the baseline. One-sided, by the normal approximation with the
/// corrections for ties and for continuity.
pub(super) fn mann_whitney(run: &[f64], baseline: &[f64]) -> Option<SecondOpinion> {
    if run.len() < FEW || baseline.len() < FEW {
        return None;
    }
    let beats = |a: f64| -> f64 {
        let over = |b: &f64| if a > *b { 1.0 } else { f64::from(u8::from(a == *b)) / 2.0 };
        baseline.iter().map(over).sum()
    };
    let wins: f64 = run.iter().map(|a| beats(*a)).sum();
    let (n, m) = (run.len() as f64, baseline.len() as f64);
    let all = n + m;
    let mut values: Vec<f64> = run.iter().chain(baseline).copied().collect();
    values.sort_by(f64::total_cmp);
    let tied: f64 = values.chunk_by(|a, b| a == b).map(|same| same.len() as f64).map(|t| t * t * t - t).sum();
    let variance = n * m / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)));
    let p = if variance > 0.0 { above((wins - n * m / 2.0 - 0.5) / variance.sqrt()) } else { 1.0 };
    Some(SecondOpinion { worse: wins / (n * m), p })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_textbook_says() {
        // No pair is the other way round: U is 64 of 64. Its p is 1 in 12,870; the normal approximation, by hand, 4.7e-4.
        let values = |from: u32| (from..from + 8).map(f64::from).collect::<Vec<f64>>();
        let (high, low) = (values(9), values(1));
        let found = mann_whitney(&high, &low).unwrap();
        assert!(found.worse == 1.0 && (found.p - 4.70e-4).abs() < 5e-6, "{found:?}");
        let other = mann_whitney(&low, &high).unwrap();
        assert!(other.worse == 0.0 && other.p > 0.99, "{other:?}");
        let same = mann_whitney(&[1.0; 9], &[1.0; 9]).unwrap();
        assert_eq!((same.worse, same.p), (0.5, 1.0));
        assert_eq!(mann_whitney(&high, &low[..7]), None);
    }
}
