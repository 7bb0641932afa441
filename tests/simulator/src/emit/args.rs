//! What is to be sent, and where.

use std::path::PathBuf;

use peakdrill_simulator::{Damage, Exporter, Kind, Names, Peers, Topology, Wording};

/// How it is called.
pub(crate) const HELP: &str = "\
usage: peakdrill-simulator          the page on how well the analysis tells the truth
       peakdrill-simulator --families NAME,NAME,…
                                    the same of these families alone: chain, diamond, shared-database, …
       peakdrill-simulator trial    the same over few seeds, to see that it is written
       peakdrill-simulator gates [trial]    its part on runs that are held against a baseline
       peakdrill-simulator otlp (--out FOLDER | --to URL) [OPTIONS]

otlp simulates one run, says what is planted in it, and sends its spans as services would: in the batches of
each instance, by the time of their export.

  --out FOLDER       OTLP JSON lines of the requests at light load and at the peak, for
                     peakdrill analyze --baseline FOLDER/light.jsonl FOLDER/peak.jsonl
  --to URL           OTLP over HTTP, as protocol buffers: http://127.0.0.1:4318
  --topology NAME    chain, diamond, shared-database, … (chain)
  --kind KIND        single, two, none: how many bottlenecks (single)
  --seed N           of it all (1)
  --names NAMES      new, old, both: which semantic conventions (new)
  --peers PEERS      addressed, named: how spans tell whom they call (addressed)
  --damage WHAT      loss=PART, twice=PART, sampled=PART, ids=PART, skew=MS, drift=PPM, queue=SPANS, restarts=TIMES,
                     silent=N, linked: what happens to the telemetry (nothing)
  --late SECONDS     exports take up to so long more, and overtake each other (0)
";

/// Longest that exports may take more, seconds.
const LATE_S_MAX: u32 = 3_600;

#[derive(Debug, PartialEq)]
pub(super) enum Target {
    Folder(PathBuf),
    Endpoint(String),
}

#[derive(Debug, PartialEq)]
pub(super) struct Args {
    pub(super) topology: Topology,
    pub(super) kind: Kind,
    pub(super) seed: u64,
    pub(super) wording: Wording,
    pub(super) damage: Damage,
    pub(super) late_ms: i64,
    pub(super) target: Target,
}

impl Args {
    pub(super) fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut target = None;
        let mut read = Self {
            topology: Topology::Chain,
            kind: Kind::Single,
            seed: 1,
            wording: Wording { names: Names::New, peers: Peers::Addressed },
            damage: Damage::Clean,
            late_ms: 0,
            target: Target::Endpoint(String::new()),
        };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            let known = match name.as_str() {
                "--out" | "--to" if target.is_some() => return Err("--out or --to, once".to_owned()),
                "--out" => some(&mut target, Some(Some(Target::Folder(value.clone().into())))),
                "--to" => some(&mut target, Some(Some(Target::Endpoint(value.clone())))),
                "--topology" => some(&mut read.topology, Topology::named(&value)),
                "--kind" => some(&mut read.kind, kind(&value)),
                "--seed" => some(&mut read.seed, value.parse().ok()),
                "--names" => some(&mut read.wording.names, names(&value)),
                "--peers" => some(&mut read.wording.peers, peers(&value)),
                "--damage" => some(&mut read.damage, damage(&value)),
                "--late" => some(&mut read.late_ms, late_ms(&value)),
                _ => return Err(format!("no option {name}")),
            };
            if !known {
                return Err(format!("{name} cannot be {value}"));
            }
        }
        read.target = target.ok_or("where to: --out FOLDER or --to URL")?;
        Ok(read)
    }
}

/// Sets it, if there is a value.
fn some<T>(place: &mut T, value: Option<T>) -> bool {
    let known = value.is_some();
    if let Some(value) = value {
        *place = value;
    }
    known
}

fn kind(text: &str) -> Option<Kind> {
    match text {
        "single" => Some(Kind::Single),
        "two" => Some(Kind::Two),
        "none" => Some(Kind::Control),
        _ => None,
    }
}

fn names(text: &str) -> Option<Names> {
    match text {
        "new" => Some(Names::New),
        "old" => Some(Names::Old),
        "both" => Some(Names::Both),
        _ => None,
    }
}

fn peers(text: &str) -> Option<Peers> {
    match text {
        "addressed" => Some(Peers::Addressed),
        "named" => Some(Peers::Named),
        _ => None,
    }
}

fn damage(text: &str) -> Option<Damage> {
    if text == "linked" {
        return Some(Damage::Linked);
    }
    let (name, value) = text.split_once('=')?;
    let part = value.parse::<f64>().ok().filter(|part| (0.0..=1.0).contains(part));
    let size = value.parse::<f64>().ok().filter(|size| size.is_finite() && *size >= 0.0);
    match name {
        "loss" => part.map(Damage::Loss),
        "twice" => part.map(Damage::Twice),
        "sampled" => part.map(Damage::Sampled),
        "ids" => part.map(Damage::Ids),
        "skew" => size.map(Damage::Skew),
        "drift" => size.map(Damage::Drift),
        "queue" => {
            value.parse().ok().filter(|spans| *spans > 0).map(|spans| Damage::Queue(Exporter::of(spans)))
        }
        "restarts" => value.parse().ok().map(Damage::Restarts),
        "silent" => value.parse().ok().map(Damage::Silent),
        _ => None,
    }
}

fn late_ms(text: &str) -> Option<i64> {
    let seconds: u32 = text.parse().ok()?;
    (seconds <= LATE_S_MAX).then_some(i64::from(seconds) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Args, String> {
        Args::read(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_said_counts_and_what_cannot_be_is_told() {
        let args =
            read("--to http://a:1 --topology frontends-backends --damage skew=100 --names old --late 60");
        let args = args.unwrap();
        assert_eq!((args.topology, args.damage), (Topology::Frontends, Damage::Skew(100.0)));
        assert_eq!((args.wording.names, args.wording.peers), (Names::Old, Peers::Addressed));
        assert_eq!((args.late_ms, args.target), (60_000, Target::Endpoint("http://a:1".to_owned())));
        for (text, why) in [
            ("", "where to: --out FOLDER or --to URL"),
            ("--out a --to b", "--out or --to, once"),
            ("--out", "--out needs a value"),
            ("--out a --late 9999999", "--late cannot be 9999999"),
            ("--out a --damage loss=2", "--damage cannot be loss=2"),
            ("--out a --damage queue=0", "--damage cannot be queue=0"),
            ("--out a --topology circle", "--topology cannot be circle"),
            ("--out a --sed 3", "no option --sed"),
        ] {
            assert_eq!(read(text), Err(why.to_owned()), "{text}");
        }
    }
}
