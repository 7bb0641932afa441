//! The load of a run by windows, as it is read: what of it is compared, and no more.

use std::collections::BTreeMap;

use peakdrill_bottleneck::baseline::Window;
use peakdrill_drill_model::event::{Event, EventKind};
use peakdrill_drill_model::frame::Frame;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Plan, StepId};
use peakdrill_drill_model::timeline::Timeline;
use serde_json::Value;

use super::parts::{Part, parts};
use crate::fold::open;

const S: u64 = 1_000_000_000;

/// The requests of a run, by part of the load, step and window.
#[derive(Debug, Clone)]
pub struct LoadWindows {
    pub(super) parts: Vec<Part>,
    steps: BTreeMap<(usize, StepId), Vec<Seen>>,
    /// The last second of the load that is told of.
    last: Option<u32>,
    /// The end of the load as it was planned, or changed.
    end_ns: u64,
    /// Whether a person cut the connections, and did not wait for answers.
    is_cut: bool,
}

/// What was seen in a window.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// With what was cut off, as errors.
    window: Window,
    /// Requests that had no answer when the drain was over, or the connections were cut.
    cut_off: u64,
}

impl Seen {
    /// The same without what was cut off: it neither ended nor failed. How long it had waited by then stays, the least that it
    /// would have taken.
    fn answered(&self) -> Window {
        Window {
            latency: self.window.latency.clone(),
            ended: self.window.ended.saturating_sub(self.cut_off),
            errors: self.window.errors.saturating_sub(self.cut_off),
        }
    }
}

impl LoadWindows {
    /// None yet, of a run with this plan that started then (Unix nanoseconds; 0: never), as its events changed it.
    #[must_use]
    pub fn new(plan: &Plan, started_unix_ns: i64, events: &[Event]) -> Self {
        let (timeline, _) = Timeline::of_record(&plan.load, started_unix_ns, events);
        let parts = parts(&plan.load.phases, &timeline);
        let is_cut = |event: &Event| {
            event.kind == EventKind::Operator && event.data.get("cut").and_then(Value::as_bool) == Some(true)
        };
        let is_cut = events.iter().any(is_cut);
        Self { parts, steps: BTreeMap::new(), last: None, end_ns: timeline.end_ns(), is_cut }
    }

    /// Takes a frame; they may come in any order, and those of the same second add up.
    pub fn add(&mut self, frame: &Frame) {
        let Some(step) = frame.step else {
            self.last = self.last.max(Some(frame.second));
            return;
        };
        let mut of_phase = self.parts.iter().enumerate().filter(|(_, part)| part.phase == frame.phase);
        let found = of_phase.find_map(|(at, part)| Some((at, part.window(frame.second)?)));
        // One whose histogram cannot be read makes its run invalid.
        let (Some((part, window)), Some(latency)) = (found, open(&frame.latency)) else { return };
        let windows = self.steps.entry((part, step)).or_default();
        if windows.len() <= window {
            windows.resize_with(window + 1, Seen::default);
        }
        let errors: u64 = frame.errors.values().fold(0, |sum, n| sum.saturating_add(*n));
        let cut_off = frame.errors.get(&ErrorClass::Cancelled).copied().unwrap_or(0);
        let seen = &mut windows[window];
        seen.window.add(&Window::new(&latency.to_sparse(), frame.completed, errors));
        seen.cut_off = seen.cut_off.saturating_add(cut_off);
    }

    /// The windows of a step in a part that the run came to the end of. What a person cut off, before the load was to end, is no
    /// fault of who would have answered. Else, also after a stop, it is what the drain waited for in vain, and an error.
    pub(super) fn of(&self, part: usize, step: StepId) -> Vec<Window> {
        let is_forgiven = self.is_cut && self.is_cut_short();
        let seen = self.steps.get(&(part, step)).into_iter().flatten();
        let window = |seen: &Seen| if is_forgiven { seen.answered() } else { seen.window.clone() };
        let mut windows: Vec<Window> = seen.map(window).collect();
        windows.resize_with(self.ran(part), Window::default);
        windows
    }

    /// The same of what is known by the second.
    pub(super) fn of_seconds(&self, part: usize, seconds: &BTreeMap<i64, Window>) -> Vec<Window> {
        let mut windows = vec![Window::default(); self.ran(part)];
        let Some(at) = self.parts.get(part) else { return windows };
        for (second, more) in seconds {
            let window = u32::try_from(*second).ok().and_then(|second| at.window(second));
            if let Some(sum) = window.and_then(|window| windows.get_mut(window)) {
                sum.add(more);
            }
        }
        windows
    }

    /// Windows of a part that were run.
    pub(super) fn ran(&self, part: usize) -> usize {
        self.parts.get(part).map_or(0, |part| part.windows_before(self.end()))
    }

    /// Seconds of a part that were run.
    pub(super) fn ran_s(&self, part: usize) -> u32 {
        self.parts.get(part).map_or(0, |part| part.seconds_before(self.end()))
    }

    /// The first second that is not whole: the last one, where the run ended before it was planned to.
    fn end(&self) -> u32 {
        let Some(last) = self.last else { return 0 };
        if self.is_cut_short() { last } else { last.saturating_add(1) }
    }

    /// Whether the load ended before it was planned to, as far as its seconds tell.
    fn is_cut_short(&self) -> bool {
        let ended = self.last.map_or(0, |last| last.saturating_add(1));
        u64::from(ended).saturating_mul(S) < self.end_ns
    }
}
