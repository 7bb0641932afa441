//! Journeys and their steps.

use std::collections::BTreeSet;

use peakdrill_drill_model::pass::Pass;
use peakdrill_drill_model::plan::{Journey, Node as Step, StepInfo};
use peakdrill_timebase::format_duration;

use super::Entry;
use super::feeders::Slot;
use super::flow::{Fragment, think};
use super::targets::Lowered;
use super::template::Scope;
use super::ws::{self, Socket};
use super::{grpc, request, targets};
use crate::codes::{E0318, E0701};
use crate::ctx::{Ctx, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};

/// All journeys.
#[derive(Default)]
pub(crate) struct Journeys {
    pub(crate) plans: Vec<Journey>,
    pub(crate) steps: Vec<StepInfo>,
    /// Where each journey's name stands.
    pub(crate) spans: Vec<Span>,
    /// Indices of the feeders that each journey uses.
    pub(crate) feeders: Vec<BTreeSet<u16>>,
    /// Places of the fragments that some journey uses.
    pub(crate) used_fragments: BTreeSet<usize>,
}

/// What the steps of a journey are lowered with.
pub(super) struct Env<'e> {
    pub(super) ctx: &'e Ctx<'e>,
    pub(super) targets: &'e [Lowered],
    pub(super) fragments: &'e [Fragment<'e>],
    pub(super) journey: &'e str,
    pub(super) steps: &'e mut Vec<StepInfo>,
    pub(super) seen: Vec<(String, Span)>,
    /// Fragments that this step is in, the outermost first.
    pub(super) open: Vec<usize>,
    pub(super) used_fragments: &'e mut BTreeSet<usize>,
    /// Steps read so far.
    pub(super) nodes: usize,
    pub(super) scope: Scope<'e>,
    /// Names of all values that its steps extract.
    pub(super) extracted: BTreeSet<String>,
    /// Whether the journey keeps cookies.
    pub(super) cookies: bool,
    /// WebSockets met so far.
    pub(super) sockets: Vec<Socket>,
    /// Those that are open on every way to this step, a bit each.
    pub(super) open_sockets: u8,
}

