//! How throughput follows the number of operations in progress: four laws, and which of them some points speak for.
//!
//! Errors are taken in the logarithm of throughput, so that every level of load counts alike. The law is chosen by
//! Akaike's criterion with the correction for few points; one with more parameters has to be better by [`BETTER`].

use serde::{Deserialize, Serialize};

use crate::usl::Usl;

/// Fewer points than this fit any law.
pub(crate) const FEW_POINTS: usize = 6;
/// By so much the criterion of a law with more parameters has to be smaller (Burnham and Anderson: within 2, both
/// are as good).
const BETTER: f64 = 2.0;
/// Errors below this part are not told apart: a measurement is no better.
const RESOLVED: f64 = 1e-4;
/// Ceilings that are tried, between the smallest and the largest number in progress.
const CEILINGS: usize = 60;
/// Numbers of servers that are tried.
pub(crate) const SERVERS: [i32; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 32];
/// Halvings of the load of servers: far below what a measurement resolves.
const HALVINGS: usize = 40;

/// A law of throughput (a second) over operations in progress.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "law")]
pub enum Law {
    /// In proportion: nothing is shared.
    Line {
        /// Throughput of each, a second.
        each_per_s: f64,
    },
    /// In proportion up to a ceiling, as with a limiter or a fixed number of connections.
    Ceiling {
        /// Throughput of each, a second.
        each_per_s: f64,
        /// The ceiling, a second.
        most_per_s: f64,
    },
    /// Towards what `m` servers with one queue can do: `N = mρ/(1 − ρ^m)`, the form of Sakasegawa and Bolch.
    Servers {
        /// The number of servers.
        servers: u32,
        /// What all of them can do, a second.
        most_per_s: f64,
    },
    /// The universal scalability law: a peak, and less beyond it.
    Usl {
        /// Throughput of one operation at a time, a second.
        gamma: f64,
        /// Contention.
        sigma: f64,
        /// Coherence.
        kappa: f64,
    },
}

impl Law {
    /// Throughput with so many in progress, a second.
    #[must_use]
    pub fn throughput(&self, n: f64) -> f64 {
        match *self {
            Self::Line { each_per_s } => each_per_s * n,
            Self::Ceiling { each_per_s, most_per_s } => (each_per_s * n).min(most_per_s),
            Self::Servers { servers, most_per_s } => most_per_s * load_of(n, servers.try_into().unwrap_or(1)),
            Self::Usl { gamma, sigma, kappa } => Usl { gamma, sigma, kappa }.throughput(n),
        }
    }

    /// Where throughput is highest: operations in progress, and throughput a second. Only the universal scalability
    /// law has such a place.
    #[must_use]
    pub fn peak(&self) -> Option<(f64, f64)> {
        match *self {
            Self::Usl { gamma, sigma, kappa } => Usl { gamma, sigma, kappa }.peak(),
            _ => None,
        }
    }

    /// Its parameters, with the variance of the errors.
    fn parameters(&self) -> f64 {
        match self {
            Self::Line { .. } => 2.0,
            Self::Ceiling { .. } | Self::Servers { .. } => 3.0,
            Self::Usl { .. } => 4.0,
        }
    }

    fn rest(&self, points: &[(f64, f64)]) -> f64 {
        points.iter().map(|(n, x)| (x.ln() - self.throughput(*n).ln()).powi(2)).sum()
    }

    /// The law that the points of operations in progress and throughput a second speak for. `None` of fewer than six
    /// points that are above zero.
    #[must_use]
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        let known: Vec<(f64, f64)> =
            points.iter().copied().filter(|(n, x)| *n > 0.0 && *x > 0.0 && (n * x).is_finite()).collect();
        if known.len() < FEW_POINTS {
            return None;
        }
        let laws = [Some(line(&known)), ceiling(&known), servers(&known), usl(&known)];
        let judged = laws.into_iter().flatten().filter_map(|law| {
            let least = known.len() as f64 * RESOLVED * RESOLVED;
            let by = aicc(law.rest(&known).max(least), known.len(), law.parameters());
            by.is_finite().then_some((by, law))
        });
        // In the order of their parameters: a later one has to be better.
        let better = |best: (f64, Self), next: (f64, Self)| {
            let margin = if next.1.parameters() > best.1.parameters() { BETTER } else { 0.0 };
            if next.0 < best.0 - margin { next } else { best }
        };
        judged.reduce(better).map(|(_, law)| law)
    }
}

/// Akaike's criterion with the correction for few points, of a sum of squares. Parameters include the variance.
pub(crate) fn aicc(rest: f64, points: usize, parameters: f64) -> f64 {
    let n = points as f64;
    n * (rest.max(f64::MIN_POSITIVE) / n).ln()
        + 2.0 * parameters
        + 2.0 * parameters * (parameters + 1.0) / (n - parameters - 1.0)
}

/// ρ with so many operations at `m` servers: where `N = mρ/(1 − ρ^m)`.
fn load_of(n: f64, m: i32) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let rho: f64 = f64::midpoint(low, high);
        if f64::from(m) * rho / (1.0 - rho.powi(m)) < n { low = rho } else { high = rho }
    }
    f64::midpoint(low, high)
}

