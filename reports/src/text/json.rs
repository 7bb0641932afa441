//! `verdict.json`.

use peakdrill_drill_model::verdict::Verdict;

/// The verdict as pretty-printed JSON, keys in the order of the contract, with a final newline.
#[must_use]
pub fn verdict_json(verdict: &Verdict) -> String {
    // Plain data with text keys always serialises; an empty object fails every reader that expects a verdict.
    let mut text = serde_json::to_string_pretty(verdict).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}
