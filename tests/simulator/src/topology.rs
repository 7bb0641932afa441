//! Shapes of call graphs, without their sizes.

mod call_trees;
mod draft;
mod handmade;
mod later;
mod random;

pub(crate) use draft::Draft;

/// A family of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topology {
    /// Services one behind the other, a database at the end.
    Chain,
    /// Two services beside each other before a shared one.
    Diamond,
    /// Several entries that share one database.
    SharedDb,
    /// A queue with consumers behind the request.
    Async,
    /// A random tree with a heavy tail.
    Tree,
    /// A chain whose services keep a thread while they wait for those behind.
    Threads,
    /// Calls that fail and are made again, and loops of calls.
    Retries,
    /// One service that asks many at once.
    FanOut,
    /// A cache before a database, and what misses.
    Cache,
    /// Wide layers that call each other across.
    Layers,
    /// Large call trees with several entries.
    CallTrees,
    /// Each service behind a sidecar.
    Mesh,
    /// Lines of queues and consumers, beside the request and after it.
    Events,
    /// Kinds of journeys of which one alone uses what limits.
    Frontends,
    /// The same services in several cells, of which one is small.
    Cells,
    /// Connections to a shared database, kept over calls of others.
    KeptConnections,
}

impl Topology {
    /// Those that the analysis was developed with: tables of all of them were looked at.
    pub const DEVELOPED: [Self; 10] = [
        Self::Chain,
        Self::Diamond,
        Self::SharedDb,
        Self::Async,
        Self::Tree,
        Self::Threads,
        Self::Retries,
        Self::FanOut,
        Self::Cache,
        Self::Layers,
    ];

    /// Those that were written when the analysis was done. Their first figures are those of systems that it had not seen; it was
    /// changed after them.
    pub const LATER: [Self; 6] =
        [Self::CallTrees, Self::Mesh, Self::Events, Self::Frontends, Self::Cells, Self::KeptConnections];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Self::DEVELOPED.into_iter().chain(Self::LATER)
    }

    /// Whether it is one of [`Self::LATER`].
    #[must_use]
    pub fn later(self) -> bool {
        Self::LATER.contains(&self)
    }

    /// Whether tests hold the analysis to no threshold over it: only the page tells of it.
    #[must_use]
    pub fn beside_tests(self) -> bool {
        matches!(self, Self::FanOut | Self::Cache | Self::Layers)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Diamond => "diamond",
            Self::SharedDb => "shared database",
            Self::Async => "asynchronous",
            Self::Tree => "random tree",
            Self::Threads => "threads held",
            Self::Retries => "retries",
            Self::FanOut => "fan-out",
            Self::Cache => "cache",
            Self::Layers => "layers",
            Self::CallTrees => "call trees",
            Self::Mesh => "service mesh",
            Self::Events => "lines of events",
            Self::Frontends => "frontends' backends",
            Self::Cells => "regional cells",
            Self::KeptConnections => "kept connections",
        }
    }

    /// Draws a shape.
    pub(crate) fn shape(self, draft: &mut Draft) {
        match self {
            Self::Chain => handmade::chain(draft),
            Self::Diamond => handmade::diamond(draft),
            Self::SharedDb => handmade::shared_db(draft),
            Self::Async => handmade::asynchronous(draft),
            Self::Tree => random::tree(draft),
            Self::Threads => handmade::threads(draft),
            Self::Retries => handmade::retries(draft),
            Self::FanOut => handmade::fan_out(draft),
            Self::Cache => handmade::cache(draft),
            Self::Layers => random::layers(draft),
            Self::CallTrees => call_trees::call_trees(draft),
            Self::Mesh => later::mesh(draft),
            Self::Events => later::events(draft),
            Self::Frontends => later::frontends(draft),
            Self::Cells => later::cells(draft),
            Self::KeptConnections => later::kept_connections(draft),
        }
    }
}
