//! Gates, and the conditions of gates and guards against the names of the file.

use peakdrill_drill_model::condition::{Condition, Stat};
use peakdrill_drill_model::plan::{Gate, Load};

use super::journeys::Journeys;
use crate::codes::{E0310, E0316, E0317, E0504, E0505, E0701};
use crate::condition::{Kind, parse_condition};
use crate::ctx::{Ctx, draft, list_of, nearest};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};

/// What conditions may speak of.
pub(super) struct Names {
    journeys: Vec<String>,
    steps: Vec<(String, String)>,
    phases: Vec<(String, bool)>,
    /// Whether answers are looked at for the acknowledgement of the tag.
    acked: bool,
}

impl Names {
    /// Without phases yet: those may have conditions themselves.
    pub(super) fn new(journeys: &Journeys, acked: bool) -> Self {
        Self {
            journeys: journeys.plans.iter().map(|journey| journey.name.clone()).collect(),
            steps: journeys.steps.iter().map(|info| (info.journey.clone(), info.step.clone())).collect(),
            phases: Vec::new(),
            acked,
        }
    }

    /// Adds the names of phases.
    pub(super) fn with_phases(mut self, load: &Load) -> Self {
        self.phases = load.phases.iter().map(|phase| (phase.name.clone(), phase.measure)).collect();
        self
    }
}

/// Reads a condition and checks its names.
pub(super) fn condition(ctx: &Ctx<'_>, node: &Node, kind: Kind, names: &Names) -> Option<Condition> {
    // YAML reads `a{b: c} > d` fine as text, but `- p99: 5` as a mapping: say what is meant.
    if matches!(node.value, Value::Map(_)) {
        let found = draft(E0310, node.span, "a condition must be text, not a mapping");
        ctx.push(found.help("write `- p99 > 2s for 5s`, in quotes when it holds `: `"));
        return None;
    }
    let text = ctx.text(node, "a condition")?;
    match parse_condition(&text, kind) {
        Ok(condition) if condition.stat == Stat::AckMissing && !names.acked => {
            let message = "`ack_missing` is measured only where the tag must be acknowledged";
            let found = draft(E0504, ctx.within(node, "ack_missing"), message);
            ctx.push(found.help("write `ack: { require: 100% }` in `shadow`, or remove the condition"));
            None
        }
        Ok(condition) => check_names(ctx, node, &condition, names).then_some(condition),
        Err(error) => {
            let piece = text.get(error.range).unwrap_or_default();
            let mut found = draft(error.code, ctx.within(node, piece), error.message);
            if let Some(help) = error.help {
                found = found.help(help);
            }
            ctx.push(found);
            None
        }
    }
}

fn check_names(ctx: &Ctx<'_>, node: &Node, condition: &Condition, names: &Names) -> bool {
    let mut good = true;
    let journey = condition.select.journey.as_deref();
    if let Some(journey) = journey
        && !names.journeys.is_empty()
        && !names.journeys.iter().any(|known| known == journey)
    {
        let known: Vec<_> = names.journeys.iter().map(String::as_str).collect();
        missing(ctx, node, "journey", journey, &known);
        good = false;
    }
    if let (true, Some(step)) = (good, condition.select.step.as_deref()) {
        let fits = |(of, _): &&(String, String)| journey.is_none_or(|journey| journey == of);
        let known: Vec<_> = names.steps.iter().filter(fits).map(|(_, step)| step.as_str()).collect();
        if !known.is_empty() && !known.contains(&step) {
            missing(ctx, node, "step", step, &known);
            good = false;
        }
    }
    good
}

fn missing(ctx: &Ctx<'_>, node: &Node, what: &str, name: &str, known: &[&str]) {
    let message = format!("there is no {what} `{name}`");
    let mut found =
        draft(E0316, ctx.within(node, name), message).label(format!("expected {}", list_of(known)));
    if let Some(near) = nearest(name, known.iter().copied()) {
        found = found.help(format!("did you mean `{near}`?"));
    }
    ctx.push(found);
}

