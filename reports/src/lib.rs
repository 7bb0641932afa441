#![doc = include_str!("../README.md")]

mod advice;
mod capacity;
mod comparison;
mod exercised;
mod flow;
mod fold;
mod gates;
mod html;
mod markup;
mod numbers;
mod phases;
mod record;
mod resources;
mod sentences;
mod stats;
mod text;
mod together;
mod validity;
mod verdict;

pub use comparison::{LoadWindows, Repeated, Side, Terms, compare};
pub use html::html;
pub use record::{ENVIRONMENT_VERSION, Environment, Machine, Record, Sample, SampleKind};
pub use sentences::whose;
pub use text::card::card;
pub use text::comparison::{comparison_card, comparison_json, comparison_junit, comparison_markdown};
pub use text::json::verdict_json;
pub use text::junit::junit;
pub use text::markdown::{MARKDOWN_LIMIT_BYTES, markdown};
pub use together::Together;
pub use validity::{
    Counts, GENERATOR_CPU_SUSPECT_SHARE, LATENESS_SUSPECT_NS, MISSED_INVALID_SHARE, Validity, validity,
};
pub use verdict::{exit, verdict};
