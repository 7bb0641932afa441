//! A run in plain lines: one every ten seconds, at every change of phase and every event.

use peakdrill_drill_model::snapshot::{RunState, Snapshot};
use peakdrill_timebase::{format_duration, format_rate};

use super::note;

/// Time between two lines when nothing happens.
const EVERY_NS: u64 = 10_000_000_000;

/// What was said so far.
#[derive(Default)]
pub(crate) struct Lines {
    activity: String,
    phase: String,
    next_ns: u64,
    events: Vec<String>,
    any: bool,
}

impl Lines {
    /// Says what is new.
    pub(crate) fn show(&mut self, now: &Snapshot) {
        if now.state == RunState::Preflight {
            if now.activity != self.activity {
                self.activity.clone_from(&now.activity);
                note(&format!("preflight: {}\n", now.activity));
            }
            return;
        }
        self.events(now);
        let due = !self.any || now.phase != self.phase || now.elapsed_ns >= self.next_ns;
        if due && now.state != RunState::Done && now.sent > 0 {
            self.any = true;
            self.phase.clone_from(&now.phase);
            self.next_ns = now.elapsed_ns + EVERY_NS;
            note(&line(now));
        }
    }

    fn events(&mut self, now: &Snapshot) {
        let known = self.events.last();
        let from =
            known.and_then(|last| now.events.iter().rposition(|event| event == last)).map_or(0, |at| at + 1);
        for event in &now.events[from.min(now.events.len())..] {
            note(&format!("  · {event}\n"));
        }
        self.events.clone_from(&now.events);
    }
}

fn line(now: &Snapshot) -> String {
    let ms =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |ms| format_duration((ms * 1e6) as u64));
    let missed = if now.intended > 0 { now.missed as f64 / now.intended as f64 * 100.0 } else { 0.0 };
    let errors = if now.completed > 0 { now.errors as f64 / now.completed as f64 * 100.0 } else { 0.0 };
    let target = match now.target_rate {
        Some(rate) => format!("target {}", format_rate(rate)),
        None => if now.closed_loop { "closed loop" } else { "no target" }.to_owned(),
    };
    let nearest = now.guards.first().and_then(|guard| Some((guard.nearness?, &guard.text)));
    let guards = nearest
        .map_or_else(String::new, |(near, text)| format!("  nearest guard {:.0}% ({text})", near * 100.0));
    let limiting = now.ranking.first().filter(|node| node.share.estimate.is_some_and(|share| share >= 0.2));
    let limiting = limiting.map_or_else(String::new, |node| format!("  slowest to grow: {}", node.node));
    let note = if now.phase_note.is_empty() { String::new() } else { format!("  {}", now.phase_note) };
    format!(
        "{:>6} {:<14} {target}  sent {}  missed {missed:.2}%  p50 {} p99 {}  errors {errors:.2}%  in flight {}{guards}{limiting}{note}\n",
        format_duration(now.elapsed_ns / 1_000_000_000 * 1_000_000_000),
        now.phase,
        format_rate(now.sent_rate),
        ms(now.latency_ms.p50),
        ms(now.latency_ms.p99),
        now.in_flight,
    )
}
