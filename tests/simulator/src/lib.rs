#![doc = include_str!("../README.md")]

mod damage;
mod engine;
mod model;
mod scenario;
mod score;
mod topology;
mod trace;
mod truth;

pub use damage::{Damage, Exporter};
pub use engine::run;
pub use model::{Attempts, Call, Load, Network, Node, Op, Refuses, Step};
pub use scenario::{Kind, Limit, Scenario};
pub use score::{NAIVE, Options, Outcome, Sampled, Seeds, judge, judge_sampled, naive, table};
pub use topology::Topology;
pub use trace::{ORIGIN_NS, Run, Seen, Trace};
pub use truth::{capacities, demands, node_visits, strength, visits};
