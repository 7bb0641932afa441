//! The integer cells, and what one trace adds to them.

mod add;
mod names;

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_latency::Sparse;
use serde::{Deserialize, Serialize};

use crate::bounds::{Bounds, Note};
use crate::clocks::{ClockPairKey, Clocks};
use crate::handed::{Fact, Handed};
use crate::key::{EdgeKey, Entry, NodeKey, TraceClass};
use crate::keys::KeyCell;
use crate::pairs;
use crate::resources::Resources;
pub(crate) use add::add_second;

/// Seconds over which the work of an instance is put together.
pub const INSTANCE_WINDOW_S: i64 = 10;

/// Second since the start of the load → cell. Seconds before the start are negative. The cells are shared between
/// copies until one of them changes: a view that is made four times a second copies what changed since the last.
pub type Seconds<C> = BTreeMap<i64, Arc<C>>;

/// Adding is associative, commutative and can be undone: integers that wrap, and histograms of integers.
pub(crate) trait Cell: Clone + Default + PartialEq {
    /// Names of its numbers, and of its histograms.
    const NUMBERS: &'static [&'static str];
    /// See [`Cell::NUMBERS`].
    const HISTOGRAMS: &'static [&'static str];

    /// Its numbers, in the order of their names.
    fn numbers(&self) -> Vec<i64>;
    /// Adds `sign` times the other's numbers, histograms left out.
    fn add_numbers(&mut self, other: &Self, sign: i64);
    /// Its histograms, each with its position.
    fn each_histogram(&self, visit: &mut dyn FnMut(usize, &Sparse));
    /// The histogram at a position.
    fn histogram_mut(&mut self, which: usize) -> Option<&mut Sparse>;

    /// Adds the other.
    fn add(&mut self, other: &Self) {
        self.add_numbers(other, 1);
        other.each_histogram(&mut |which, more| {
            if let Some(histogram) = self.histogram_mut(which) {
                histogram.merge(more);
            }
        });
    }
}

// What is zero is not stored: most fields of most cells are.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

fn is_empty(histogram: &Sparse) -> bool {
    *histogram == Sparse::default()
}

