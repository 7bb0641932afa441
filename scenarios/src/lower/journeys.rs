//! Journeys: requests, pauses and choices.

use std::collections::BTreeSet;

use peakdrill_drill_model::plan::{Branch, Journey, Node as Step, StepInfo};
use peakdrill_timebase::{NS_PER_S, UnitError, parse_duration};

use super::feeders::Slot;
use super::targets::Lowered;
use super::template::Scope;
use super::{request, targets};
use crate::codes::{E0318, E0401, E0402, E0403, E0701};
use crate::ctx::{Ctx, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};

/// Longest pause.
const MAX_THINK_NS: u64 = 3_600 * NS_PER_S;

/// All journeys.
#[derive(Default)]
pub(crate) struct Journeys {
    pub(crate) plans: Vec<Journey>,
    pub(crate) steps: Vec<StepInfo>,
    /// Where each journey's name stands.
    pub(crate) spans: Vec<Span>,
    /// Indices of the feeders that each journey uses.
    pub(crate) feeders: Vec<BTreeSet<u16>>,
}

/// What the steps of a journey are lowered with.
pub(super) struct Env<'e> {
    pub(super) ctx: &'e Ctx<'e>,
    pub(super) targets: &'e [Lowered],
    pub(super) journey: &'e str,
    pub(super) steps: &'e mut Vec<StepInfo>,
    pub(super) seen: Vec<(String, Span)>,
    pub(super) scope: Scope<'e>,
    /// Whether the journey keeps cookies.
    pub(super) cookies: bool,
}

pub(super) fn lower(ctx: &Ctx<'_>, node: Option<&Node>, targets: &[Lowered], feeders: &[Slot]) -> Journeys {
    let mut out = Journeys::default();
    let Some(node) = node else { return out };
    let Some(entries) = ctx.mapping(node, node.span, "`journeys`") else { return out };
    if entries.is_empty() {
        ctx.push(draft(E0318, node.span, "`journeys` is empty: a drill has at least one"));
    }
    if entries.len() > limits::MAX_JOURNEYS {
        ctx.push(draft(E0701, node.span, format!("more than {} journeys", limits::MAX_JOURNEYS)));
        return out;
    }
    for (name, key, value) in entries {
        ctx.name_ok(key, name, "a journey");
        let scope = Scope::new(ctx, feeders, extracted_anywhere(value));
        let Some(fields) = ctx.fields(value, key.span, &keys::JOURNEY) else { continue };
        let cookies = fields.get("cookies").and_then(|node| ctx.boolean(node, "`cookies`")).unwrap_or(false);
        let steps = &mut out.steps;
        let mut env = Env { ctx, targets, journey: name, steps, seen: Vec::new(), scope, cookies };
        let steps = fields.get("steps").map(|node| env.list(node, fields.key_span("steps")));
        let Some(steps) = steps else { continue };
        let used = env.scope.used_feeders;
        if out.steps.len() > limits::MAX_STEPS {
            ctx.push(draft(E0701, key.span, format!("more than {} request steps", limits::MAX_STEPS)));
            return out;
        }
        out.plans.push(Journey { name: name.to_owned(), share: 0.0, cookies, steps });
        out.spans.push(key.span);
        out.feeders.push(used);
    }
    out
}

