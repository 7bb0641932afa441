//! How full resources were, and what follows from it. Not there where no metrics were received.

use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::owners::Owner;

/// Kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// Processors that a service may use.
    Processors,
    /// Processors of a machine.
    Machine,
    /// Memory that a service may use.
    Memory,
    /// Connections of a pool.
    Pool,
    /// Messages that wait.
    Queue,
}

/// One resource, at light load and at peak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceUse {
    /// The service that it is measured at; a machine is `host NAME`.
    pub service: String,
    /// The node of the ranking that it limits; `null` where none is known.
    pub node: Option<String>,
    /// What it is.
    pub kind: ResourceKind,
    /// Name of the pool or queue; empty where there is one only.
    pub name: String,
    /// Instances that reported.
    pub instances: u32,
    /// How much an instance may use: processors, connections, bytes.
    pub limit: Option<f64>,
    /// In use by the limit at light load, 0..=1, mean over instances; of a queue the messages that wait in it.
    pub light: Option<f64>,
    /// The same at peak.
    pub peak: Option<f64>,
    /// At peak, of the instance that is fullest.
    pub peak_fullest: Option<f64>,
    /// Whether it was as full at peak as it may be before those who need it wait long; of a queue, whether it grew.
    pub at_limit: bool,
    /// Root journeys a second at which it comes to that, by how its use follows the load; where that lies far beyond
    /// what was tested, only the lower end.
    pub capacity_per_s: Estimate,
}

/// Kind of a finding, the most pressing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Live users waited longer, or failed more often, the higher the drill's load was.
    LiveUsersHurt,
    /// Calls are made again and again, and that did not end when the load went down.
    Metastable,
    /// Calls are made again and again the higher the load is, since they fail.
    RetryStorm,
    /// A node refuses at once what is above a rate: a limiter, a breaker, or something that is sold out.
    LimitBinds,
    /// One partition of a queue has far more to do than the others.
    HotPartition,
    /// One key (an item, a tenant, an account) has far more to do than the others, and takes longer.
    HotKey,
    /// One instance of a service has far more to do than the others, or takes longer.
    BusyInstance,
    /// Several callers wait for the same node at once.
    SharedDependency,
    /// Work waits for processors.
    ProcessorsFull,
    /// A quota stopped a service's processors.
    Throttled,
    /// Callers wait for connections although these are given back as fast as ever.
    PoolTooSmall,
    /// Callers wait for connections because these are held longer.
    PoolHeldLonger,
    /// Callers wait for connections, and whether there are too few or these are held longer is not known.
    PoolFull,
    /// Messages come faster than they are processed.
    QueueGrows,
    /// Messages are processed again.
    Redelivered,
    /// Look-ups miss the cache more often under load.
    CacheMisses,
    /// A request makes the same call again and again, each after the one before was answered: N+1.
    LoopOfCalls,
    /// Memory is nearly all in use.
    MemoryFull,
    /// A service dropped spans because its queue for them was full.
    TelemetrySaturated,
    /// Metrics and spans do not tell the same number of requests in progress.
    CountsDiffer,
    /// Metrics come too seldom to be set against the load.
    MetricsTooSeldom,
    /// The clocks of a caller and of what it calls are off by more than the calls leave open.
    ClocksDiffer,
    /// No offset of two clocks fits the calls between them.
    ClocksInconsistent,
    /// How long messages waited in their queue is not known.
    WaitUnknown,
    /// The drill never came to a node, or met a stub of it only.
    NotExercised,
}

/// Something to know besides the ranking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Where.
    pub node: String,
    /// What was seen.
    pub text: String,
    /// What to do.
    pub action: String,
}

/// A finding, and who is to be told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The owner of its node, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}
