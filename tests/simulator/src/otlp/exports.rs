//! Which spans a service sends together, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_trace_model::Span;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::damage::Exporter;
use crate::trace::Trace;

/// One export: spans that an instance of a service sends in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// `service.name`.
    pub service: Arc<str>,
    /// `service.instance.id`.
    pub instance: Arc<str>,
    /// When it arrives, Unix nanoseconds.
    pub at_ns: i64,
    /// In the order in which they ended.
    pub spans: Vec<Span>,
}

/// The exports of all spans, by the time of their arrival. Each instance has a batch processor of its own, whose queue
/// never overflows here: [`Damage::Queue`](crate::Damage::Queue) is what takes spans away.
#[must_use]
pub fn exports(traces: &[Trace], exporter: Exporter) -> Vec<Export> {
    let exporter = Exporter { queue: usize::MAX, ..exporter };
    let mut instances: BTreeMap<(&Arc<str>, &Arc<str>), Vec<&Span>> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        instances.entry((&span.service, &span.instance)).or_default().push(span);
    }
    let mut out = Vec::new();
    for ((service, instance), mut spans) in instances {
        spans.sort_by_key(|span| (span.end_ns, span.trace, span.id));
        let ends: Vec<i64> = spans.iter().map(|span| span.end_ns).collect();
        out.extend(exporter.sends(&ends).sent.into_iter().map(|(at_ns, which)| Export {
            service: Arc::clone(service),
            instance: Arc::clone(instance),
            at_ns: at_ns.saturating_add(exporter.export_ms * 1_000_000),
            spans: which.into_iter().map(|at| spans[at].clone()).collect(),
        }));
    }
    by_arrival(&mut out);
    out
}

/// Every export takes up to so many milliseconds more on its way, each as long as it may be: they overtake each other.
pub fn late(exports: &mut [Export], up_to_ms: i64, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for export in exports.iter_mut() {
        let more_ns = (rng.random::<f64>() * (up_to_ms * 1_000_000) as f64) as i64;
        export.at_ns = export.at_ns.saturating_add(more_ns);
    }
    by_arrival(exports);
}

fn by_arrival(exports: &mut [Export]) {
    exports.sort_by(|a, b| (a.at_ns, &a.service, &a.instance).cmp(&(b.at_ns, &b.service, &b.instance)));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Damage, Kind, Scenario, Topology};

    fn run() -> Vec<Trace> {
        let mut traces = Scenario::new(Topology::Async, Kind::Single, 3).run().traces;
        traces.truncate(600);
        traces
    }

    fn ids(exports: &[Export]) -> Vec<(u128, u64)> {
        let mut ids: Vec<_> = exports.iter().flat_map(|e| &e.spans).map(|s| (s.trace, s.id)).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn every_span_is_sent_once_in_batches_that_are_not_too_large_nor_too_late() {
        let mut traces = run();
        Damage::Restarts(2).apply(&mut traces, &[], 1);
        let exporter = Exporter { batch: 64, ..Exporter::sdk() };
        let sent = exports(&traces, exporter);
        let mut all: Vec<_> = traces.iter().flat_map(|t| &t.spans).map(|s| (s.trace, s.id)).collect();
        all.sort_unstable();
        assert_eq!(ids(&sent), all);
        // What ends as an export begins waits for its end, the delay, and its own.
        let longest_ns = (exporter.delay_ms + 2 * exporter.export_ms) * 1_000_000;
        for export in &sent {
            assert!((1..=64).contains(&export.spans.len()));
            for span in &export.spans {
                assert_eq!((&span.service, &span.instance), (&export.service, &export.instance));
                assert!((0..=longest_ns).contains(&(export.at_ns - span.end_ns)), "{span:?}");
            }
        }
        assert!(sent.is_sorted_by_key(|export| export.at_ns));
        let instances: BTreeSet<_> = sent.iter().map(|e| &e.instance).collect();
        let services: BTreeSet<_> = sent.iter().map(|e| &e.service).collect();
        assert!(instances.len() > services.len() && services.len() > 2, "{instances:?}");
    }

    #[test]
    fn what_is_late_is_all_there_in_another_order() {
        let mut sent = exports(&run(), Exporter { batch: 64, ..Exporter::sdk() });
        let (before, first) = (ids(&sent), sent.clone());
        late(&mut sent, 60_000, 1);
        assert_eq!(ids(&sent), before);
        assert!(sent.is_sorted_by_key(|export| export.at_ns));
        let order = |exports: &[Export]| exports.iter().map(|e| e.spans[0].id).collect::<Vec<_>>();
        assert_ne!(order(&sent), order(&first));
    }
}
