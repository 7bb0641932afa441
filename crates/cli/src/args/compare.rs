//! A run beside those before it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Comparing.
#[derive(Args)]
#[command(before_help = "Examples:
  peakdrill compare drills/tuesday drills/monday
  peakdrill compare drills/new drills/old-1 drills/old-2 drills/old-3
  peakdrill compare drills/new drills/old --tolerance 10%
  peakdrill compare drills/new drills/old --format junit > compare.xml
  peakdrill compare drills/green drills/blue --mismatched   # the same drill at another address")]
pub(crate) struct Compare {
    /// The record of the run that is judged.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Records of runs of the same drill that it is held against. Three and more tell what differs from run to run.
    #[arg(value_name = "BASELINE", required = true)]
    pub(crate) baselines: Vec<PathBuf>,
    /// By how much a figure may be worse, as a part of what it was. A share of errors may rise by that or by 0.1 points,
    /// whichever is more.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    pub(crate) tolerance: f64,
    /// Compares although scenario, data, targets or machine are other ones; what differs is told.
    #[arg(long)]
    pub(crate) mismatched: bool,
    /// Form of the result.
    #[arg(long, value_enum, default_value_t = ComparisonFormat::Human)]
    pub(crate) format: ComparisonFormat,
}

/// Form of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ComparisonFormat {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// JUnit XML, a test case a figure.
    Junit,
    /// Markdown.
    #[value(alias = "md")]
    Markdown,
}

/// Highest tolerance: a figure that may be ten times what it was is not compared.
const PERCENT_MAX: f64 = 1_000.0;

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match number {
        Some(percent) if (0.0..=PERCENT_MAX).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("expected a percentage such as 5%, from 0% to {PERCENT_MAX}%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_percentage() {
        for (text, wanted) in [("5%", 0.05), ("0%", 0.0), ("2.5 %", 0.025), ("1000%", 10.0)] {
            assert_eq!(percent(text), Ok(wanted));
        }
        for text in ["5", "0.05", "-1%", "1001%", "NaN%", "%", "five%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
