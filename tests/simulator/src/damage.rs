//! What happens to telemetry on its way.

use peakdrill_trace_model::{Span, SpanKind};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::trace::{ORIGIN_NS, Trace};

/// One kind of damage, with its strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    /// None.
    Clean,
    /// This part of the spans is lost.
    Loss(f64),
    /// Clocks are off by up to so many milliseconds, and drift by 50 parts in a million.
    Skew(f64),
    /// 5 % are lost and clocks are off by up to so many milliseconds.
    LossAndSkew(f64),
    /// Every service exports so many spans a second at most; what is more is lost.
    Export(usize),
    /// This part of the spans comes twice.
    Twice(f64),
    /// This part of the generator's rows is missing.
    NoRow(f64),
    /// One service, of those without which the planted node can be known, sends nothing.
    Silent(u64),
    /// Clocks count whole milliseconds.
    Milliseconds,
    /// Spans come in any order.
    Shuffled,
    /// This part of the names carries an id.
    Ids(f64),
}

impl Damage {
    /// In words.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Clean => "clean".to_owned(),
            Self::Loss(part) => format!("{} % of the spans lost", part * 100.0),
            Self::Skew(ms) => format!("clocks off by up to {ms} ms"),
            Self::LossAndSkew(ms) => format!("5 % lost, clocks off by up to {ms} ms"),
            Self::Export(spans) => format!("at most {spans} spans a second and service"),
            Self::Twice(part) => format!("{} % of the spans twice", part * 100.0),
            Self::NoRow(part) => format!("{} % of the roots missing", part * 100.0),
            Self::Silent(pick) => format!("a service silent, choice {}", pick + 1),
            Self::Milliseconds => "clocks of milliseconds".to_owned(),
            Self::Shuffled => "any order".to_owned(),
            Self::Ids(part) => format!("ids in {} % of the names", part * 100.0),
        }
    }

    /// Damages the traces of a run. `spared`: services that do not fall silent.
    pub fn apply(self, traces: &mut [Trace], spared: &[&str], seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match self {
            Self::Clean => {}
            Self::Loss(part) => {
                each(traces, |spans| spans.retain(|_| rng.random::<f64>() >= part));
            }
            Self::Skew(ms) => skew(traces, ms, &mut rng),
            Self::LossAndSkew(ms) => {
                skew(traces, ms, &mut rng);
                each(traces, |spans| spans.retain(|_| rng.random::<f64>() >= 0.05));
            }
            Self::Export(limit) => export(traces, limit),
            Self::Twice(part) => each(traces, |spans| {
                let twice: Vec<Span> = spans.iter().filter(|_| rng.random::<f64>() < part).cloned().collect();
                spans.extend(twice);
            }),
            Self::NoRow(part) => {
                for trace in traces.iter_mut().filter(|t| t.row.is_some()) {
                    if rng.random::<f64>() < part {
                        trace.row = None;
                    }
                }
            }
            Self::Silent(pick) => silence(traces, spared, pick),
            Self::Milliseconds => each(traces, |spans| {
                for span in spans {
                    span.start_ns -= span.start_ns % 1_000_000;
                    span.end_ns -= span.end_ns % 1_000_000;
                }
            }),
            Self::Shuffled => {
                traces.shuffle(&mut rng);
                each(traces, |spans| spans.shuffle(&mut rng));
            }
            Self::Ids(part) => each(traces, |spans| {
                for span in spans {
                    if rng.random::<f64>() < part {
                        span.op = format!("{} {:032x}", span.op, rng.random::<u128>()).into();
                    }
                }
            }),
        }
    }
}

fn each(traces: &mut [Trace], mut change: impl FnMut(&mut Vec<Span>)) {
    traces.iter_mut().for_each(|trace| change(&mut trace.spans));
}

/// Services of a run, sorted.
fn services(traces: &[Trace]) -> Vec<std::sync::Arc<str>> {
    let all = traces.iter().flat_map(|t| &t.spans).map(|s| &s.service);
    let names: std::collections::BTreeSet<_> = all.collect();
    names.into_iter().cloned().collect()
}

fn skew(traces: &mut [Trace], ms: f64, rng: &mut ChaCha8Rng) {
    let offsets: std::collections::BTreeMap<_, _> = services(traces)
        .into_iter()
        .map(|name| (name, (2.0 * rng.random::<f64>() - 1.0, 2.0 * rng.random::<f64>() - 1.0)))
        .collect();
    each(traces, |spans| {
        for span in spans {
            let (offset, drift) = offsets.get(&span.service).copied().unwrap_or_default();
            let off =
                |t: i64| t + (offset * ms * 1e6) as i64 + (drift * 50e-6 * (t - ORIGIN_NS) as f64) as i64;
            (span.start_ns, span.end_ns) = (off(span.start_ns), off(span.end_ns).max(off(span.start_ns)));
        }
    });
}

/// The queue of an exporter that overflows: what ends after the limit of its second is lost.
fn export(traces: &mut [Trace], limit: usize) {
    let mut ends: Vec<(std::sync::Arc<str>, i64, usize, u64)> = Vec::new();
    for (at, trace) in traces.iter().enumerate() {
        ends.extend(trace.spans.iter().map(|s| (s.service.clone(), s.end_ns, at, s.id)));
    }
    ends.sort_unstable();
    let mut lost = std::collections::HashSet::new();
    let mut count = 0;
    let mut bucket = None;
    for (service, end, at, id) in &ends {
        let here = Some((service.clone(), end.div_euclid(1_000_000_000)));
        count = if bucket == here { count + 1 } else { 1 };
        bucket = here;
        if count > limit {
            lost.insert((*at, *id));
        }
    }
    for (at, trace) in traces.iter_mut().enumerate() {
        trace.spans.retain(|s| !lost.contains(&(at, s.id)));
    }
}

fn silence(traces: &mut [Trace], spared: &[&str], pick: u64) {
    let first = |t: &Trace| t.spans.first().map(|s| s.service.clone());
    let entries: std::collections::BTreeSet<_> = traces.iter().filter_map(first).collect();
    let names: Vec<_> = services(traces)
        .into_iter()
        .filter(|name| !spared.contains(&&**name) && !entries.contains(name))
        .collect();
    let Some(silent) =
        usize::try_from(pick).ok().and_then(|pick| names.get(pick % names.len().max(1)).cloned())
    else {
        return;
    };
    each(traces, |spans| spans.retain(|s| s.service != silent || s.kind == SpanKind::Internal));
}
