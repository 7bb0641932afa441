//! The universal scalability law: how throughput follows the number of operations in progress.
//!
//! `X(N) = γN / (1 + σ(N−1) + κN(N−1))` (Gunther): σ is what all wait for in turn, κ what they have to agree on.

/// A law that was fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Throughput of one operation at a time, a second.
    pub gamma: f64,
    /// Contention.
    pub sigma: f64,
    /// Coherence.
    pub kappa: f64,
}

impl Usl {
    /// Throughput with so many in progress, a second.
    #[must_use]
    pub fn throughput(&self, n: f64) -> f64 {
        self.gamma * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    /// Where throughput is highest: operations in progress, and throughput a second. `None` where it only rises.
    #[must_use]
    pub fn peak(&self) -> Option<(f64, f64)> {
        let n = ((1.0 - self.sigma) / self.kappa).sqrt();
        (self.kappa > 0.0 && n.is_finite() && n >= 1.0).then(|| (n, self.throughput(n)))
    }

    /// Fits the law to points of operations in progress and throughput a second. With the throughput of one operation
    /// known, `y = N/C(N) − 1` is a sum of `σ(N−1)` and `κN(N−1)`, by least squares; else γ is fitted too, with each
    /// point's error taken as a part of its throughput. What would be negative is 0. `None` where the points do not
    /// determine it.
    #[must_use]
    pub fn fit(points: &[(f64, f64)], gamma: Option<f64>) -> Option<Self> {
        let known: Vec<(f64, f64)> =
            points.iter().copied().filter(|(n, x)| *n > 0.0 && *x > 0.0 && (n * x).is_finite()).collect();
        // Which of σ and κ are free: both, then one where the other came out negative.
        let tries = [(true, true), (true, false), (false, true), (false, false)];
        let fits = tries.iter().filter_map(|free| fit_free(&known, gamma, *free));
        fits.filter(|fit| fit.sigma >= 0.0 && fit.kappa >= 0.0)
            .map(|fit| (error(&known, gamma, &fit), fit))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, fit)| fit)
    }
}

/// What is minimised: squared residuals of the linear form.
fn error(points: &[(f64, f64)], gamma: Option<f64>, fit: &Usl) -> f64 {
    let residual = |(n, x): &(f64, f64)| {
        let wanted = 1.0 + fit.sigma * (n - 1.0) + fit.kappa * n * (n - 1.0);
        match gamma {
            Some(gamma) => gamma * n / x - wanted,
            None => 1.0 - x / n * wanted / fit.gamma,
        }
    };
    points.iter().map(|point| residual(point).powi(2)).sum()
}

fn fit_free(points: &[(f64, f64)], gamma: Option<f64>, (sigma, kappa): (bool, bool)) -> Option<Usl> {
    let rows = points.iter().map(|(n, x)| {
        let mut row: Vec<f64> = Vec::with_capacity(3);
        // With γ known: σ and κ against N/C − 1. Else 1/γ, σ/γ and κ/γ against N/X, weighted by X/N.
        let weight = if gamma.is_some() { 1.0 } else { x / n };
        row.extend(gamma.is_none().then_some(weight));
        row.extend(sigma.then_some((n - 1.0) * weight));
        row.extend(kappa.then_some(n * (n - 1.0) * weight));
        (row, gamma.map_or(1.0, |gamma| gamma * n / x - 1.0))
    });
    let solved = least_squares(&rows.collect::<Vec<_>>())?;
    let mut left = solved.into_iter();
    let scale = if gamma.is_some() { 1.0 } else { left.next()? };
    let mut next = |free: bool| if free { left.next().map(|value| value / scale) } else { Some(0.0) };
    let fit = Usl { sigma: next(sigma)?, kappa: next(kappa)?, gamma: gamma.unwrap_or(1.0 / scale) };
    (fit.gamma > 0.0 && fit.gamma.is_finite()).then_some(fit)
}

/// Solves the normal equations by elimination; `None` where they are singular.
fn least_squares(rows: &[(Vec<f64>, f64)]) -> Option<Vec<f64>> {
    let width = rows.first()?.0.len();
    if rows.len() < width {
        return None;
    }
    let mut matrix = vec![vec![0.0; width + 1]; width];
    for (row, y) in rows {
        for (i, line) in matrix.iter_mut().enumerate() {
            line.iter_mut().zip(row).for_each(|(sum, x)| *sum += row[i] * x);
            line[width] += row[i] * y;
        }
    }
    for i in 0..width {
        let pivot = matrix[i][i];
        if pivot.abs() < f64::MIN_POSITIVE {
            return None;
        }
        let line: Vec<f64> = matrix[i].iter().map(|x| x / pivot).collect();
        for (j, other) in matrix.iter_mut().enumerate() {
            let factor = if j == i { 0.0 } else { other[i] };
            other.iter_mut().zip(&line).for_each(|(x, y)| *x -= factor * y);
        }
        matrix[i] = line;
    }
    Some(matrix.into_iter().map(|line| line[width]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_is_reproduced() {
        // SPEC SDM91, as the R package `usl` prints it.
        let points = [
            (1.0, 64.9),
            (18.0, 995.9),
            (36.0, 1652.4),
            (72.0, 1853.2),
            (108.0, 1828.9),
            (144.0, 1775.0),
            (216.0, 1702.2),
        ];
        let fit = Usl::fit(&points, Some(64.9)).unwrap();
        assert!((fit.sigma - 0.017047).abs() < 1e-6, "{fit:?}");
        assert!((fit.kappa - 7.8925e-5).abs() < 1e-8, "{fit:?}");
        let (n, x) = fit.peak().unwrap();
        assert!((n - 111.6).abs() < 0.05 && (x - 1876.6).abs() < 0.05, "{n} {x}");
    }

    #[test]
    fn laws_are_found_again_from_points_that_are_off_by_a_little() {
        for i in 0..20_u32 {
            let truth = Usl {
                gamma: 10.0 + f64::from(i),
                sigma: 0.01 + 0.004 * f64::from(i),
                kappa: 1e-4 * f64::from(1 + i % 7),
            };
            let off = |n: u32| 1.0 + 5e-4 * (f64::from((n * 37 + i * 11) % 17) / 8.0 - 1.0);
            let points: Vec<(f64, f64)> =
                (1..=40).map(|n| (f64::from(2 * n), truth.throughput(f64::from(2 * n)) * off(n))).collect();
            let fit = Usl::fit(&points, None).unwrap();
            let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.05;
            assert!(close(fit.sigma, truth.sigma) && close(fit.kappa, truth.kappa), "{truth:?} {fit:?}");
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_not() {
        assert_eq!(Usl::fit(&[], None), None);
        assert_eq!(Usl::fit(&[(f64::NAN, 1.0), (0.0, 2.0)], None), None);
        // Throughput that grows faster than its operations has no contention.
        let fit = Usl::fit(&[(1.0, 10.0), (2.0, 21.0), (3.0, 33.0), (4.0, 46.0)], None).unwrap();
        assert_eq!((fit.sigma, fit.kappa, fit.peak()), (0.0, 0.0, None));
    }
}
