#![doc = include_str!("../README.md")]

mod clock;
mod units;

pub use clock::Clock;
#[cfg(feature = "os")]
pub use clock::OsClock;
pub use units::{
    MonoNs, NS_PER_MS, NS_PER_S, NS_PER_US, UnitError, UnixNs, format_duration, format_rate, parse_duration,
    parse_rate,
};
