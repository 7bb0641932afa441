//! Words for resources.

use peakdrill_drill_model::verdict::{ResourceKind, ResourceUse};

use crate::numbers::{NOT_MEASURED, figure, percent};

/// What a resource is called in a table: `order: processors`, `order: pool orders`.
pub(crate) fn resource(of: &ResourceUse) -> String {
    let kind = match of.kind {
        ResourceKind::Processors | ResourceKind::Machine => "processors",
        ResourceKind::Memory => "memory",
        ResourceKind::Pool => "pool",
        ResourceKind::Queue => "queue",
    };
    let name = if of.name.is_empty() { String::new() } else { format!(" {}", of.name) };
    format!("{}: {kind}{name}", of.service)
}

/// How much of it is in use: a part of the limit; of a queue the messages that wait.
pub(crate) fn used(of: &ResourceUse, value: Option<f64>) -> String {
    match of.kind {
        ResourceKind::Queue => value.map_or_else(|| NOT_MEASURED.to_owned(), figure),
        _ => percent(value),
    }
}
