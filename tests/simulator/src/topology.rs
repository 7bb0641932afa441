//! Shapes of call graphs, without their sizes.

mod applications;
mod call_trees;
mod draft;
mod handmade;
mod held_out;
mod random;
mod whole;

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
    /// One program with a thread a request, a database with two replicas, and a search index; pages use some of them each.
    Monolith,
    /// An orchestrator that calls services with databases of their own in order, and a payment provider outside.
    Saga,
    /// What is written is brought to the timelines of many by queues; what is read comes from caches.
    Feed,
    /// Resolvers side by side, some of which ask the same service several times in a request.
    Aggregator,
    /// A web and an application tier with a thread a request, whose modules share one pool of connections.
    Tiers,
    /// A gateway that lets in by sidecars, before services that share one store in uneven shards.
    Gateway,
    /// A search that asks every partition of its index at once, and an archive.
    Search,
    /// Jobs that add up what devices send, beside the people who ask the same stores.
    Stream,
}

impl Topology {
    /// Those that the analysis was developed with: tables of all of them were looked at, and it was changed after them.
    pub const DEVELOPED: [Self; 20] = [
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
        Self::CallTrees,
        Self::Mesh,
        Self::Events,
        Self::Frontends,
        Self::Cells,
        Self::KeptConnections,
        Self::Monolith,
        Self::Saga,
        Self::Feed,
        Self::Aggregator,
    ];

    /// Those of [`Self::DEVELOPED`] that were held out first: whole systems.
    pub const HELD_OUT_FIRST: [Self; 6] =
        [Self::CallTrees, Self::Mesh, Self::Events, Self::Frontends, Self::Cells, Self::KeptConnections];

    /// Those of [`Self::DEVELOPED`] that were held out after these: whole applications.
    pub const HELD_OUT_SECOND: [Self; 4] = [Self::Monolith, Self::Saga, Self::Feed, Self::Aggregator];

    /// Those that are held out: written when the analysis was done. Who develops it does not look at how it does with them; once
    /// it is changed after their figures they belong to [`Self::DEVELOPED`], and others have to be written.
    pub const HELD_OUT: [Self; 4] = [Self::Tiers, Self::Gateway, Self::Search, Self::Stream];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Self::DEVELOPED.into_iter().chain(Self::HELD_OUT)
    }

    /// Whether it is one of [`Self::HELD_OUT`].
    #[must_use]
    pub fn held_out(self) -> bool {
        Self::HELD_OUT.contains(&self)
    }

    /// Whether it is one of those developed with that have the shape of a whole system. They were written later than the others,
    /// which are smaller and have one thing each that misleads.
    #[must_use]
    pub fn whole_system(self) -> bool {
        Self::HELD_OUT_FIRST.contains(&self) || Self::HELD_OUT_SECOND.contains(&self)
    }

    /// Whether tests of many seeds leave it out, though it was developed with: the page tells of it, and of those of
    /// [`Self::HELD_OUT_SECOND`] a test of few seeds.
    #[must_use]
    pub fn beside_tests(self) -> bool {
        matches!(self, Self::FanOut | Self::Cache | Self::Layers) || Self::HELD_OUT_SECOND.contains(&self)
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
            Self::Monolith => "monolith",
            Self::Saga => "checkout saga",
            Self::Feed => "feed",
            Self::Aggregator => "aggregator",
            Self::Tiers => "two tiers",
            Self::Gateway => "gateway with sidecars",
            Self::Search => "divided search",
            Self::Stream => "stream jobs",
        }
    }

    /// The one with this name as a word: `frontends-backends`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::all().find(|topology| topology.word() == word)
    }

    /// Its name as a word of a command line.
    #[must_use]
    pub fn word(self) -> String {
        self.name().replace('\'', "").replace(' ', "-")
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
            Self::Mesh => whole::mesh(draft),
            Self::Events => whole::events(draft),
            Self::Frontends => whole::frontends(draft),
            Self::Cells => whole::cells(draft),
            Self::KeptConnections => whole::kept_connections(draft),
            Self::Monolith => applications::monolith(draft),
            Self::Saga => applications::saga(draft),
            Self::Feed => applications::feed(draft),
            Self::Aggregator => applications::aggregator(draft),
            Self::Tiers => held_out::tiers(draft),
            Self::Gateway => held_out::gateway(draft),
            Self::Search => held_out::search(draft),
            Self::Stream => held_out::stream(draft),
        }
    }
}