impl Env<'_> {
    fn list(&mut self, node: &Node, place: Span) -> Vec<Step> {
        let Some(items) = self.ctx.items(node, place, "`steps`") else { return Vec::new() };
        if items.is_empty() {
            self.ctx.push(draft(E0318, place, "`steps` is empty: write at least one"));
        }
        items.iter().filter_map(|item| self.step(item)).collect()
    }

    fn step(&mut self, item: &Node) -> Option<Step> {
        let (kind, key, value) = self.ctx.variant(item, item.span, &keys::STEP)?;
        match kind {
            "think" => think(self.ctx, value),
            "choose" => self.choose(value, key),
            method => {
                request::lower(self, method, value, key).map(|request| Step::Request(Box::new(request)))
            }
        }
    }

    fn choose(&mut self, node: &Node, key: Span) -> Option<Step> {
        let items = self.ctx.items(node, key, "`choose`")?;
        if items.is_empty() {
            self.ctx.push(draft(E0318, key, "`choose` is empty: write at least one branch"));
        }
        let before = self.scope.extracted.clone();
        let mut after: Option<BTreeSet<String>> = None;
        let mut branches = Vec::new();
        for item in items {
            let Some(fields) = self.ctx.fields(item, item.span, &keys::BRANCH) else { continue };
            let weight = fields.get("weight").and_then(|node| weight(self.ctx, node));
            self.scope.extracted.clone_from(&before);
            let place = fields.key_span("steps");
            let steps = fields.get("steps").map(|node| self.list(node, place)).unwrap_or_default();
            let here = std::mem::take(&mut self.scope.extracted);
            after = Some(after.map_or(here.clone(), |known| known.intersection(&here).cloned().collect()));
            branches.push(Branch { weight: weight.unwrap_or(1.0), steps });
        }
        self.scope.extracted = after.unwrap_or(before);
        Some(Step::Choose(branches))
    }

    /// Gives a request step its index, and its name for results.
    pub(super) fn register(&mut self, name: String, span: Span, outcomes: Vec<String>) -> u16 {
        targets::unique(self.ctx, &mut self.seen, &name, span, "steps of a journey");
        let id = self.steps.len().min(usize::from(u16::MAX)) as u16;
        // Far above the limit nothing is kept: the journey is reported as too long.
        if self.steps.len() <= limits::MAX_STEPS {
            self.steps.push(StepInfo { journey: self.journey.to_owned(), step: name, outcomes });
        }
        id
    }
}

fn weight(ctx: &Ctx<'_>, node: &Node) -> Option<f64> {
    let weight = ctx.number(node, "`weight`", 0.0..=1e9)?;
    if weight > 0.0 {
        return Some(weight);
    }
    ctx.push(draft(E0403, node.span, "`weight` must be above 0").help("remove a branch that is never taken"));
    None
}

fn think(ctx: &Ctx<'_>, node: &Node) -> Option<Step> {
    let text = ctx.text(node, "`think`")?;
    let (low, high) = text.split_once("..").unwrap_or((&text, &text));
    let read = |part: &str| match parse_duration(part) {
        Ok(ns) if ns <= MAX_THINK_NS => Some(ns),
        Ok(_) => {
            ctx.push(draft(E0403, node.span, "`think` is longer than an hour"));
            None
        }
        Err(why) => {
            let code = if matches!(why, UnitError::NoUnit(_)) { E0401 } else { E0402 };
            let message = format!("`think` cannot be read: `{part}`: {why}");
            ctx.push(draft(code, node.span, message).help("write `300ms` or `300ms..1500ms`"));
            None
        }
    };
    let (min_ns, max_ns) = (read(low)?, read(high)?);
    if min_ns > max_ns {
        ctx.push(draft(E0403, node.span, "`think` runs from the longer to the shorter time"));
        return None;
    }
    Some(Step::Think { min_ns, max_ns })
}

/// All names that steps below a node extract: tells a name used too early from one that does not exist.
fn extracted_anywhere(node: &Node) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &node.value {
            Value::Seq(items) => open.extend(items),
            Value::Map(entries) => {
                for (key, value) in entries {
                    let is_extract = key.scalar().is_some_and(|scalar| scalar.text == "extract");
                    if let (true, Value::Map(names)) = (is_extract, &value.value) {
                        found.extend(names.iter().filter_map(|(name, _)| Some(name.scalar()?.text.clone())));
                    }
                    open.push(value);
                }
            }
            Value::Scalar(_) => {}
        }
    }
    found
}