/// Reads the journeys of all files.
pub(super) fn lower(
    ctx: &Ctx<'_>,
    entries: &[Entry<'_>],
    place: Span,
    fragments: &[Fragment<'_>],
    targets: &[Lowered],
    feeders: &[Slot],
) -> Journeys {
    let mut out = Journeys::default();
    if entries.is_empty() {
        ctx.push(draft(E0318, place, "`journeys` is empty: a drill has at least one"));
    }
    if entries.len() > limits::MAX_JOURNEYS {
        ctx.push(draft(E0701, place, format!("more than {} journeys", limits::MAX_JOURNEYS)));
        return out;
    }
    let mut shared = BTreeSet::new();
    fragments.iter().for_each(|fragment| extracted_anywhere(fragment.steps, &mut shared));
    for (name, key, value) in entries {
        ctx.name_ok(key, name, "a journey");
        let mut anywhere = shared.clone();
        extracted_anywhere(value, &mut anywhere);
        let scope = Scope::new(ctx, feeders, anywhere);
        let Some(fields) = ctx.fields(value, key.span, &keys::JOURNEY) else { continue };
        let cookies = fields.get("cookies").and_then(|node| ctx.boolean(node, "`cookies`")).unwrap_or(false);
        let mut env = Env {
            ctx,
            targets,
            fragments,
            journey: name,
            steps: &mut out.steps,
            seen: Vec::new(),
            open: Vec::new(),
            used_fragments: &mut out.used_fragments,
            nodes: 0,
            scope,
            extracted: BTreeSet::new(),
            cookies,
            sockets: Vec::new(),
            open_sockets: 0,
        };
        let steps = fields.get("steps").map(|node| env.list(node, fields.key_span("steps")));
        let Some(steps) = steps else { continue };
        let (used, nodes) = (env.scope.used_feeders, env.nodes);
        if out.steps.len() > limits::MAX_STEPS {
            ctx.push(draft(E0701, key.span, format!("more than {} request steps", limits::MAX_STEPS)));
            return out;
        }
        if let Some(what) = too_long(nodes, &Pass::of(&steps)) {
            ctx.push(draft(E0701, key.span, format!("the journey {what}")));
        }
        out.plans.push(Journey { name: (*name).to_owned(), share: 0.0, cookies, steps });
        out.spans.push(key.span);
        out.feeders.push(used);
    }
    out
}

/// What of a journey is beyond the limits.
fn too_long(nodes: usize, pass: &Pass) -> Option<String> {
    let all = "with all turns of its loops";
    if nodes > limits::MAX_JOURNEY_NODES {
        Some(format!("has more than {} steps", limits::MAX_JOURNEY_NODES))
    } else if pass.requests > limits::MAX_JOURNEY_REQUESTS {
        Some(format!("sends more than {} requests {all}", limits::MAX_JOURNEY_REQUESTS))
    } else if pass.steps > limits::MAX_PASS_STEPS {
        Some(format!("does more than {} steps {all}", limits::MAX_PASS_STEPS))
    } else if pass.pause_ns > limits::MAX_PASS_PAUSE_NS {
        let limit = format_duration(limits::MAX_PASS_PAUSE_NS);
        Some(format!("may pause for more than {limit} {all}, longer than any drill"))
    } else {
        None
    }
}

impl Env<'_> {
    pub(super) fn list(&mut self, node: &Node, place: Span) -> Vec<Step> {
        let Some(items) = self.ctx.items(node, place, "`steps`") else { return Vec::new() };
        if items.is_empty() {
            self.ctx.push(draft(E0318, place, "`steps` is empty: write at least one"));
        }
        items.iter().flat_map(|item| self.step(item)).collect()
    }

    fn step(&mut self, item: &Node) -> Vec<Step> {
        self.nodes += 1;
        // Far above the limit nothing is read: the journey is reported as too long.
        if self.nodes > limits::MAX_JOURNEY_NODES {
            return Vec::new();
        }
        let Some((kind, key, value)) = self.ctx.variant(item, item.span, &keys::STEP) else {
            return Vec::new();
        };
        let step = match kind {
            "use" => return self.fragment(value),
            "think" => think(self.ctx, value),
            "choose" => self.choose(value, key),
            "loop" => self.turns(value, key),
            "ws" => return ws::lower(self, value, key),
            "grpc" => grpc::lower(self, value, key).map(|call| Step::Request(Box::new(call))),
            method => {
                request::lower(self, method, value, key).map(|request| Step::Request(Box::new(request)))
            }
        };
        step.into_iter().collect()
    }

    /// Gives a request step its index, and its name for results.
    pub(super) fn register(&mut self, name: String, span: Span, outcomes: Vec<String>) -> u16 {
        // The same text again, in a fragment that is used twice, is the same step.
        let again = self.seen.contains(&(name.clone(), span));
        let same = |info: &StepInfo| info.journey == self.journey && info.step == name;
        if let Some(id) = self.steps.iter().position(same).filter(|_| again) {
            return id as u16;
        }
        targets::unique(self.ctx, &mut self.seen, &name, span, "steps of a journey");
        let id = self.steps.len().min(usize::from(u16::MAX)) as u16;
        // Far above the limit nothing is kept: the journey is reported as too long.
        if self.steps.len() <= limits::MAX_STEPS {
            let journey = self.journey.to_owned();
            self.steps.push(StepInfo { journey, step: name, outcomes, message: false });
        }
        id
    }

    /// Says of a step that it is a message.
    pub(super) fn is_message(&mut self, step: u16) {
        if let Some(info) = self.steps.get_mut(usize::from(step)) {
            info.message = true;
        }
    }
}

/// All names that steps below a node extract: tells a name used too early from one that does not exist.
fn extracted_anywhere(node: &Node, found: &mut BTreeSet<String>) {
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
}
