//! Shapes of call graphs, without their sizes.

mod draft;
mod handmade;
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
}

impl Topology {
    /// All of them.
    pub const ALL: [Self; 10] = [
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
        }
    }
}
