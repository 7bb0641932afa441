//! Where a drill listens, and where its own metrics go.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use peakdrill_collector::Limits;

use super::metrics_to::MetricsTo;

/// Where the drill listens.
#[derive(Args)]
pub(crate) struct Listen {
    /// OTLP over gRPC from the services.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317", help_heading = "Telemetry")]
    pub(crate) otlp_grpc: SocketAddr,
    /// OTLP over HTTP from the services.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318", help_heading = "Telemetry")]
    pub(crate) otlp_http: SocketAddr,
    /// Receives no telemetry: no bottleneck is named.
    #[arg(long, help_heading = "Telemetry")]
    pub(crate) no_collector: bool,
    /// The most that is written of the telemetry: when it is full, more is refused for good. A gibibyte of the disk is left
    /// free in any case.
    #[arg(
        long,
        value_name = "SIZE",
        default_value_t = Size(Limits::default().journal_bytes_max),
        conflicts_with = "no_collector",
        help_heading = "Telemetry"
    )]
    pub(crate) journal_max: Size,
    /// Serves the drill's own metrics for Prometheus: `http://ADDRESS/metrics`.
    #[arg(long, value_name = "ADDRESS", help_heading = "Telemetry")]
    pub(crate) metrics: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) metrics_to: MetricsTo,
    /// The table of runs, read by hops.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878", help_heading = "Safety")]
    pub(crate) registry: SocketAddr,
    /// Keeps the runs of earlier drills, so that their late messages are recognised.
    #[arg(long, value_name = "FILE", default_value = "drills/runs.json", help_heading = "Safety")]
    pub(crate) runs_file: PathBuf,
}

/// Less cannot hold what a service sends in a second.
const SIZE_MIN: u64 = 1 << 20;
const UNITS: [(&str, u64); 8] = [
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A size in bytes, said with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (digits, unit) = (text[..end].replace('_', ""), text[end..].trim());
        let found = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, unit) = found.ok_or("a size has a unit: MB, GB, TB, MiB, GiB or TiB, as in `64GiB`")?;
        let number: u64 = digits.parse().map_err(|_| "a size is a whole number with a unit: `64GiB`")?;
        let bytes = number.checked_mul(*unit).ok_or("this is larger than any disk")?;
        if bytes < SIZE_MIN { Err("it must be 1MiB at least".to_owned()) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Size {
    /// In the largest unit of which it is a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().filter(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match whole.max_by_key(|(_, unit)| *unit) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_journal_without_a_collector_is_refused() {
        let parsed = |more: &[&str]| {
            let all = ["peakdrill", "run", "drill.yaml", "--no-collector"].iter().chain(more);
            Cli::try_parse_from(all).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(parsed(&[]), Ok(()));
        let said = parsed(&["--journal-max", "1GiB"]).unwrap_err();
        assert!(said.contains("--journal-max") && said.contains("--no-collector"), "{said}");
    }

    #[test]
    fn sizes_have_a_unit_and_are_not_nothing() {
        let size = |text: &str| text.parse::<Size>();
        assert_eq!(size("64GiB"), Ok(Size(64 << 30)));
        assert_eq!(size("1_500 mb"), Ok(Size(1_500_000_000)));
        for bad in ["", "0", "0GiB", "none", "GiB", "64", "1KiB", "1.5GiB", "-1GiB", "99999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_said_as_they_are_read() {
        for text in ["16GiB", "1500MB", "1TiB", "1025MiB", "3TB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!(Size((1 << 20) + 1).to_string(), "1048577 B");
    }
}
