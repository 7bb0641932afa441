//! Sums over many traces, on their way into the cells.
//!
//! A trace adds to some fifty cells, and a thousand traces to the same ones. Under keys of texts each addition would
//! compare texts all the way down a tree, and each sample would look for its bucket. Here a text is a number, a cell is
//! found by numbers, and samples are written down one after the other. Once in a while all of it is moved into the
//! cells. Adding integers is associative: when that is done makes no difference to what the cells are then.

use std::collections::hash_map::Entry as Slot;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::plan::StepId;
use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_latency::{Sparse, bucket_of};
use peakdrill_trace_model::Span;

use crate::bounds::Note;
use crate::cells::{
    Cell, Cells, ClockCell, Contribution, EdgeCell, InstanceCell, LinkCell, LoopCell, MessageCell, NodeCell,
    PartitionCell, PathCell, RootCell, TelemetryCell, VisitCell,
};
use crate::contribute::{file, file_late};
use crate::handed::Fact;
use crate::key::{ClockKey, EdgeKey, Entry, NodeKey, TraceClass, bounded_op};
use crate::keys::{KeyCell, PlaceId};
use crate::seen::Seen;
use crate::tree::Role;

/// Samples that are written down for one cell before equal ones are put together.
const LOG_MAX: usize = 8_192;
/// Texts that are remembered from one emptying to the next.
const NAMES_MAX: usize = 100_000;

/// A text, by its position among those that are known.
pub(crate) type Name = u32;

/// Texts that were asked for last and are found by their address alone: a power of two.
const NEAR: usize = 256;

/// Texts as numbers.
#[derive(Debug)]
struct Numbers {
    ids: HashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
    /// By a text's address, which one it may be.
    near: [Name; NEAR],
}

impl Default for Numbers {
    fn default() -> Self {
        Self { ids: HashMap::default(), texts: Vec::new(), near: [0; NEAR] }
    }
}

impl Numbers {
    /// The text's number, and whether it is new.
    fn id(&mut self, text: &Arc<str>) -> (Name, bool) {
        let near = (Arc::as_ptr(text).addr() / size_of::<usize>() / 2) % NEAR;
        let maybe = self.near[near];
        if self.texts.get(maybe as usize).is_some_and(|known| Arc::ptr_eq(known, text)) {
            return (maybe, false);
        }
        if let Some(id) = self.ids.get(text) {
            self.near[near] = *id;
            return (*id, false);
        }
        let id = self.texts.len() as Name;
        self.texts.push(Arc::clone(text));
        self.ids.insert(Arc::clone(text), id);
        (id, true)
    }
}

/// The names that sums are filed under.
#[derive(Debug, Default)]
pub(crate) struct Names {
    all: Numbers,
    /// Operations as they came, and their bounded names.
    raw: Numbers,
    bounded: Vec<Name>,
    /// Where keys are counted, by node, operation and calling operation.
    places: HashMap<(NodeId, Name, Option<Name>), PlaceId>,
}

impl Names {
    pub(crate) fn id(&mut self, text: &Arc<str>) -> Name {
        self.all.id(text).0
    }

    /// The bounded name of an operation.
    pub(crate) fn op(&mut self, raw: &Arc<str>) -> Name {
        let (id, new) = self.raw.id(raw);
        if new {
            let bounded = self.id(&bounded_op(raw));
            self.bounded.push(bounded);
        }
        self.bounded.get(id as usize).copied().unwrap_or_default()
    }

    pub(crate) fn text(&self, id: Name) -> Arc<str> {
        self.all.texts.get(id as usize).cloned().unwrap_or_default()
    }

