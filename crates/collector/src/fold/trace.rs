//! One trace under assembly.

use std::cmp::Ordering;

use foldhash::HashSet;
use peakdrill_bottleneck::{Filed, Sums};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_trace_model::{Span, SpanKind};

use super::class::Whose;
use super::sealed::Sealed;
use crate::counters::{Counters, counter};

/// New spans beyond those that are sorted before they are sorted in: keeps a trace that never ends bounded.
const UNTIDY_SPANS_MIN: usize = 1_024;

/// What is known of an open trace. Which spans it holds does not depend on the order in which they came.
#[derive(Debug)]
pub(super) struct Trace {
    spans: Vec<Span>,
    /// So many from the front are sorted and each there once.
    tidy: usize,
    /// How many ever came, those that came again included: what is sealed for want of room must not depend on
    /// when [`Self::tidy`] ran.
    pushed: usize,
    root: Option<RootRow>,
    whose: Whose,
    /// The start of the load under which the first `tidy` spans, the row and whose it is were added to the sums; none: they
    /// were not, or were taken back.
    filed: Option<i64>,
    marked: bool,
    on_cycle: u64,
    last_ns: i64,
    /// Numbers of the first and the last record in which something came for it.
    records: (u32, u32),
}

impl Trace {
    pub(super) fn new(last_ns: i64, record: u32) -> Self {
        Self {
            spans: Vec::new(),
            tidy: 0,
            pushed: 0,
            root: None,
            whose: Whose::default(),
            filed: None,
            marked: false,
            on_cycle: 0,
            last_ns,
            records: (record, record),
        }
    }

    /// One that is put together apart from the open ones.
    pub(super) fn of(whose: Whose) -> Self {
        Self { whose, ..Self::new(0, 0) }
    }

    pub(super) fn whose(&self) -> Whose {
        self.whose
    }

    pub(super) fn set_whose(&mut self, whose: Whose, sums: &mut Sums) {
        if self.whose != whose {
            self.take_back(sums);
            self.whose = whose;
        }
    }

    /// Marks it as changed; true when it was not marked before.
    pub(super) fn mark(&mut self) -> bool {
        !std::mem::replace(&mut self.marked, true)
    }

    pub(super) fn reach(&mut self, last_ns: i64, record: u32) {
        self.last_ns = self.last_ns.max(last_ns);
        self.records.1 = record;
    }

    /// What is remembered of it when it is sealed.
    pub(super) fn sealed(&self) -> Sealed {
        let spans = u32::try_from(self.pushed).unwrap_or(u32::MAX);
        let (first, last) = self.records;
        Sealed { filed: self.whose, whose: self.whose, first, last, spans, refused: false }
    }

    pub(super) fn last_ns(&self) -> i64 {
        self.last_ns
    }

    pub(super) fn pushed(&self) -> usize {
        self.pushed
    }

    pub(super) fn on_cycle(&self) -> u64 {
        self.on_cycle
    }

    pub(super) fn first_start_ns(&self) -> Option<i64> {
        self.spans.iter().map(|span| span.start_ns).min()
    }

    pub(super) fn push(&mut self, spans: &mut Vec<Span>) {
        self.pushed += spans.len();
        self.spans.append(spans);
    }

    pub(super) fn push_one(&mut self, span: Span) {
        self.pushed += 1;
        self.spans.push(span);
    }

    pub(super) fn is_untidy(&self) -> bool {
        self.spans.len() > 2 * self.tidy + UNTIDY_SPANS_MIN
    }

    /// Keeps one row, whatever their order; false when there was another.
    pub(super) fn take_root(&mut self, row: RootRow, sums: &mut Sums) -> bool {
        let first = self.root.is_none();
        if self.root.as_ref().is_none_or(|known| root_order(&row, known) == Ordering::Less) {
            self.take_back(sums);
            self.root = Some(row);
        }
        first
    }

    /// Sorts, keeps each span once and the smallest ids when there are too many.
    pub(super) fn tidy(&mut self, spans_max: usize, sums: &mut Sums, counters: &mut Counters) {
        let before = self.spans.len();
        if before > self.tidy {
            self.take_back(sums);
            sort_once(&mut self.spans);
            counters.add(counter::DUPLICATES, (before - self.spans.len()) as u64);
            let once = self.spans.len();
            self.spans.truncate(spans_max);
            counters.add(counter::OVER_TRACE_LIMIT, (once - self.spans.len()) as u64);
            self.tidy = self.spans.len();
        }
    }

