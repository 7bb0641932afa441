//! The fold: records in, cells out. Pure: the same records in the same order give the same bytes, live and on
//! replay; and so they do in any order, as long as what comes after the seal finds room to wait for the second reading.

mod amend;
mod class;
mod ledger;
mod parts;
mod progress;
mod ranges;
mod sealed;
mod trace;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use peakdrill_bottleneck::{Cells, Filed, Sums, TraceClass};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::ledger::LedgerRow;
use peakdrill_trace_model::Span;

use crate::counters::{Counters, counter};
use crate::limits::Limits;
use crate::otlp::MetricPoint;
use crate::record::Event;
use crate::view::Folded;
pub use amend::Amendment;
use class::{Links, listed};
use ledger::LedgerTable;
use parts::{Folding, Parts};
use progress::Progress;
use sealed::SealedTraces;
use trace::Trace;

/// A live trace whose entry ended this long before the newest span is taken to be all there.
const SETTLED_NS: i64 = 2_000_000_000;

/// Where more traces than these changed since the last view, they are folded with the next one: the spans of most will
/// have come by then, and nothing is taken back.
const CHANGED_AT_ONCE_MAX: usize = 2_000;

/// Spans and rows that are filed for good before the sums are moved into the cells, also when nobody looks at the cells:
/// a long journal is folded in one go.
const FILED_MAX: usize = 50_000;

/// Traces under assembly, and the sums over them.
#[derive(Debug)]
pub struct Fold {
    limits: Limits,
    origin_ns: Option<i64>,
    cells: Cells,
    /// Goes up with every change of the cells.
    cells_version: u64,
    traces: Parts,
    /// Open traces by when they may be sealed; an entry may be earlier than the truth, never later.
    deadlines: BinaryHeap<Reverse<(i64, u128)>>,
    /// Of what services sent since the start of the load is known.
    progress: Progress,
    sealed: SealedTraces,
    /// Spans on cycles of parents, of sealed traces.
    sealed_on_cycle: u64,
    links: Links,
    /// Rows of requests that services were asked for no spans of, before the start of the load is known.
    unsampled: Vec<RootRow>,
    /// Spans that came for open traces.
    open_spans: usize,
    /// Spans and rows filed for good since the sums were last moved into the cells.
    filed: usize,
    /// Number of the newest record: from 1, and those that cannot be decoded count.
    record: u32,
    watermark_ns: i64,
    newest_end_ns: i64,
    last_recv_ns: i64,
    ledger: LedgerTable,
    counters: Counters,
}