pub(super) fn lower(ctx: &Ctx<'_>, node: Option<&Node>, place: Span, names: &Names) -> Vec<Gate> {
    let Some(items) = node.and_then(|node| ctx.items(node, place, "`gates`")) else { return Vec::new() };
    if items.len() > limits::MAX_CONDITIONS {
        ctx.push(draft(E0701, place, format!("more than {} gates", limits::MAX_CONDITIONS)));
        return Vec::new();
    }
    let mut seen: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for item in items {
        let Some((gate, span)) = one(ctx, item, names) else { continue };
        if seen.contains(&gate.name) {
            let found = draft(E0317, span, format!("two gates have the name `{}`", gate.name));
            ctx.push(found.help("give one another `name`"));
        }
        seen.push(gate.name.clone());
        out.push(gate);
    }
    out
}

fn one(ctx: &Ctx<'_>, item: &Node, names: &Names) -> Option<(Gate, Span)> {
    let line = |span: Span| ctx.source.place(span.start).0 as u32;
    if matches!(item.value, Value::Scalar(_)) {
        let condition = condition(ctx, item, Kind::Gate, names)?;
        measured(ctx, item.span, names);
        let assert = condition.text.clone();
        let (min_samples, during) = (min_samples(&condition), Vec::new());
        let line = line(item.span);
        let gate =
            Gate { name: assert.clone(), assert, condition, during, min_samples, warn_only: false, line };
        return Some((gate, item.span));
    }
    let fields = ctx.fields(item, item.span, &keys::GATE)?;
    let assert = fields.get("assert");
    let condition = assert.and_then(|node| condition(ctx, node, Kind::Gate, names));
    let name = fields.get("name").and_then(|node| {
        let name = ctx.text(node, "the gate's name")?;
        ctx.title_ok(node, &name, "a gate");
        Some(name.into_owned())
    });
    let during = fields.get("during").map(|node| during(ctx, node, fields.key_span("during"), names));
    let samples = fields
        .get("min_samples")
        .and_then(|node| ctx.whole(node, "`min_samples`", 0..=1_000_000_000_000_u64));
    let level = fields.get("level").and_then(|node| ctx.choice(node, "`level`", &["fail", "warn"]));
    let condition = condition?;
    if during.is_none() {
        measured(ctx, fields.place, names);
    }
    let gate = Gate {
        name: name.unwrap_or_else(|| condition.text.clone()),
        assert: condition.text.clone(),
        during: during.unwrap_or_default(),
        min_samples: samples.unwrap_or_else(|| min_samples(&condition)),
        warn_only: level == Some("warn"),
        line: assert.map_or(0, |node| line(node.span)),
        condition,
    };
    Some((gate, item.span))
}

/// A gate that names no phases looks at those that are measured: there must be one.
fn measured(ctx: &Ctx<'_>, place: Span, names: &Names) {
    if !names.phases.is_empty() && names.phases.iter().all(|(_, measured)| !measured) {
        let found = draft(E0505, place, "no phase is measured, so this gate could never be decided");
        ctx.push(found.help("remove `measure: false` from a phase"));
    }
}

/// Counts and rates need no number of samples: one look is enough.
fn min_samples(condition: &Condition) -> u64 {
    match condition.stat {
        Stat::Latency(_) | Stat::Service(_) | Stat::ErrorRate | Stat::AckMissing => {
            limits::DEFAULT_MIN_SAMPLES
        }
        _ => 0,
    }
}

fn during(ctx: &Ctx<'_>, node: &Node, place: Span, names: &Names) -> Vec<String> {
    let mut out = Vec::new();
    let mut measured = false;
    let items = ctx.items(node, place, "`during`").unwrap_or_default();
    for item in items {
        let Some(name) = ctx.text(item, "a phase") else { continue };
        match names.phases.iter().find(|(known, _)| *known == name) {
            Some((_, counts)) => measured |= counts,
            None if names.phases.is_empty() => measured = true,
            None => {
                let known: Vec<_> = names.phases.iter().map(|(known, _)| known.as_str()).collect();
                missing(ctx, item, "phase", &name, &known);
                measured = true;
            }
        }
        out.push(name.into_owned());
    }
    if !measured {
        let found = draft(E0505, place, "this gate looks at no measured phase, so it could never be decided");
        ctx.push(found.help("name a phase without `measure: false`"));
    }
    out
}
