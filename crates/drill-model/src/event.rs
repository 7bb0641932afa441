//! The event log: what happened, in order, each line carrying the hash of the one before.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run began, or ended.
    Run,
    /// Preflight's steps and findings.
    Preflight,
    /// A phase began.
    Phase,
    /// A guard was near its limit, or fired.
    Guard,
    /// What a person or a signal did.
    Operator,
    /// The collector or the ledger found something.
    Finding,
    /// An error class was seen for the first time.
    Error,
}

/// A line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version.
    pub v: u32,
    /// 0, 1, 2, …
    pub seq: u64,
    /// Wall-clock time, Unix nanoseconds.
    pub at_ns: i64,
    /// Nanoseconds since the start of the load; negative before it.
    pub t_ns: i64,
    /// What it is about.
    pub kind: EventKind,
    /// One line for people.
    pub text: String,
    /// Details for machines.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
    /// Hash of the line before, hex; 64 zeros in the first.
    pub prev: String,
    /// SHA-256 over this event's JSON with `hash` empty, hex.
    pub hash: String,
}

/// Appends events, keeping the chain.
#[derive(Debug, Clone)]
pub struct Chain {
    seq: u64,
    prev: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { seq: 0, prev: "0".repeat(64) }
    }
}

impl Chain {
    /// Goes on behind an event.
    #[must_use]
    pub fn after(last: &Event) -> Self {
        Self { seq: last.seq + 1, prev: last.hash.clone() }
    }

    /// Makes the next event.
    pub fn next(
        &mut self,
        at_ns: i64,
        t_ns: i64,
        kind: EventKind,
        text: String,
        data: serde_json::Value,
    ) -> Event {
        let mut event = Event {
            v: 1,
            seq: self.seq,
            at_ns,
            t_ns,
            kind,
            text,
            data,
            prev: self.prev.clone(),
            hash: String::new(),
        };
        event.hash = digest(&event);
        self.seq += 1;
        self.prev.clone_from(&event.hash);
        event
    }
}

fn digest(event: &Event) -> String {
    let bare = Event { hash: String::new(), ..event.clone() };
    let json = serde_json::to_vec(&bare).unwrap_or_default();
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Index of the first event that breaks the chain; `None` when it holds.
#[must_use]
pub fn first_break(events: &[Event]) -> Option<usize> {
    let mut prev = "0".repeat(64);
    for (index, event) in events.iter().enumerate() {
        if event.prev != prev || event.seq != index as u64 || digest(event) != event.hash {
            return Some(index);
        }
        prev.clone_from(&event.hash);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_breaks_the_chain() {
        let mut chain = Chain::default();
        let mut events: Vec<Event> = (0..4)
            .map(|n| chain.next(n, n, EventKind::Run, format!("event {n}"), serde_json::json!({ "n": n })))
            .collect();
        assert_eq!(first_break(&events), None);
        events[2].text.push('!');
        assert_eq!(first_break(&events), Some(2));
    }

    /// A line is hashed as it is written again: numbers must come back to the last digit.
    #[test]
    fn numbers_that_were_read_again_keep_the_chain() {
        let mut chain = Chain::default();
        for rate in [550.0 / 3.0, 0.1 + 0.2, 1e-7, 16_383.0 / 7.0, f64::MAX] {
            let event = chain.next(1, 1, EventKind::Run, String::new(), serde_json::json!({ "rate": rate }));
            let read: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
            assert_eq!(first_break(&[read]), None, "{rate}");
            chain = Chain::default();
        }
    }
}
