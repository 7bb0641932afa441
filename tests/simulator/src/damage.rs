//! What happens to telemetry on its way.

mod exporter;
mod shape;

use peakdrill_trace_model::{Span, SpanKind};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::trace::{ORIGIN_NS, Trace};
pub use exporter::Exporter;

/// Drift of a usual clock, as a part.
const SLOW_DRIFT: f64 = 50e-6;

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
    /// Clocks drift by up to so many parts in a million.
    Drift(f64),
    /// Every service exports so many spans a second at most; what is more is lost.
    Export(usize),
    /// Every service has a batch processor with a queue that overflows under load.
    Queue(Exporter),
    /// Services are asked for the spans of this part of the requests.
    Sampled(f64),
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
    /// In this part of the traces two spans are each other's parent.
    Cycles(f64),
    /// This part of the spans names itself as parent.
    OwnParents(f64),
    /// In this part of the calls the called side has the span id of the calling one.
    SharedIds(f64),
    /// Services are started anew so many times, and have another instance then.
    Restarts(u32),
    /// One trace has so many spans more, each below the one before.
    Deep(u64),
    /// Consumers of messages begin a trace of their own, with a link to the span that sent the message. None of the
    /// telemetry is lost: so many instrumentations do it.
    Linked,
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
            Self::Drift(ppm) => format!("clocks drift by up to {ppm} millionths"),
            Self::Export(spans) => format!("at most {spans} spans a second and service"),
            Self::Queue(exporter) => format!("span queues of {}", exporter.queue),
            Self::Sampled(part) => format!("{} % of the requests traced", part * 100.0),
            Self::Twice(part) => format!("{} % of the spans twice", part * 100.0),
            Self::NoRow(part) => format!("{} % of the roots missing", part * 100.0),
            Self::Silent(pick) => format!("a service silent, choice {}", pick + 1),
            Self::Milliseconds => "clocks of milliseconds".to_owned(),
            Self::Shuffled => "any order".to_owned(),
            Self::Ids(part) => format!("ids in {} % of the names", part * 100.0),
            Self::Cycles(part) => format!("parents in a circle in {} % of the traces", part * 100.0),
            Self::OwnParents(part) => format!("{} % of the spans their own parents", part * 100.0),
            Self::SharedIds(part) => format!("one span id for both sides of {} % of the calls", part * 100.0),
            Self::Restarts(times) => format!("services started anew {times} times"),
            Self::Deep(spans) => format!("a trace of {spans} spans"),
            Self::Linked => "consumers with traces of their own".to_owned(),
        }
    }

    /// The batch processor of the services: that of the damage, else the one that SDKs have.
    #[must_use]
    pub fn exporter(self) -> Exporter {
        if let Self::Queue(exporter) = self { exporter } else { Exporter::sdk() }
    }

    /// Damages the traces of a run. `spared`: services that do not fall silent.
    pub fn apply(self, traces: &mut Vec<Trace>, spared: &[&str], seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match self {
            Self::Clean => {}
            Self::Loss(part) => {
                each(traces, |spans| spans.retain(|_| rng.random::<f64>() >= part));
            }
            Self::Skew(ms) => skew(traces, ms, SLOW_DRIFT, &mut rng),
            Self::Drift(ppm) => skew(traces, 0.0, ppm * 1e-6, &mut rng),
            Self::LossAndSkew(ms) => {
                skew(traces, ms, SLOW_DRIFT, &mut rng);
                each(traces, |spans| spans.retain(|_| rng.random::<f64>() >= 0.05));
            }
            Self::Export(limit) => exporter::limited(traces, limit),
            Self::Queue(exporter) => exporter.apply(traces),
            Self::Sampled(part) => sampled(traces, part),
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
            Self::Ids(part) => shape::ids_in_names(traces, part, &mut rng),
            Self::Cycles(part) => shape::cycles(traces, part, &mut rng),
            Self::OwnParents(part) => each(traces, |spans| {
                spans
                    .iter_mut()
                    .filter(|_| rng.random::<f64>() < part)
                    .for_each(|span| span.parent = span.id);
            }),
            Self::SharedIds(part) => each(traces, |spans| shape::share_ids(spans, part, &mut rng)),
            Self::Restarts(times) => shape::restart(traces, times),
            Self::Deep(spans) => shape::deepen(traces, spans),
            Self::Linked => shape::link(traces),
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

fn skew(traces: &mut [Trace], ms: f64, drift_part: f64, rng: &mut ChaCha8Rng) {
    let offsets: std::collections::BTreeMap<_, _> = services(traces)
        .into_iter()
        .map(|name| (name, (2.0 * rng.random::<f64>() - 1.0, 2.0 * rng.random::<f64>() - 1.0)))
        .collect();
    each(traces, |spans| {
        for span in spans {
            let (offset, drift) = offsets.get(&span.service).copied().unwrap_or_default();
            let off = |t: i64| {
                t + (offset * ms * 1e6) as i64 + (drift * drift_part * (t - ORIGIN_NS) as f64) as i64
            };
            (span.start_ns, span.end_ns) = (off(span.start_ns), off(span.end_ns).max(off(span.start_ns)));
        }
    });
}

/// The generator asks for the spans of some requests, and says so in its rows. Live users' are all traced.
fn sampled(traces: &mut [Trace], part: f64) {
    let ppm = (part * 1e6).round() as u32;
    for trace in traces {
        let Some(row) = &mut trace.row else { continue };
        row.sampled = peakdrill_drill_model::plan::is_sampled(row.trace, ppm);
        if !row.sampled {
            trace.spans.clear();
        }
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
