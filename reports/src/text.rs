//! The renderings for machines, pipelines and terminals.

pub(crate) mod card;
pub(crate) mod comparison;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