    /// Adds what it is now to the sums, if that is not in them. [`Self::tidy`] comes before.
    pub(super) fn file(&mut self, origin_ns: i64, sums: &mut Sums) {
        self.marked = false;
        if self.filed.is_none() {
            self.was_filed(origin_ns);
            sums.add(&self.as_filed(origin_ns));
        }
    }

    /// Its spans, row and class are in the sums or the cells: an equal one was filed.
    pub(super) fn was_filed(&mut self, origin_ns: i64) {
        self.on_cycle = on_cycle(&self.spans);
        self.filed = Some(origin_ns);
    }

    /// Takes back what it added. Kept until now it would need more memory than its spans do.
    fn take_back(&mut self, sums: &mut Sums) {
        if let Some(origin_ns) = self.filed.take() {
            sums.take_back(&self.as_filed(origin_ns));
        }
    }

    fn as_filed(&self, origin_ns: i64) -> Filed<'_> {
        let spans = self.spans.get(..self.tidy).unwrap_or_default();
        let (class, tagged) = (self.whose.class(), self.whose.is_of_drill_alone());
        Filed { spans, root: self.root.as_ref(), class, tagged, origin_ns }
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = self.spans.clone();
        if spans.len() > self.tidy {
            sort_once(&mut spans);
        }
        spans
    }

    /// When its entry by this service and operation ended: a server's span with no parent in the trace.
    pub(super) fn entry_end_ns(&self, service: &str, op: &str) -> Option<i64> {
        let is_named =
            |span: &&Span| span.kind == SpanKind::Server && &*span.service == service && &*span.op == op;
        let mut named = self.spans.iter().filter(is_named).peekable();
        named.peek()?;
        let ids: HashSet<u64> = self.spans.iter().map(|span| span.id).collect();
        let is_entry = |span: &&Span| span.parent == span.id || !ids.contains(&span.parent);
        named.filter(is_entry).map(|span| span.end_ns).max()
    }
}

/// Service and kind belong to the identity: some instrumentations give both sides of a call one span id. Of
/// several with one identity the greatest stays.
fn sort_once(spans: &mut Vec<Span>) {
    let same = |a: &Span, b: &Span| a.id == b.id && a.kind == b.kind && a.service == b.service;
    let order = |a: &Span, b: &Span| {
        a.kind.cmp(&b.kind).then_with(|| a.service.cmp(&b.service)).then_with(|| b.cmp(a))
    };
    // A span is large: it is moved once.
    spans.sort_by_cached_key(|span| span.id);
    spans
        .chunk_by_mut(|a, b| a.id == b.id)
        .filter(|run| run.len() > 1)
        .for_each(|run| run.sort_unstable_by(order));
    spans.dedup_by(|later, kept| same(later, kept));
}

fn root_order(a: &RootRow, b: &RootRow) -> Ordering {
    let key = |row: &RootRow| {
        (row.intended_ns, row.sent_ns, row.done_ns, row.span, row.step, row.phase, row.status, row.error)
    };
    key(a).cmp(&key(b))
}

/// How many spans are on a cycle of parents, a span that is its own parent not counted. The spans are sorted.
fn on_cycle(spans: &[Span]) -> u64 {
    const NEW: u32 = u32::MAX;
    let parent_of = |at: usize| {
        let span = spans.get(at)?;
        let parent = spans.partition_point(|other| other.id < span.parent);
        let found = spans.get(parent).is_some_and(|other| other.id == span.parent);
        (found && span.parent != span.id).then_some(parent)
    };
    // Each walk has a number; meeting it again is a cycle, meeting an older one is known ground.
    let mut walk_of = vec![NEW; spans.len()];
    let mut count = 0;
    for start in 0..spans.len() {
        let walk = start as u32;
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| walk_of[*here] == NEW) {
            walk_of[here] = walk;
            at = parent_of(here);
        }
        let Some(meeting) = at.filter(|here| walk_of[*here] == walk) else { continue };
        count += 1;
        let mut here = parent_of(meeting);
        while let Some(next) = here.filter(|next| *next != meeting) {
            count += 1;
            here = parent_of(next);
        }
    }
    count
}