    /// True when all names have other numbers from now on.
    fn forget(&mut self) -> bool {
        let is_full = self.all.texts.len().max(self.bounded.len()).max(self.places.len()) > NAMES_MAX;
        if is_full {
            *self = Self::default();
        }
        is_full
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId {
    name: Name,
    kind: NodeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EdgeId {
    from: Name,
    to: NodeId,
    op: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EntryId {
    Step(StepId),
    Op(Name),
}

/// A clock, by its service and the instance of it.
pub(crate) type Clock<'a> = (&'a Arc<str>, &'a Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClockId {
    service: Name,
    instance: Name,
}

impl Names {
    pub(crate) fn clock_id(&mut self, (service, instance): Clock<'_>) -> ClockId {
        ClockId { service: self.id(service), instance: self.id(instance) }
    }

    pub(crate) fn node_id(&mut self, key: &NodeKey) -> NodeId {
        NodeId { name: self.id(&key.name), kind: key.kind }
    }

    pub(crate) fn edge_id(&mut self, key: &EdgeKey) -> EdgeId {
        EdgeId { from: self.id(&key.from), to: self.node_id(&key.to), op: self.id(&key.op) }
    }

    pub(crate) fn entry_id(&mut self, entry: &Entry) -> EntryId {
        match entry {
            Entry::Step(step) => EntryId::Step(*step),
            Entry::Op(op) => EntryId::Op(self.id(op)),
        }
    }

    pub(crate) fn place_id(&mut self, node: NodeId, op: Name, caller: Option<Name>) -> PlaceId {
        if let Some(known) = self.places.get(&(node, op, caller)) {
            return *known;
        }
        let calling = caller.map(|caller| self.text(caller)).unwrap_or_default();
        let place = PlaceId::of(&self.node(node), &self.text(op), &calling);
        self.places.insert((node, op, caller), place);
        place
    }

    fn node(&self, id: NodeId) -> NodeKey {
        NodeKey { name: self.text(id.name), kind: id.kind }
    }

    fn edge(&self, id: EdgeId) -> EdgeKey {
        EdgeKey { from: self.text(id.from), to: self.node(id.to), op: self.text(id.op) }
    }

    fn clock(&self, id: ClockId) -> ClockKey {
        ClockKey { service: self.text(id.service), instance: self.text(id.instance) }
    }

    fn entry(&self, id: EntryId) -> Entry {
        match id {
            EntryId::Step(step) => Entry::Step(step),
            EntryId::Op(op) => Entry::Op(self.text(op)),
        }
    }
}

/// One cell under way: its numbers, and its samples as they came.
#[derive(Debug, Default)]
pub(crate) struct Sum<C> {
    pub(crate) cell: C,
    /// Histogram and bucket in one number, and how many.
    log: Vec<(u64, i64)>,
    /// How many were left when equal ones were put together last.
    left: usize,
}

impl<C: Cell> Sum<C> {
    fn add(&mut self, cell: &C, sign: i64) {
        self.cell.add_numbers(cell, sign);
        cell.each_histogram(&mut |which, histogram| {
            let samples = histogram.iter();
            self.log.extend(
                samples.map(|(bucket, count)| ((which as u64) << 32 | u64::from(bucket), count * sign)),
            );
        });
        self.bound();
    }

    /// Adds one sample to the histogram at a position; a negative sign takes it back.
    pub(crate) fn sample(&mut self, which: usize, ns: u64, sign: i64) {
        self.log.push(((which as u64) << 32 | u64::from(bucket_of(ns)), sign));
        self.bound();
    }

    fn bound(&mut self) {
        if self.log.len() >= LOG_MAX.max(2 * self.left) {
            self.put_together();
        }
    }

    fn put_together(&mut self) {
        self.log.sort_unstable_by_key(|(place, _)| *place);
        self.log.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 += if same { later.1 } else { 0 };
            same
        });
        self.left = self.log.len();
    }

    fn finish(mut self) -> C {
        self.put_together();
        for samples in self.log.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
            let which = samples.first().map_or(0, |(place, _)| (place >> 32) as usize);
            if let Some(histogram) = self.cell.histogram_mut(which) {
                *histogram = Sparse::of_buckets(samples.iter().map(|(place, count)| (*place as u32, *count)));
            }
        }
        self.cell
    }
}

/// Cells under way, by key and second.
#[derive(Debug)]
pub(crate) struct Table<K, C> {
    slots: HashMap<(K, i64), usize>,
    sums: Vec<((K, i64), Sum<C>)>,
    /// The slot that was asked for last: it often is again.
    last: usize,
}

impl<K, C> Default for Table<K, C> {
    fn default() -> Self {
        Self { slots: HashMap::default(), sums: Vec::new(), last: 0 }
    }
}

impl<K: Copy + Eq + Hash, C: Cell> Table<K, C> {
    pub(crate) fn add(&mut self, key: K, second: i64, cell: &C, sign: i64) {
        self.at(key, second).add(cell, sign);
    }

