//! Exporters that cannot keep up.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::trace::Trace;

/// A batch span processor, as SDKs have it: spans that end wait in a queue, a full batch or the end of a delay sends some
/// of them, one export at a time; what ends while the queue is full is dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exporter {
    /// Spans that may wait (`OTEL_BSP_MAX_QUEUE_SIZE`).
    pub queue: usize,
    /// Spans of an export at most (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
    pub batch: usize,
    /// Time from one export to the next where no batch is full, milliseconds (`OTEL_BSP_SCHEDULE_DELAY`).
    pub delay_ms: i64,
    /// Time of an export, milliseconds.
    pub export_ms: i64,
}

impl Exporter {
    /// With a queue of so many spans, the SDKs' own parts of it, their delay of five seconds, and a slow receiver.
    #[must_use]
    pub fn of(queue: usize) -> Self {
        Self { queue, batch: (queue / 4).max(1), delay_ms: 5_000, export_ms: 1_000 }
    }

    pub(super) fn apply(self, traces: &mut [Trace]) {
        let mut lost = HashSet::new();
        for_each_service(traces, |ends| lost.extend(self.dropped(ends)));
        remove(traces, &lost);
    }

    /// That of the SDKs where nothing is set, with a receiver that answers soon.
    #[must_use]
    pub fn sdk() -> Self {
        Self { queue: 2_048, batch: 512, delay_ms: 5_000, export_ms: 10 }
    }

    /// Which of the spans of one service are dropped; by the time of their ends.
    fn dropped(self, ends: &[End]) -> Vec<(usize, u64)> {
        let at_ns: Vec<i64> = ends.iter().map(|end| end.at_ns).collect();
        self.sends(&at_ns).dropped.into_iter().map(|at| (ends[at].trace, ends[at].span)).collect()
    }

    /// What becomes of spans that end at these times, in their order.
    pub(crate) fn sends(self, ends_ns: &[i64]) -> Sends {
        let mut processor = Processor {
            exporter: self,
            waiting: VecDeque::new(),
            free_ns: i64::MIN,
            due_ns: ends_ns.first().map_or(0, |end_ns| end_ns + self.delay_ms * 1_000_000),
            sends: Sends::default(),
        };
        for (at, end_ns) in ends_ns.iter().enumerate() {
            while processor.send(ends_ns, *end_ns) {}
            if processor.waiting.len() < self.queue {
                processor.waiting.push_back(at);
            } else {
                processor.sends.dropped.push(at);
            }
        }
        while !processor.waiting.is_empty() && processor.send(ends_ns, i64::MAX) {}
        processor.sends
    }
}

/// What becomes of the spans of a batch processor, each by its position.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    /// Exports: when each begins, and its spans.
    pub(crate) sent: Vec<(i64, Vec<usize>)>,
    dropped: Vec<usize>,
}

/// A batch processor at work.
struct Processor {
    exporter: Exporter,
    waiting: VecDeque<usize>,
    /// When the export under way is over.
    free_ns: i64,
    /// When the next one is due at the latest.
    due_ns: i64,
    sends: Sends,
}

impl Processor {
    /// Makes the next export, if it begins by this time.
    fn send(&mut self, ends_ns: &[i64], until_ns: i64) -> bool {
        let Exporter { batch, delay_ms, export_ms, .. } = self.exporter;
        // A full batch goes as soon as the exporter is free, and what there is when the delay is over.
        let full_ns = self.waiting.get(batch - 1).and_then(|at| ends_ns.get(*at)).copied();
        let next_ns = full_ns.unwrap_or(self.due_ns).min(self.due_ns).max(self.free_ns);
        if next_ns > until_ns {
            return false;
        }
        let spans: Vec<usize> = self.waiting.drain(..batch.min(self.waiting.len())).collect();
        if !spans.is_empty() {
            self.sends.sent.push((next_ns, spans));
        }
        self.free_ns = next_ns + export_ms * 1_000_000;
        self.due_ns = self.free_ns + delay_ms * 1_000_000;
        true
    }
}

/// The end of a span.
struct End {
    at_ns: i64,
    trace: usize,
    span: u64,
}

/// The ends of the spans of each service, by time.
fn for_each_service(traces: &[Trace], mut see: impl FnMut(&[End])) {
    let mut all: Vec<(Arc<str>, End)> = Vec::new();
    for (at, trace) in traces.iter().enumerate() {
        let of = |s: &peakdrill_trace_model::Span| End { at_ns: s.end_ns, trace: at, span: s.id };
        all.extend(trace.spans.iter().map(|s| (Arc::clone(&s.service), of(s))));
    }
    all.sort_by(|(a, x), (b, y)| (a, x.at_ns, x.trace, x.span).cmp(&(b, y.at_ns, y.trace, y.span)));
    let mut ends: Vec<End> = Vec::new();
    let mut service: Option<Arc<str>> = None;
    for (name, end) in all {
        if service.as_ref() != Some(&name) {
            see(&ends);
            ends.clear();
            service = Some(name);
        }
        ends.push(end);
    }
    see(&ends);
}

fn remove(traces: &mut [Trace], lost: &HashSet<(usize, u64)>) {
    for (at, trace) in traces.iter_mut().enumerate() {
        trace.spans.retain(|s| !lost.contains(&(at, s.id)));
    }
}

/// What ends after the limit of its second is lost.
pub(super) fn limited(traces: &mut [Trace], limit: usize) {
    let mut lost = HashSet::new();
    for_each_service(traces, |ends| {
        for second in
            ends.chunk_by(|a, b| a.at_ns.div_euclid(1_000_000_000) == b.at_ns.div_euclid(1_000_000_000))
        {
            lost.extend(second.iter().skip(limit).map(|end| (end.trace, end.span)));
        }
    });
    remove(traces, &lost);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(per_s: i64, seconds: i64) -> Vec<End> {
        let at = |i: i64| End { at_ns: i * 1_000_000_000 / per_s, trace: 0, span: i.unsigned_abs() };
        (0..per_s * seconds).map(at).collect()
    }

    #[test]
    fn a_queue_drops_what_comes_faster_than_it_is_sent() {
        // 128 spans an export of one second.
        let exporter = Exporter::of(512);
        let lost = |per_s: i64| exporter.dropped(&ends(per_s, 60)).len();
        assert_eq!(lost(100), 0);
        assert_eq!(lost(127), 0);
        let (some, many) = (lost(200), lost(400));
        // What is sent and what still waits is all that is kept.
        assert!((60 * 200 - 61 * 128 - 512..=60 * 200 - 58 * 128 - 512).contains(&some), "{some}");
        assert!(many > 60 * 200, "{many}");
    }

    #[test]
    fn the_delay_sends_what_is_no_full_batch() {
        // One span a second: never a full batch, and never more than the delay's worth waits.
        let exporter = Exporter { queue: 8, batch: 8, delay_ms: 5_000, export_ms: 100 };
        assert!(exporter.dropped(&ends(1, 60)).is_empty());
        assert!(
            !Exporter { delay_ms: 20_000, batch: 8, queue: 4, ..exporter }.dropped(&ends(1, 60)).is_empty()
        );
    }
}
