//! `verdict.json`, and whatever else programs read.

use peakdrill_drill_model::verdict::Verdict;
use serde::Serialize;

/// The verdict as pretty-printed JSON, keys in the order of the contract, with a final newline.
#[must_use]
pub fn verdict_json(verdict: &Verdict) -> String {
    pretty(verdict)
}

/// Plain data as text for programs.
pub(super) fn pretty(of: &impl Serialize) -> String {
    // Plain data with text keys always serialises; an empty object fails every reader that expects more.
    let mut text = serde_json::to_string_pretty(of).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}