impl Fold {
    /// An empty fold. It uses as many threads as there are cores, when much changed at once.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_threads(limits, None)
    }

    fn with_threads(limits: Limits, threads: Option<usize>) -> Self {
        Self {
            links: Links::new(limits.links_max),
            sealed: SealedTraces::new(&limits),
            cells: Cells::with_names(limits.names),
            limits,
            origin_ns: None,
            cells_version: 0,
            traces: Parts::new(threads),
            deadlines: BinaryHeap::new(),
            progress: Progress::default(),
            sealed_on_cycle: 0,
            unsampled: Vec::new(),
            open_spans: 0,
            filed: 0,
            record: 0,
            watermark_ns: i64::MIN,
            newest_end_ns: i64::MIN,
            last_recv_ns: i64::MIN,
            ledger: LedgerTable::default(),
            counters: Counters::default(),
        }
    }

    /// Passes over a record that cannot be decoded.
    pub fn pass_over(&mut self) {
        self.record = self.record.saturating_add(1);
    }

    /// Takes what a record says.
    pub fn event(&mut self, event: Event, recv_ns: i64, classes: &[(u128, TraceClass)]) {
        self.record = self.record.saturating_add(1);
        self.last_recv_ns = self.last_recv_ns.max(recv_ns);
        let is_telemetry = matches!(event, Event::Spans(_) | Event::Metrics(_));
        match event {
            Event::Spans(decoded) => {
                self.counters.add(counter::TRACE_REQUESTS, 1);
                self.counters.merge(&decoded.counters);
                self.spans(decoded.items, recv_ns, classes);
            }
            Event::Metrics(decoded) => {
                self.counters.add(counter::METRIC_REQUESTS, 1);
                self.counters.merge(&decoded.counters);
                decoded.items.into_iter().for_each(|point| self.metric(point, recv_ns));
            }
            Event::Roots(rows) => rows.into_iter().for_each(|row| self.root(row, recv_ns)),
            Event::Origin(origin_ns) => match self.origin_ns {
                Some(known) if known != origin_ns => self.counters.add(counter::ORIGIN_CHANGED, 1),
                _ => {
                    self.origin_ns = Some(origin_ns);
                    std::mem::take(&mut self.unsampled).into_iter().for_each(|row| self.unsampled(row));
                }
            },
        }
        if is_telemetry && self.origin_ns.is_some() {
            self.progress.take(recv_ns);
        }
        self.seal();
        if self.filed >= FILED_MAX {
            self.take_in();
        }
    }

    /// Brings the cells up to date with all that was taken. Before the start of the load is known, nothing is
    /// folded: seconds count from there.
    pub fn settle(&mut self) {
        self.traces.turn();
        self.fold_waiting();
        self.progress.all_folded();
    }

    /// As [`Self::settle`], but where much changed it is folded with the next call. True when something waits for that.
    pub fn refresh(&mut self) -> bool {
        if self.traces.changed() <= CHANGED_AT_ONCE_MAX {
            self.settle();
            return false;
        }
        self.fold_waiting();
        self.progress.left_folded();
        self.traces.turn();
        true
    }

    fn fold_waiting(&mut self) {
        if let Some(origin_ns) = self.origin_ns {
            let resources = &mut self.cells.resources;
            if !resources.is_empty() && resources.origin_ns != Some(origin_ns) {
                resources.origin_ns = Some(origin_ns);
                self.cells_version += 1;
            }
            let folding = Folding { origin_ns, spans_max: self.limits.spans_per_trace_max };
            self.traces.fold(folding, &mut self.counters);
        }
        self.take_in();
    }

    fn take_in(&mut self) {
        self.filed = 0;
        self.cells_version += u64::from(self.traces.take_in(&mut self.cells));
    }

    /// The cells as of the last [`Self::settle`], and what was sealed since as far as it is in them already.
    #[must_use]
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// A number that goes up whenever the cells change: equal numbers mean equal cells.
    #[must_use]
    pub fn cells_version(&self) -> u64 {
        self.cells_version
    }

    /// When each service's ledger was last received, Unix nanoseconds: hops send it also when nothing has changed.
    #[must_use]
    pub fn ledger_heard_ns(&self) -> BTreeMap<String, i64> {
        self.ledger.heard_ns()
    }

    /// The ledger: newest count of each series, summed over instances.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerRow> {
        self.ledger.rows()
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.add(counter::OPEN, self.traces.len() as u64);
        counters.add(counter::CYCLES, self.sealed_on_cycle + self.traces.on_cycle());
        counters.add(counter::LATE_WAITING, self.sealed.waiting());
        counters
    }

    /// Start of the load, Unix nanoseconds.
    #[must_use]
    pub fn origin_ns(&self) -> Option<i64> {
        self.origin_ns
    }

    /// Sets the start of the load to the earliest span, where none was given.
    pub fn origin_from_spans(&mut self) {
        if self.origin_ns.is_none() {
            self.origin_ns = self.traces.iter().filter_map(|(_, trace)| trace.first_start_ns()).min();
        }
    }

    /// Whether half of what may be open is.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.open_spans > self.limits.open_spans_max / 2
            || self.traces.len() > self.limits.open_traces_max / 2
    }

    /// End of the newest span, Unix nanoseconds.
    #[must_use]
    pub fn newest_end_ns(&self) -> Option<i64> {
        (self.newest_end_ns > i64::MIN).then_some(self.newest_end_ns)
    }

    /// When the newest record was received, Unix nanoseconds.
    #[must_use]
    pub fn last_recv_ns(&self) -> Option<i64> {
        (self.last_recv_ns > i64::MIN).then_some(self.last_recv_ns)
    }

    /// Of what services sent since the start of the load is known: what is in the cells, and what waits.
    #[must_use]
    pub fn folded(&self) -> Folded {
        self.progress.folded()
    }

    /// The spans of an open trace, each once, sorted by id.
    #[must_use]
    pub fn trace(&self, trace: u128) -> Vec<Span> {
        self.traces.get(trace).map(Trace::spans).unwrap_or_default()
    }

    /// The newest live trace that entered by this service and operation: of those that had time to become
    /// complete if there are any, else of all.
    #[must_use]
    pub fn recent_live(&self, service: &str, op: &str) -> Option<Vec<Span>> {
        let live = self.traces.iter().filter(|(_, trace)| trace.whose().class() == TraceClass::Live);
        let entries = live.filter_map(|(id, trace)| Some((trace.entry_end_ns(service, op)?, id)));
        let settled_ns = self.newest_end_ns.saturating_sub(SETTLED_NS);
        let newest = entries.max_by_key(|(end_ns, id)| (*end_ns <= settled_ns, *end_ns, *id));
        newest.map(|(_, id)| self.trace(id))
    }

    fn spans(&mut self, spans: Vec<Span>, recv_ns: i64, classes: &[(u128, TraceClass)]) {
        let mut order: Vec<(u128, usize)> = Vec::with_capacity(spans.len());
        for (at, span) in spans.iter().enumerate() {
            let end_ns = span.end_ns.min(recv_ns);
            self.watermark_ns = self.watermark_ns.max(end_ns);
            self.newest_end_ns = self.newest_end_ns.max(end_ns);
            order.push((span.trace, at));
        }
        order.sort_unstable();
        let mut spans: Vec<Option<Span>> = spans.into_iter().map(Some).collect();
        let mut of_trace: Vec<Span> = Vec::new();
        for group in order.chunk_by(|(a, _), (b, _)| a == b) {
            of_trace.extend(group.iter().filter_map(|(_, at)| spans.get_mut(*at)?.take()));
            if let Some((id, _)) = group.first() {
                self.spans_of(*id, &mut of_trace, recv_ns, classes);
            }
            of_trace.clear();
        }
    }

    fn metric(&mut self, point: MetricPoint, recv_ns: i64) {
        match point {
            MetricPoint::Ledger(point) => self.ledger.take(point, recv_ns, &mut self.counters),
            MetricPoint::Resource(point) => {
                let kept = self.cells.resources.put(point);
                self.cells_version += 1;
                self.counters.add(counter::RESOURCE_OVERFLOW, u64::from(!kept));
            }
        }
    }

    /// Takes spans of one trace; what is kept of them is taken out of the list.
    fn spans_of(&mut self, id: u128, spans: &mut Vec<Span>, recv_ns: i64, classes: &[(u128, TraceClass)]) {
        let is_linked = self.follow(id, spans, classes);
        if self.sealed.whose(id).is_some() {
            self.tag(id, listed(classes, id));
            if is_linked {
                self.link(id);
            }
            self.late(id, spans);
            return;
        }
        let last_ns = spans.iter().map(|span| span.end_ns.min(recv_ns)).max().unwrap_or(recv_ns);
        self.open_spans += spans.len();
        let spans_max = self.limits.spans_per_trace_max;
        let (trace, sums) = self.open(id, last_ns);
        trace.push(spans);
        if trace.is_untidy() {
            let mut counters = Counters::default();
            trace.tidy(spans_max, sums, &mut counters);
            self.counters.merge(&counters);
        }
        self.tag(id, listed(classes, id));
        if is_linked {
            self.link(id);
        }
    }

    fn root(&mut self, row: RootRow, recv_ns: i64) {
        self.counters.add(counter::ROOTS, 1);
        if !row.sampled {
            self.counters.add(counter::ROOTS_UNSAMPLED, 1);
            return self.unsampled(row);
        }
        let id = row.trace;
        if self.sealed.whose(id).is_some() {
            self.tag(id, TraceClass::Mine);
            self.late_root(&row);
            return;
        }
        let (trace, sums) = self.open(id, row.done_ns.min(recv_ns));
        if !trace.take_root(row, sums) {
            self.counters.add(counter::ROOTS_DUPLICATED, 1);
        }
        self.tag(id, TraceClass::Mine);
    }

    /// Files a row that no spans are to be expected of. It is never joined with any, whichever comes first, and opens no
    /// trace: at a high rate nearly all rows may be of this kind.
    fn unsampled(&mut self, row: RootRow) {
        match self.origin_ns {
            Some(origin_ns) => self.file_row(&row, origin_ns),
            None if self.unsampled.len() < self.limits.open_traces_max => self.unsampled.push(row),
            None => self.counters.add(counter::DROPPED_BEFORE_ORIGIN, 1),
        }
    }

    fn file_row(&mut self, row: &RootRow, origin_ns: i64) {
        self.filed += 1;
        let class = TraceClass::Mine;
        self.traces.sums().add(&Filed { spans: &[], root: Some(row), class, tagged: true, origin_ns });
    }

    /// The trace, opened if need be, and marked as changed. What came just now is as new as anything: a host whose
    /// clock is behind by more than the horizon would see its traces sealed as they arrive.
    fn open(&mut self, id: u128, last_ns: i64) -> (&mut Trace, &mut Sums) {
        let (last_ns, record) = (last_ns.max(self.watermark_ns), self.record);
        let (trace, sums) = self.traces.open(id, || {
            self.deadlines.push(Reverse((last_ns.saturating_add(self.limits.horizon_ns), id)));
            Trace::new(last_ns, record)
        });
        trace.reach(last_ns, record);
        (trace, sums)
    }

    /// Seals what nothing came for within the horizon, and the oldest while too much is open.
    fn seal(&mut self) {
        while let Some(Reverse((deadline_ns, id))) = self.deadlines.peek().copied() {
            let full = self.open_spans > self.limits.open_spans_max
                || self.traces.len() > self.limits.open_traces_max;
            // The end of time is never over, whatever a span says its end was.
            let due = deadline_ns <= self.watermark_ns && deadline_ns < i64::MAX;
            if !due && !full {
                break;
            }
            self.deadlines.pop();
            let Some(trace) = self.traces.get(id) else { continue };
            let truth_ns = trace.last_ns().saturating_add(self.limits.horizon_ns);
            if truth_ns > deadline_ns {
                self.deadlines.push(Reverse((truth_ns, id)));
                continue;
            }
            self.seal_one(id, if due { counter::SEALED } else { counter::SEALED_EARLY });
        }
    }

    fn seal_one(&mut self, id: u128, why: &'static str) {
        let Some((mut trace, sums)) = self.traces.remove(id) else { return };
        self.open_spans -= trace.pushed();
        let Some(origin_ns) = self.origin_ns else {
            self.counters.add(counter::DROPPED_BEFORE_ORIGIN, 1);
            return;
        };
        self.counters.add(why, 1);
        trace.tidy(self.limits.spans_per_trace_max, sums, &mut self.counters);
        trace.file(origin_ns, sums);
        self.filed += trace.pushed().max(1);
        self.sealed_on_cycle += trace.on_cycle();
        let has_forgotten = self.sealed.insert(id, trace.sealed());
        self.counters.add(counter::SEALED_FORGOTTEN, u64::from(has_forgotten));
    }

    /// Spans of a sealed trace wait for the second reading, where there is room; else they are added as the calls that
    /// they are.
    fn late(&mut self, id: u128, spans: &[Span]) {
        let count = spans.len() as u64;
        self.counters.add(counter::LATE, count);
        if self.sealed.wait(id, self.record, spans.len()) {
            return;
        }
        self.counters.add(counter::LATE_OVER_LIMIT, count);
        let class = self.class_of(id);
        if let Some(origin_ns) = self.origin_ns {
            self.filed += spans.len();
            self.traces.sums().add_late(&Filed { spans, root: None, class, tagged: false, origin_ns });
        }
    }

    /// As [`Self::late`], of a row.
    fn late_root(&mut self, row: &RootRow) {
        self.counters.add(counter::ROOTS_LATE, 1);
        if self.sealed.wait(row.trace, self.record, 1) {
            return;
        }
        self.counters.add(counter::ROOTS_LATE_OVER_LIMIT, 1);
        if let Some(origin_ns) = self.origin_ns {
            self.file_row(row, origin_ns);
        }
    }
}

#[cfg(test)]
mod tests;
