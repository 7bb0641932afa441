//! Ground truth: a simulated shop whose capacities are known, and what the analysis says of it.

mod besides;
mod drawn;
mod keys;
mod live;
mod loops;
mod machine;
mod messages;
mod names;
mod other_runs;
mod properties;
mod resources;
mod sampled;
mod shop;
mod sim;
mod words;
