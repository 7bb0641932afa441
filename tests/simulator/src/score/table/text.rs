//! Markdown.

use super::Options;
use crate::topology::Topology;

/// Of the normal distribution, for 95 %.
const Z95: f64 = 1.96;

/// A line of a table.
pub(super) fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A part, in percent.
pub(super) fn of(part: usize, all: usize) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / all as f64)
}

/// The same with Wilson's 95 % interval.
pub(super) fn interval(part: usize, all: usize) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    let (low, high) = wilson(part, all);
    format!("{} ({:.1}–{:.1})", of(part, all), 100.0 * low, 100.0 * high)
}

fn wilson(part: usize, all: usize) -> (f64, f64) {
    let (n, p) = (all as f64, part as f64 / all as f64);
    let z2 = Z95 * Z95;
    let middle = p + z2 / (2.0 * n);
    let half = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

/// The page of some parts, with what falls short first.
pub(super) fn page(options: &Options, short: &[String], parts: &[String]) -> String {
    let seeds = |range: &std::ops::RangeInclusive<u64>| format!("{} to {}", range.start(), range.end());
    let head = format!(
        "# How well the analysis tells the truth\n\nWritten by `cargo xtask accuracy sim`; the same on every machine. Simulated systems \
         ([peakdrill-simulator](../../tests/simulator/README.md)) of sixteen families, each drawn from a seed: sizes, service times, \
         loads, slow nodes that do not limit, stalls, live users. Seeds {} with one bottleneck, {} with none and with two, {} for each \
         damage, {} where a part of the requests is traced.\n\n\
         Ten families are those that the analysis was developed with: tests hold it to thresholds on seeds below 1000 of seven of \
         them, and tables of all ten on seeds from 10001, 20001 and 30001 were looked at, the analysis changed after the first two. \
         Six were written when the analysis was done ({}), and what is drawn of them was decided by what is known of real systems. \
         In their first figures, on seeds from 40001, the planted node was named first in 90.8 % of 120 clean runs and in 90.0 % with \
         spans lost and clocks off: 100 % of mesh and events, 95 % of frontends and cells, 85 % of call trees, 70 % of kept \
         connections. That is what to expect of a kind of system that the analysis was not made with. The analysis was changed \
         after them (the decision record 002 says what), so that no family is held out now: seeds up to 40 of the six were \
         looked at, and none from {} of any. The limits that all are held to hold as well for the six by themselves. \
         Percentages in brackets are Wilson's 95 % intervals. The stations are ideal: real processors and clocks are not.\n",
        seeds(&options.single),
        seeds(&options.others),
        seeds(&options.damaged),
        seeds(&options.sampled),
        Topology::LATER.map(Topology::name).join(", "),
        options.single.start()
    );
    let mut out = head;
    if !short.is_empty() {
        out.push_str("\n## Falls short\n\n");
        short.iter().for_each(|line| out.push_str(&format!("- {line}\n")));
    }
    for part in parts {
        out.push('\n');
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        let (low, high) = wilson(95, 100);
        assert!((low - 0.8882).abs() < 1e-3 && (high - 0.9785).abs() < 1e-3, "{low} {high}");
        assert_eq!(wilson(10, 10).1, 1.0);
        assert_eq!(interval(0, 0), "–");
    }

    #[test]
    fn the_page_tells_of_what_falls_short() {
        let options = Options { single: 1..=2, others: 3..=4, damaged: 5..=6, sampled: 7..=8 };
        let whole = page(&options, &[], &["## Part\n".to_owned()]);
        assert!(!whole.contains("Falls short") && whole.ends_with("\n\n## Part\n"), "{whole}");
        let short = page(&options, &["named: 1.0 %".to_owned()], &["## Part\n".to_owned()]);
        assert!(short.ends_with("\n\n## Falls short\n\n- named: 1.0 %\n\n## Part\n"), "{short}");
    }
}