    pub(crate) fn at(&mut self, key: K, second: i64) -> &mut Sum<C> {
        let key = (key, second);
        if self.sums.get(self.last).is_none_or(|(known, _)| *known != key) {
            self.last = match self.slots.entry(key) {
                Slot::Occupied(slot) => *slot.get(),
                Slot::Vacant(slot) => {
                    self.sums.push((key, Sum::default()));
                    *slot.insert(self.sums.len() - 1)
                }
            };
        }
        &mut self.sums[self.last].1
    }

    /// All that do not come to nothing; the table is empty then.
    fn drain(&mut self) -> impl Iterator<Item = (K, i64, C)> + '_ {
        self.slots.clear();
        self.last = 0;
        let sums = self.sums.drain(..).map(|((key, second), sum)| (key, second, sum.finish()));
        sums.filter(|(_, _, cell)| *cell != C::default())
    }
}

/// No name.
pub(crate) const NO_NAME: Name = Name::MAX;
/// Kinds of spans whose names are known to be noted; more are noted anew, which changes nothing.
const SHAPES_MAX: usize = 100_000;

/// What the names that a span is filed under follow from, besides its trace's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) class: TraceClass,
    pub(crate) role: Role,
    /// It names no parent.
    pub(crate) is_top: bool,
    pub(crate) service: Name,
    pub(crate) op: Name,
    pub(crate) peer: Name,
    /// The service, role and peer of its parent.
    pub(crate) parent: Name,
    pub(crate) parent_role: Option<Role>,
    pub(crate) parent_peer: Name,
}

/// Sums over traces that are not in the cells yet.
#[derive(Debug, Default)]
pub struct Sums {
    pub(crate) names: Names,
    /// Kinds of spans whose names were noted, and of these the last by where their texts lie.
    pub(crate) shapes: HashSet<Shape>,
    pub(crate) seen: Seen,
    /// Names that the cells were not told of yet.
    pub(crate) notes: Vec<(TraceClass, Note)>,
    pub(crate) edges: Table<(EdgeId, TraceClass), EdgeCell>,
    pub(crate) nodes: Table<(NodeId, TraceClass), NodeCell>,
    pub(crate) paths: Table<(EntryId, TraceClass, NodeId), PathCell>,
    pub(crate) roots: Table<(EntryId, TraceClass), RootCell>,
    pub(crate) visits: Table<(EntryId, TraceClass, NodeId), VisitCell>,
    /// By service, and whether the trace is the drill's.
    pub(crate) telemetry: Table<(Name, bool), TelemetryCell>,
    pub(crate) clocks: Table<(ClockId, ClockId), ClockCell>,
    pub(crate) partitions: Table<(NodeId, TraceClass, u16), PartitionCell>,
    pub(crate) loops: Table<(EdgeId, TraceClass), LoopCell>,
    pub(crate) messages: Table<(EdgeId, TraceClass), MessageCell>,
    /// Service, class and instance.
    pub(crate) instances: Table<(Name, TraceClass, Name), InstanceCell>,
    /// Those whose names were noted.
    pub(crate) instances_noted: HashSet<(Name, TraceClass, Name)>,
    pub(crate) links: Table<(NodeId, TraceClass), LinkCell>,
    /// What was told of messages, and how often.
    pub(crate) handed: Vec<(Fact, i64)>,
    /// By the place's slot and the key's bucket.
    pub(crate) keys: Table<u16, KeyCell>,
    pub(crate) aliases: HashMap<(Name, Name, bool), i64>,
    pub(crate) entries: HashMap<(EntryId, Name), i64>,
}

/// A trace, as it is filed.
#[derive(Debug, Clone, Copy)]
pub struct Filed<'a> {
    /// All its spans that are known, in any order, damage included.
    pub spans: &'a [Span],
    /// The generator's row.
    pub root: Option<&'a RootRow>,
    /// Whose it is.
    pub class: TraceClass,
    /// That it is the drill's is told by the drill's own tag or row, and not by a link alone, and none of its spans, kept or
    /// not, links to another trace: keys are counted of no other.
    pub tagged: bool,
    /// Start of the load, Unix nanoseconds: seconds count from there.
    pub origin_ns: i64,
}

impl Sums {
    /// Adds what [`contribute`](crate::contribute) says of a trace.
    pub fn add(&mut self, trace: &Filed<'_>) {
        file(self, trace, 1);
    }

    /// Takes back what [`Self::add`] added for the same trace, also when it is in the cells by now.
    pub fn take_back(&mut self, trace: &Filed<'_>) {
        file(self, trace, -1);
    }

