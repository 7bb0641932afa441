//! Whose traces are, and which follow which: a consumer often starts a new trace with a link to the producer's.

use std::collections::BTreeSet;

use foldhash::HashSet;
use peakdrill_bottleneck::TraceClass;
use peakdrill_trace_model::Span;

use super::Fold;
use super::trace::Trace;
use crate::counters::counter;
use crate::limits::LINKS_PER_SPAN_MAX;

/// Whose a trace is, how that is known, and whether it links to others: in one byte, since it is remembered of millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whose(u8);

impl Whose {
    const CLASS: u8 = 0b0011;
    const TAGGED: u8 = 0b0100;
    const LINKED: u8 = 0b1000;

    pub(super) fn class(self) -> TraceClass {
        match self.0 & Self::CLASS {
            0 => TraceClass::Live,
            1 => TraceClass::OtherRun,
            _ => TraceClass::Mine,
        }
    }

    fn with_class(self, class: TraceClass) -> Self {
        let class = match class {
            TraceClass::Live => 0,
            TraceClass::OtherRun => 1,
            TraceClass::Mine => 2,
        };
        Self(self.0 & !Self::CLASS | class)
    }

    /// Its own id or its row says that it is of this drill: it is not so by a link alone.
    fn tagged(self) -> Self {
        Self(self.0 | Self::TAGGED)
    }

    fn is_tagged(self) -> bool {
        self.0 & Self::TAGGED != 0
    }

    /// A span of it, kept or not, links to another trace, or may have.
    fn linked(self) -> Self {
        Self(self.0 | Self::LINKED)
    }

    /// Whether its work is about nobody but the drill's own users, so that its keys may be counted.
    pub(super) fn is_of_drill_alone(self) -> bool {
        self.class() == TraceClass::Mine && self.is_tagged() && self.0 & Self::LINKED == 0
    }
}

impl Default for Whose {
    fn default() -> Self {
        Self(0).with_class(TraceClass::Live)
    }
}

/// Links of traces whose class may still rise.
#[derive(Debug)]
pub(super) struct Links {
    /// Linked trace and follower: a trace may have very many followers, and they lie together.
    known: BTreeSet<(u128, u128)>,
    max: usize,
}

impl Links {
    pub(super) fn new(max: usize) -> Self {
        Self { known: BTreeSet::new(), max }
    }

    /// Notes a link; false when too many are held.
    pub(super) fn add(&mut self, linked: u128, follower: u128) -> bool {
        let link = (linked, follower);
        if self.known.len() >= self.max && !self.known.contains(&link) {
            return false;
        }
        self.known.insert(link);
        true
    }

    pub(super) fn followers(&self, linked: u128) -> impl Iterator<Item = u128> + use<'_> {
        self.known.range((linked, 0)..=(linked, u128::MAX)).map(|(_, follower)| *follower)
    }
}

impl Fold {
    /// Notes the links of new spans: the trace takes the class of what it links to, now or when that is known. True when
    /// there are any to other traces, or may be: of so many only the first were decoded.
    pub(super) fn follow(&mut self, id: u128, spans: &[Span], classes: &[(u128, TraceClass)]) -> bool {
        for link in spans.iter().flat_map(|span| &span.links).filter(|link| link.trace != id) {
            let class = self.class_of(link.trace).min(listed(classes, link.trace));
            if class > TraceClass::Mine && !self.links.add(link.trace, id) {
                self.counters.add(counter::LINKS_OVER_LIMIT, 1);
            }
            if class < TraceClass::Live {
                let now = spans.iter().map(|span| span.end_ns).max().unwrap_or(self.watermark_ns);
                if self.sealed.whose(id).is_none() {
                    self.open(id, now.min(self.watermark_ns));
                }
                self.raise(id, class);
            }
        }
        let links = |span: &Span| {
            span.links.len() >= LINKS_PER_SPAN_MAX || span.links.iter().any(|link| link.trace != id)
        };
        spans.iter().any(links)
    }

    /// Notes that a trace links to others: what it is about may be somebody else's.
    pub(super) fn link(&mut self, id: u128) {
        let (known, linked) = (self.whose(id), self.whose(id).linked());
        if known == linked {
            return;
        }
        // Of a sealed trace without counted keys nothing has to be taken back.
        if known.is_of_drill_alone() || !self.sealed.note(id, linked) {
            self.set_whose(id, linked);
        }
    }

    fn whose(&self, id: u128) -> Whose {
        let open = self.traces.get(id).map(Trace::whose);
        open.or_else(|| self.sealed.whose(id)).unwrap_or_default()
    }

    pub(super) fn class_of(&self, id: u128) -> TraceClass {
        self.whose(id).class()
    }

    /// Raises the class of a trace to what its own id says, or its row.
    pub(super) fn tag(&mut self, id: u128, class: TraceClass) {
        // Of most traces, in every record of them: nothing is lower.
        if class == TraceClass::Live {
            return;
        }
        let (known, is_tag) = (self.whose(id), class == TraceClass::Mine);
        if known.class() == class && is_tag && !known.is_tagged() {
            self.set_whose(id, known.tagged());
        }
        self.raise_to(id, class, is_tag);
    }

    /// True when the trace is known.
    fn set_whose(&mut self, id: u128, whose: Whose) -> bool {
        if let Some((trace, sums)) = self.traces.change(id) {
            trace.set_whose(whose, sums);
        } else if let Some(known) = self.sealed.whose(id) {
            let is_in_time = self.sealed.set_whose(id, whose) || known.class() == whose.class();
            self.counters.add(counter::CLASSES_LATE_OVER_LIMIT, u64::from(!is_in_time));
        } else {
            return false;
        }
        true
    }

    /// Raises the class of a trace, and of all that follow it: mine before another run's before live.
    pub(super) fn raise(&mut self, id: u128, class: TraceClass) {
        self.raise_to(id, class, false);
    }

    /// `is_tag`: of the first it is its own id or its row that says so.
    fn raise_to(&mut self, first: u128, class: TraceClass, is_tag: bool) {
        if class == TraceClass::Live || self.class_of(first) <= class {
            return;
        }
        let mut work = vec![first];
        // Of traces that are forgotten nobody knows whether their class was raised: each is gone over once.
        let mut forgotten: HashSet<u128> = HashSet::default();
        while let Some(id) = work.pop() {
            let whose = self.whose(id);
            if whose.class() <= class {
                continue;
            }
            let raised = whose.with_class(class);
            let raised = if is_tag && id == first { raised.tagged() } else { raised };
            if !self.set_whose(id, raised) && !forgotten.insert(id) {
                continue;
            }
            work.extend(self.links.followers(id));
        }
    }
}

/// The class of a trace by what a record says of it.
pub(super) fn listed(classes: &[(u128, TraceClass)], id: u128) -> TraceClass {
    let found = classes.binary_search_by_key(&id, |(listed, _)| *listed);
    found.ok().and_then(|at| classes.get(at)).map_or(TraceClass::Live, |(_, class)| *class)
}
