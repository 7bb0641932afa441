//! The second reading: sealed traces of which something came late are put together again from all their records, what
//! they added when they were sealed is taken back, and what they are now is added. See the decision record 004.

use foldhash::HashMap;
use peakdrill_bottleneck::Sums;
use peakdrill_drill_model::frame::RootRow;
use peakdrill_trace_model::Span;

use super::Fold;
use super::ranges::Ranges;
use super::sealed::Late;
use super::trace::Trace;
use crate::counters::{Counters, counter};
use crate::otlp::Texts;
use crate::record::{Event, Record, RecordKind};

/// Traces of which something came late, on their way to being whole. It is to see the records that the fold saw, all of
/// them and in the same order.
#[derive(Debug)]
pub struct Amendment {
    traces: HashMap<u128, Gathered>,
    /// Records that may hold something of them, by number.
    wanted: Ranges,
    /// Number of the record that is read.
    record: u32,
    filing: Filing,
    texts: Texts,
}

/// How traces are filed, and what came of it.
#[derive(Debug)]
struct Filing {
    origin_ns: i64,
    spans_max: usize,
    sums: Sums,
    counters: Counters,
    /// Spans on cycles of parents, that came to it.
    cycles: i64,
}

#[derive(Debug)]
struct Gathered {
    late: Late,
    trace: Trace,
    /// It has been put together as it was when it was sealed: what comes now came late.
    is_late: bool,
}

impl Gathered {
    fn new(late: Late) -> Self {
        Self { late, trace: Trace::of(late.sealed.filed), is_late: false }
    }

    /// Whether what this record holds belongs to it: else it is of another trace of the same id, which was forgotten, or
    /// was turned away.
    fn has(&mut self, record: u32, filing: &mut Filing) -> bool {
        if record > self.late.sealed.last {
            self.end_sealed(filing);
        }
        (self.late.sealed.first..=self.late.until).contains(&record)
    }

    fn span(&mut self, span: Span, filing: &mut Filing) {
        self.trace.push_one(span);
        if self.trace.is_untidy() {
            self.tidy(filing);
        }
    }

    fn root(&mut self, row: RootRow, filing: &mut Filing) {
        let first = self.trace.take_root(row, &mut filing.sums);
        filing.counters.add(counter::ROOTS_DUPLICATED, u64::from(self.is_late && !first));
    }

    fn tidy(&mut self, filing: &mut Filing) {
        let mut counters = Counters::default();
        self.trace.tidy(filing.spans_max, &mut filing.sums, &mut counters);
        // What was set aside before it was sealed has been counted.
        if self.is_late {
            filing.counters.merge(&counters);
        }
    }

    /// It is what was filed when it was sealed.
    fn end_sealed(&mut self, filing: &mut Filing) {
        if !self.is_late {
            self.tidy(filing);
            self.is_late = true;
            self.trace.was_filed(filing.origin_ns);
            filing.cycles -= self.trace.on_cycle() as i64;
        }
    }

    /// It is whole: it takes the place of what was filed.
    fn end(mut self, filing: &mut Filing) {
        self.end_sealed(filing);
        self.trace.set_whose(self.late.sealed.whose, &mut filing.sums);
        self.tidy(filing);
        self.trace.file(filing.origin_ns, &mut filing.sums);
        filing.cycles += self.trace.on_cycle() as i64;
        filing.counters.add(counter::AMENDED, 1);
    }
}

impl Amendment {
    fn new(fold: &Fold, origin_ns: i64) -> Self {
        let (late, wanted) = fold.sealed.late();
        Self {
            wanted: wanted.clone(),
            traces: late.iter().map(|(id, late)| (*id, Gathered::new(*late))).collect(),
            record: 0,
            filing: Filing {
                origin_ns,
                spans_max: fold.limits.spans_per_trace_max,
                sums: Sums::default(),
                counters: Counters::default(),
                cycles: 0,
            },
            texts: Texts::default(),
        }
    }

    /// How many traces are to be whole, and how many records are to be decoded for them.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.traces.len(), self.wanted.count())
    }

    /// Takes the next record. What it says is decoded only where it is needed; what cannot be decoded changed nothing the
    /// first time either.
    pub fn record(&mut self, record: &Record) {
        let may_hold = matches!(record.kind, RecordKind::Traces(_) | RecordKind::Roots);
        if self.is_next_wanted() && may_hold {
            record.event(&mut self.texts).into_iter().for_each(|event| self.take(event));
        }
    }

    /// As [`Self::record`], of what never was a record: for tests.
    #[doc(hidden)]
    pub fn event(&mut self, event: &Event) {
        if self.is_next_wanted() {
            self.take(event.clone());
        }
    }

    /// Goes on to the next record; false when it holds nothing that is needed.
    fn is_next_wanted(&mut self) -> bool {
        self.record = self.record.saturating_add(1);
        self.wanted.contains(self.record)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Spans(decoded) => {
                for span in decoded.items {
                    self.with(span.trace, |gathered, filing| gathered.span(span, filing));
                }
            }
            Event::Roots(rows) => {
                // Others were filed alone.
                for row in rows.into_iter().filter(|row| row.sampled) {
                    self.with(row.trace, |gathered, filing| gathered.root(row, filing));
                }
            }
            Event::Metrics(_) | Event::Origin(_) => {}
        }
    }

    /// Gives the trace something of this record, if it is one that waits and the record holds a part of it.
    fn with(&mut self, id: u128, give: impl FnOnce(&mut Gathered, &mut Filing)) {
        if let Some(gathered) = self.traces.get_mut(&id)
            && gathered.has(self.record, &mut self.filing)
        {
            give(gathered, &mut self.filing);
        }
    }
}

impl Fold {
    /// Puts sealed traces together anew of which something came late, if there are any: the cells are then as if it had
    /// come in time. `read` hands every record that the fold saw to the amendment, in the same order. False when their
    /// number is not what it was: then nothing is changed. To be called once, at the end: these traces are forgotten.
    ///
    /// # Errors
    /// What `read` fails with; nothing is changed then.
    pub fn amend<E>(&mut self, read: impl FnOnce(&mut Amendment) -> Result<(), E>) -> Result<bool, E> {
        let Some(origin_ns) = self.origin_ns.filter(|_| !self.sealed.late().0.is_empty()) else {
            return Ok(true);
        };
        let mut amendment = Amendment::new(self, origin_ns);
        read(&mut amendment)?;
        let Amendment { traces, record, mut filing, .. } = amendment;
        if record != self.record {
            return Ok(false);
        }
        traces.into_values().for_each(|gathered| gathered.end(&mut filing));
        self.sealed.amended();
        self.sealed_on_cycle = self.sealed_on_cycle.saturating_add_signed(filing.cycles);
        self.counters.merge(&filing.counters);
        self.take_in();
        self.cells_version += u64::from(self.cells.take_in(&mut filing.sums));
        Ok(true)
    }
}