macro_rules! cell {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident),* $(,)? } $(histograms { $($(#[$hdoc:meta])* $hist:ident),* $(,)? })?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$fdoc])* #[serde(skip_serializing_if = "is_zero")] pub $field: i64,)*
            $($($(#[$hdoc])* #[serde(skip_serializing_if = "is_empty")] pub $hist: Sparse,)*)?
        }

        impl Cell for $name {
            const NUMBERS: &'static [&'static str] = &[$(stringify!($field)),*];
            const HISTOGRAMS: &'static [&'static str] = &[$($(stringify!($hist)),*)?];

            fn numbers(&self) -> Vec<i64> {
                vec![$(self.$field),*]
            }

            fn add_numbers(&mut self, other: &Self, sign: i64) {
                $(self.$field = self.$field.wrapping_add(other.$field.wrapping_mul(sign));)*
            }

            fn each_histogram(&self, visit: &mut dyn FnMut(usize, &Sparse)) {
                let all: &[&Sparse] = &[$($(&self.$hist),*)?];
                all.iter().enumerate().for_each(|(which, histogram)| visit(which, histogram));
            }

            fn histogram_mut(&mut self, which: usize) -> Option<&mut Sparse> {
                let all: &mut [Option<&mut Sparse>] = &mut [$($(Some(&mut self.$hist)),*)?];
                all.get_mut(which)?.take()
            }
        }
    };
}

cell! {
    /// Calls over one edge in one second. All but `done` stand under the second of the root's intended time.
    EdgeCell {
        /// Logical calls.
        calls,
        /// Of these, ended in an error.
        errors,
        /// Attempts: logical calls and their retries.
        attempts,
        /// Of these, began while one before of the same call was under way.
        beside,
        /// Of the attempts, ended with the word that there are too many requests, or that the service is unavailable.
        refused,
        /// Time on critical paths that was spent behind this edge, nanoseconds.
        cp_ns,
        /// Caller's time less callee's time, nanoseconds: pool, network, accept queue.
        gap_ns,
        /// Calls of which both sides are known, the number that `gap_ns` is over.
        paired,
        /// Answered by a stub of the isolation layer.
        mocked,
        /// Calls that ended, under the second in which they did.
        done,
    } histograms {
        /// Duration as the caller saw it.
        latency,
        /// Duration of the attempts that ended in an error.
        failed,
    }
}

cell! {
    /// The operations of one node in one second.
    NodeCell {
        /// Operations that ended, under the second in which they did.
        done,
        /// Operations that were cut off because the client gave the request up; not among `done`.
        abandoned,
        /// Operations that arrived, under the second in which they did.
        arrived,
        /// Operations in progress, integrated over the second, nanoseconds: by 10⁹ it is the concurrency.
        busy_ns,
        /// The same without the time during which the node waited for nodes behind it, and with the time
        /// between the caller's and the node's own span.
        own_ns,
        /// Operations, under the second of the root's intended time.
        ops,
        /// Of these, answered by a stub.
        mocked,
        /// Errors that no node behind it raised first, under the second of the root's intended time.
        origin_errors,
        /// Sum of publish→process delays under the second of the root's intended time, nanoseconds.
        queued_ns,
    } histograms {
        /// Duration of operations, under the second of the root's intended time.
        span,
        /// Duration of operations less the time spent in calls; for a queue with the wait in it.
        own,
        /// Publish→process delay.
        queued,
    }
}

cell! {
    /// Time on the critical paths of one entry that one node took, under the second of the intended time.
    PathCell {
        /// In the node itself, nanoseconds.
        self_ns,
        /// Between its caller and it, nanoseconds.
        gap_ns,
        /// Behind an asynchronous hand-over: from publishing to processing, nanoseconds.
        wait_ns,
        /// Behind an asynchronous hand-over: work, nanoseconds.
        flow_ns,
        /// Of `self_ns` and `gap_ns`, what requests would have been shorter by without it, before something that ran
        /// beside it was the last to end, nanoseconds.
        drag_ns,
    }
}

cell! {
    /// Roots of one entry, under the second of the intended time.
    RootCell {
        /// Roots.
        count,
        /// Of these, ended in an error.
        errors,
        /// Ended without error, and the first service's span is there.
        ok_traced,
        /// Ended without error.
        ok,
        /// Ended without error, and any span of the trace is there: what visits are counted over.
        ok_seen,
        /// Roots whose critical path is known.
        pathed,
        /// Their duration, nanoseconds: the sum of the self and gap times of all nodes.
        cp_ns,
        /// Roots that ended, under the second in which they did.
        done,
        /// Roots of which services were asked for no spans, and sent none.
        unsampled,
        /// Of these, ended without error.
        ok_unsampled,
    } histograms {
        /// From the intended time; from the root span's start where no intended time is known.
        latency,
    }
}

cell! {
    /// Visits of one node by the roots of one entry that ended without error.
    VisitCell {
        /// Visits.
        ops,
        /// Sum over the roots of the squared number of visits.
        ops_squared,
    }
}

cell! {
    /// Spans of one service that could be expected, since a caller's span or a root tells of the call.
    TelemetryCell {
        /// Calls that ended without error.
        expected,
        /// Of these, the callee's own span is there.
        received,
        /// Of requests that the generator knows, spans of the service whose parent is named and is not there.
        orphans,
    }
}

cell! {
    /// What calls between two clocks say of them, over [`CLOCK_WINDOW_S`](crate::CLOCK_WINDOW_S) seconds: by how much the
    /// caller's is ahead at least (start at the caller less start at the called service), and at most (the same of the
    /// ends). Of values below zero their size is kept.
    ClockCell {
        /// Calls.
        calls,
    } histograms {
        /// The least, where it is below zero.
        least_below,
        /// The least, from zero on.
        least_above,
        /// The most, where it is below zero.
        most_below,
        /// The most, from zero on.
        most_above,
    }
}

cell! {
    /// Messages of one partition of a queue that were processed.
    PartitionCell {
        /// Messages.
        ops,
        /// Of these, whose publishing is known.
        awaited,
    } histograms {
        /// Publish→process delay of those.
        queued,
        /// Duration of processing.
        span,
    }
}

cell! {
    /// Requests that made the same call many times, one after the other, each answered well.
    LoopCell {
        /// Requests with such a loop.
        requests,
        /// Loops: a request may have several.
        loops,
        /// Calls in them.
        calls,
        /// Time of these on the critical paths of the requests, with all that is behind them, nanoseconds.
        cp_ns,
        /// Duration of the requests, nanoseconds.
        request_ns,
    }
}

cell! {
    /// Messages of one queue that one consumer processed, of those that can be told apart.
    MessageCell {
        /// Messages.
        messages,
        /// Processings of them beyond the first.
        again,
        /// Of these, after one that ended in an error.
        after_error,
    }
}

cell! {
    /// Operations of one instance of a service, over [`INSTANCE_WINDOW_S`](crate::INSTANCE_WINDOW_S) seconds in which they began.
    InstanceCell {
        /// Operations.
        ops,
        /// Their time at the service, without calls of others, nanoseconds.
        own_ns,
    }
}

cell! {
    /// Messages of one queue: that were sent, that were processed, and of these the ones that were processed in traces of
    /// their own, which link to the spans that sent them.
    LinkCell {
        /// Spans that sent some.
        sent,
        /// Messages that were processed, of traces of any class.
        processed,
        /// Messages; where there are too many to look at all, as many as those that were looked at stand for.
        linked,
        /// Of these, whose sending is known, so that it is known how long they waited.
        known,
        /// Messages that were looked at, which `linked` and `known` follow from.
        looked_at,
        /// Operations on several messages at once: the time of each is split evenly over its messages.
        batches,
    }
}

/// All that the analysis knows: sums over traces, in integers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cells {
    /// Calls.
    #[serde(with = "pairs")]
    pub edges: BTreeMap<(EdgeKey, TraceClass), Seconds<EdgeCell>>,
    /// Operations.
    #[serde(with = "pairs")]
    pub nodes: BTreeMap<(NodeKey, TraceClass), Seconds<NodeCell>>,
    /// Critical paths.
    #[serde(with = "pairs")]
    pub paths: BTreeMap<(Entry, TraceClass, NodeKey), Seconds<PathCell>>,
    /// Roots.
    #[serde(with = "pairs")]
    pub roots: BTreeMap<(Entry, TraceClass), Seconds<RootCell>>,
    /// Visits.
    #[serde(with = "pairs")]
    pub visits: BTreeMap<(Entry, TraceClass, NodeKey), VisitCell>,
    /// How often a peer of this name was seen to be that service, by traces of the drill.
    #[serde(with = "pairs")]
    pub aliases: BTreeMap<(Arc<str>, Arc<str>), i64>,
    /// The same by other traces.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases_of_others: BTreeMap<(Arc<str>, Arc<str>), i64>,
    /// How often the roots of an entry came first to that service.
    #[serde(with = "pairs")]
    pub entries: BTreeMap<(Entry, Arc<str>), i64>,
    /// Per service, or peer that may be one, by traces of the drill.
    #[serde(with = "pairs")]
    pub telemetry: BTreeMap<Arc<str>, TelemetryCell>,
    /// The same by other traces.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub telemetry_of_others: BTreeMap<Arc<str>, TelemetryCell>,
    /// What calls say of the clocks of both sides. By the first second of each stretch.
    #[serde(skip_serializing_if = "Clocks::is_empty")]
    pub clocks: Clocks,
    /// Messages by the queue's partition, the whole run together.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub partitions: BTreeMap<(NodeKey, TraceClass, u16), PartitionCell>,
    /// Loops of calls, the whole run together.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub loops: BTreeMap<(EdgeKey, TraceClass), LoopCell>,
    /// Messages by queue (`from`), consumer and operation, the whole run together.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<(EdgeKey, TraceClass), MessageCell>,
    /// Work of the instances of services: service, class, instance. By the first second of each stretch.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub instances: BTreeMap<InstanceKey, Seconds<InstanceCell>>,
    /// Messages that were processed; of the drill's also those that were sent, and that are known by links. By the queue as
    /// each side calls it, the whole run together.
    #[serde(with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<(NodeKey, TraceClass), LinkCell>,
    /// The drill's own work by the keys that it was about, the whole run together: by the place's slot of
    /// [`KEY_SLOTS`](crate::KEY_SLOTS), and where others have a second by the key's bucket.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<u16, Seconds<KeyCell>>,
    /// What metrics said of resources.
    #[serde(skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// Which names are kept.
    #[serde(skip_serializing_if = "Bounds::is_unused")]
    pub(crate) bounds: Arc<Bounds>,
    /// What was told of messages that are handed from one trace to another.
    #[serde(skip)]
    pub(crate) handed: Arc<Handed>,
}

/// A service, the class of the traces, and an instance of the service.
pub(crate) type InstanceKey = (Arc<str>, TraceClass, Arc<str>);

/// A peer's name, the service that it was seen to be, and whether by a trace of the drill.
type Alias = (Arc<str>, Arc<str>, bool);

/// What one trace adds to the cells. Made by [`contribute`](crate::contribute).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contribution {
    pub(crate) notes: Vec<(TraceClass, Note)>,
    pub(crate) edges: Vec<((EdgeKey, TraceClass), i64, EdgeCell)>,
    pub(crate) nodes: Vec<((NodeKey, TraceClass), i64, NodeCell)>,
    pub(crate) paths: Vec<((Entry, TraceClass, NodeKey), i64, PathCell)>,
    pub(crate) roots: Vec<((Entry, TraceClass), i64, RootCell)>,
    pub(crate) visits: Vec<((Entry, TraceClass, NodeKey), VisitCell)>,
    pub(crate) aliases: Vec<(Alias, i64)>,
    pub(crate) entries: Vec<((Entry, Arc<str>), i64)>,
    /// By service, and whether by a trace of the drill.
    pub(crate) telemetry: Vec<((Arc<str>, bool), TelemetryCell)>,
    pub(crate) clocks: Vec<(ClockPairKey, i64, ClockCell)>,
    pub(crate) partitions: Vec<((NodeKey, TraceClass, u16), PartitionCell)>,
    pub(crate) loops: Vec<((EdgeKey, TraceClass), LoopCell)>,
    pub(crate) messages: Vec<((EdgeKey, TraceClass), MessageCell)>,
    pub(crate) instances: Vec<(InstanceKey, i64, InstanceCell)>,
    pub(crate) links: Vec<((NodeKey, TraceClass), LinkCell)>,
    pub(crate) keys: Vec<(u16, i64, KeyCell)>,
    /// What was told of messages, and how often.
    pub(crate) handed: Vec<(Fact, i64)>,
}

impl Contribution {
    /// Whether it adds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Cells {
    /// Whether no trace is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
