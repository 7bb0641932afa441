//! Tails of the normal distribution and of Student's.

/// The quantile of the normal distribution at 97.5 %.
pub(crate) const Z975: f64 = 1.959_964;

/// The part of the normal distribution above a value. By the approximation of `erfc` of Press et al., Numerical Recipes,
/// 2nd ed., 6.2: relative error below 1.2e-7, in the far tail as well.
pub(crate) fn above(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let terms = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let tail = 0.5 * t * (sum - x * x).exp();
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// The part of Student's distribution above a value, by Wallace's transformation to the normal (Annals of Mathematical
/// Statistics 30, 1959, 1124): within some percent of the tail from three degrees of freedom on.
pub(crate) fn student_above(t: f64, freedom: f64) -> f64 {
    let z = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * (freedom * (t * t / freedom).ln_1p()).sqrt();
    above(z.copysign(t))
}

/// The quantile of Student's distribution at 97.5 %, by the expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5):
/// within a percent from three degrees of freedom on. Exact for one and two, of which it has a closed form.
pub(crate) fn student_975(freedom: f64) -> f64 {
    const PART: f64 = 0.975;
    if freedom <= 1.0 {
        return (std::f64::consts::PI * (PART - 0.5)).tan();
    }
    if freedom <= 2.0 {
        return (2.0 * PART - 1.0) / (2.0 * PART * (1.0 - PART)).sqrt();
    }
    let z = Z975;
    let odd = |power: i32| z.powi(power);
    let first = (odd(3) + z) / 4.0;
    let second = (5.0 * odd(5) + 16.0 * odd(3) + 3.0 * z) / 96.0;
    let third = (3.0 * odd(7) + 19.0 * odd(5) + 17.0 * odd(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_tables() {
        for (z, tail) in
            [(0.0, 0.5), (1.0, 0.158_655), (1.959_964, 0.025), (-1.0, 0.841_345), (6.0, 9.865_88e-10)]
        {
            assert!((above(z) / tail - 1.0).abs() < 1e-5, "{z}: {}", above(z));
        }
        for (freedom, t) in [(1.0, 12.706), (2.0, 4.303)] {
            assert!((student_975(freedom) / t - 1.0).abs() < 1e-4, "{freedom}: {}", student_975(freedom));
        }
        for (freedom, t) in [(3.0, 3.182), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (60.0, 2.000)] {
            assert!((student_975(freedom) / t - 1.0).abs() < 0.01, "{freedom}: {}", student_975(freedom));
            assert!((student_above(t, freedom) / 0.025 - 1.0).abs() < 0.05, "{freedom}");
            assert!((student_above(-t, freedom) / 0.975 - 1.0).abs() < 0.01, "{freedom}");
        }
    }
}
