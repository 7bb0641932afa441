#![doc = include_str!("../README.md")]

mod damage;
mod engine;
mod model;
mod otlp;
mod scenario;
mod score;
mod topology;
mod trace;
mod truth;

pub use damage::{Damage, Exporter};
pub use engine::run;
pub use model::{Attempts, Call, Load, Network, Node, Op, Refuses, Step};
pub use otlp::{Export, Names, Peers, Wording, exports, late};
pub use scenario::{Kind, Limit, Scenario};
pub use score::{
    NAIVE, Options, Outcome, Sampled, Seeds, analysis, cells, gates, gates_section, judge, judge_sampled,
    naive, table, windows,
};
pub use topology::Topology;
pub use trace::{ORIGIN_NS, Run, Seen, Trace};
pub use truth::{capacities, demands, node_visits, strength, visits};