    /// Adds spans that came when the rest of their trace was let go: as calls and operations, never as a request. A row
    /// is not looked at.
    pub fn add_late(&mut self, spans: &Filed<'_>) {
        file_late(self, spans);
    }

    /// The sums as lists, in no order. None are left.
    pub(crate) fn drain(&mut self) -> Contribution {
        let names = &self.names;
        let edges = self.edges.drain().map(|((edge, class), s, cell)| ((names.edge(edge), class), s, cell));
        let nodes = self.nodes.drain().map(|((node, class), s, cell)| ((names.node(node), class), s, cell));
        let paths = self.paths.drain();
        let paths = paths.map(|((e, class, n), s, cell)| ((names.entry(e), class, names.node(n)), s, cell));
        let roots = self.roots.drain().map(|((e, class), s, cell)| ((names.entry(e), class), s, cell));
        let visits = self.visits.drain();
        let visits = visits.map(|((e, class, n), _, cell)| ((names.entry(e), class, names.node(n)), cell));
        let telemetry = self.telemetry.drain();
        let telemetry = telemetry.map(|((service, mine), _, cell)| ((names.text(service), mine), cell));
        let clocks = self.clocks.drain();
        let clocks = clocks.map(|((a, b), s, cell)| ((names.clock(a), names.clock(b)), s, cell));
        let partitions = self.partitions.drain();
        let partitions = partitions.map(|((node, class, at), _, cell)| ((names.node(node), class, at), cell));
        let loops = self.loops.drain().map(|((edge, class), _, cell)| ((names.edge(edge), class), cell));
        let messages = self.messages.drain();
        let messages = messages.map(|((edge, class), _, cell)| ((names.edge(edge), class), cell));
        let instances = self.instances.drain();
        let instances = instances
            .map(|((service, class, at), s, cell)| ((names.text(service), class, names.text(at)), s, cell));
        let links = self.links.drain().map(|((node, class), _, cell)| ((names.node(node), class), cell));
        let aliases = self.aliases.drain().filter(|(_, count)| *count != 0);
        let aliases =
            aliases.map(|((peer, service, mine), n)| ((names.text(peer), names.text(service), mine), n));
        let entries = self.entries.drain().filter(|(_, count)| *count != 0);
        let entries = entries.map(|((entry, service), n)| ((names.entry(entry), names.text(service)), n));
        Contribution {
            notes: std::mem::take(&mut self.notes),
            edges: edges.collect(),
            nodes: nodes.collect(),
            paths: paths.collect(),
            roots: roots.collect(),
            visits: visits.collect(),
            aliases: aliases.collect(),
            entries: entries.collect(),
            telemetry: telemetry.collect(),
            clocks: clocks.collect(),
            partitions: partitions.collect(),
            loops: loops.collect(),
            messages: messages.collect(),
            instances: instances.collect(),
            links: links.collect(),
            keys: self.keys.drain().collect(),
            handed: put_together(std::mem::take(&mut self.handed)),
        }
    }
}

/// The same facts, each once, in order; those that were told as often as they were taken back are gone.
fn put_together(mut told: Vec<(Fact, i64)>) -> Vec<(Fact, i64)> {
    told.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    told.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        kept.1 += if same { later.1 } else { 0 };
        same
    });
    told.retain(|(_, times)| *times != 0);
    told
}

impl Contribution {
    /// The same in the order of its keys, so that equal contributions are equal.
    pub(crate) fn sorted(mut self) -> Self {
        self.notes.sort_unstable();
        self.notes.dedup();
        self.edges.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.nodes.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.paths.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.roots.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.visits.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.aliases.sort_unstable();
        self.entries.sort_unstable();
        self.telemetry.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.clocks.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.partitions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.loops.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.messages.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.instances.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.links.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.keys.sort_unstable_by_key(|(slot, bucket, _)| (*slot, *bucket));
        self
    }
}

impl Cells {
    /// Moves sums in; none are left. True when that changed anything.
    pub fn take_in(&mut self, sums: &mut Sums) -> bool {
        let mut contribution = sums.drain();
        // A name alone changes nothing, but for those that it leaves no room.
        let moved = self.note(&std::mem::take(&mut contribution.notes));
        if sums.names.forget() || sums.shapes.len().max(sums.instances_noted.len()) > SHAPES_MAX {
            (sums.shapes, sums.instances_noted) = (HashSet::default(), HashSet::default());
        }
        self.apply(&contribution);
        moved || !contribution.is_empty()
    }
}