/// The factor by which a shape comes closest to the points, in the logarithm.
fn scale(points: &[(f64, f64)], shape: impl Fn(f64) -> f64) -> f64 {
    (points.iter().map(|(n, x)| x.ln() - shape(*n).ln()).sum::<f64>() / points.len() as f64).exp()
}

fn line(points: &[(f64, f64)]) -> Law {
    Law::Line { each_per_s: scale(points, |n| n) }
}

fn best(points: &[(f64, f64)], laws: impl Iterator<Item = Law>) -> Option<Law> {
    laws.min_by(|a, b| a.rest(points).total_cmp(&b.rest(points)))
}

fn ceiling(points: &[(f64, f64)]) -> Option<Law> {
    let (least, most) = points.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), (n, _)| (a.min(*n), b.max(*n)));
    let step = (most / least).powf(1.0 / (CEILINGS - 1) as f64);
    let laws = (0..CEILINGS).map(|i| {
        let at = least * step.powi(i as i32);
        let most_per_s = scale(points, |n| (n / at).min(1.0));
        Law::Ceiling { each_per_s: most_per_s / at, most_per_s }
    });
    best(points, laws)
}

fn servers(points: &[(f64, f64)]) -> Option<Law> {
    let laws = SERVERS
        .into_iter()
        .map(|m| Law::Servers { servers: m.unsigned_abs(), most_per_s: scale(points, |n| load_of(n, m)) });
    best(points, laws)
}

/// Only with a peak: without one it says no more than the laws with fewer parameters.
fn usl(points: &[(f64, f64)]) -> Option<Law> {
    let fit = Usl::fit(points, None)?;
    fit.peak().map(|_| Law::Usl { gamma: fit.gamma, sigma: fit.sigma, kappa: fit.kappa })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Points of a law that are off by up to a part of themselves.
    fn points(law: Law, up_to: f64, off: &[f64]) -> Vec<(f64, f64)> {
        let at = |i: usize| up_to * (i + 1) as f64 / off.len() as f64;
        off.iter().enumerate().map(|(i, off)| (at(i), law.throughput(at(i)) * (1.0 + off))).collect()
    }

    fn off() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-0.005..0.005, 12)
    }

    proptest! {
        #[test]
        fn a_line_is_a_line(each_per_s in 1.0..1000.0, off in off()) {
            let found = Law::of(&points(Law::Line { each_per_s }, 20.0, &off)).unwrap();
            prop_assert!((found.throughput(10.0) / (each_per_s * 10.0) - 1.0).abs() < 0.02, "{found:?}");
            prop_assert!(found.peak().is_none_or(|(n, _)| n > 20.0), "{found:?}");
        }

        #[test]
        fn a_ceiling_is_found(each_per_s in 1.0..1000.0, part in 0.25..0.6, off in off()) {
            let most_per_s = each_per_s * 100.0 * part;
            let found = Law::of(&points(Law::Ceiling { each_per_s, most_per_s }, 100.0, &off)).unwrap();
            let Law::Ceiling { most_per_s: found, .. } = found else {
                return Err(TestCaseError::fail(format!("{found:?}")));
            };
            prop_assert!((found / most_per_s - 1.0).abs() < 0.02, "{found} {most_per_s}");
        }

        #[test]
        fn what_does_less_beyond_a_peak_is_told(
            gamma in 1.0..1000.0, sigma in 0.01..0.2, n in 20.0..60.0, off in off()
        ) {
            let law = Law::Usl { gamma, sigma, kappa: (1.0 - sigma) / (n * n) };
            let (_, most) = law.peak().unwrap();
            let found = Law::of(&points(law, 150.0, &off)).unwrap();
            let (at, found) = found.peak().ok_or_else(|| TestCaseError::fail(format!("{found:?}")))?;
            prop_assert!((at / n - 1.0).abs() < 0.1 && (found / most - 1.0).abs() < 0.02, "{at} {n} {found} {most}");
        }

        #[test]
        fn servers_have_no_peak(servers in 1_u32..5, most_per_s in 10.0..1000.0, off in off()) {
            let law = Law::Servers { servers, most_per_s };
            let found = Law::of(&points(law, f64::from(servers) * 8.0, &off)).unwrap();
            prop_assert!(found.peak().is_none(), "{found:?}");
        }
    }

    #[test]
    fn few_or_strange_points_are_no_law() {
        assert_eq!(Law::of(&[(1.0, 1.0); 5]), None);
        assert_eq!(
            Law::of(&[
                (f64::NAN, 1.0),
                (0.0, 1.0),
                (1.0, -1.0),
                (f64::INFINITY, 1.0),
                (1.0, 0.0),
                (2.0, 2.0)
            ]),
            None
        );
        // The same point over and over says nothing about a shape.
        assert!(matches!(Law::of(&[(2.0, 10.0); 8]), Some(Law::Line { .. })));
    }

    #[test]
    fn the_load_of_servers_is_that_of_the_formula() {
        for (rho, m) in [(0.1, 1), (0.5, 2), (0.9, 4), (0.99, 32)] {
            let n = f64::from(m) * rho / (1.0 - f64::powi(rho, m));
            assert!((load_of(n, m) - rho).abs() < 1e-9, "{rho} {m}");
        }
    }
}
