//! What only the whole file shows: production's rules, limits, rows of feeders, things not used.

use peakdrill_drill_model::plan::{Node as Step, Plan};
use peakdrill_timebase::format_rate;

use super::feeders::Slot;
use super::flow::Fragment;
use super::journeys::Journeys;
use super::targets::Lowered;
use crate::codes::{E0319, E0406, E0420, E0601, E0602, E0603, E0604, E0606, E0701, W0802, W0806};
use crate::ctx::{Ctx, Fields, draft};
use crate::feasible::{MORE_ROWS, host_matches, rows_needed, too_few_rows, too_long};
use crate::limits;

/// Everything that was lowered, and where it stands.
pub(super) struct Checked<'c> {
    pub(super) ctx: &'c Ctx<'c>,
    pub(super) top: &'c Fields<'c>,
    pub(super) targets: &'c [Lowered],
    pub(super) feeders: &'c [Slot],
    pub(super) journeys: &'c Journeys,
    pub(super) fragments: &'c [Fragment<'c>],
}

impl Checked<'_> {
    pub(super) fn run(&self, plan: &Plan) {
        if plan.is_production() {
            self.production(plan);
        } else {
            self.isolation_is_used();
        }
        self.hosts(plan);
        self.limits(plan);
        self.rows(plan);
        self.unused();
        if let Some(shadow) = &plan.shadow {
            let header = shadow.header.as_str();
            plan.journeys.iter().for_each(|journey| self.shadow_header(&journey.steps, header));
        }
    }

    /// Each missing block is an error of its own, and so is a block without substance.
    fn production(&self, plan: &Plan) {
        let at = self.top.key_span("environment");
        let need = |code, block: &str, what: &str, help: &str| {
            let (place, message) = if self.top.get(block).is_some() {
                (self.top.key_span(block), format!("a production drill needs {what}"))
            } else {
                (at, format!("a production drill needs the `{block}` block"))
            };
            self.ctx.push(draft(code, place, message).label("production").help(help));
        };
        if plan.shadow.as_ref().is_none_or(|shadow| shadow.key_secret.is_none()) {
            need(E0601, "shadow", "a signing key in `shadow`", "`shadow: { key: \"${secret:NAME}\" }`");
        }
        if plan.isolation.stores.is_empty() && plan.isolation.stubs.is_empty() {
            let help = "declare the stores and third parties that the drill reaches";
            need(E0602, "isolation", "at least one store or stub in `isolation`", help);
        }
        if plan.guards.stop.is_empty() {
            let help = "`guards: { stop: [error_rate > 2% for 3s] }`";
            need(E0603, "guards", "at least one condition in `guards.stop`", help);
        }
    }

    /// Without a tag every hop takes the drill for live traffic, whatever is declared of stores and stubs.
    fn isolation_is_used(&self) {
        if self.top.get("isolation").is_some() && self.top.get("shadow").is_none() {
            let message = "`isolation` has no meaning without `shadow`: requests carry no tag, and hops take them as live";
            let found = draft(E0319, self.top.key_span("isolation"), message);
            self.ctx.push(found.help("write `shadow: { key: \"${secret:NAME}\" }`, or remove `isolation`"));
        }
    }

    fn hosts(&self, plan: &Plan) {
        let (allow, deny) = (&plan.guards.hosts_allow, &plan.guards.hosts_deny);
        for target in self.targets.iter().filter(|target| !target.host.is_empty()) {
            let hit = |patterns: &[String]| {
                patterns.iter().find(|pattern| host_matches(pattern, &target.host)).cloned()
            };
            if let Some(pattern) = hit(deny) {
                let message = format!("the host `{}` is denied by `{pattern}`", target.host);
                self.ctx.push(draft(E0604, target.span, message).label("guards.limits.hosts.deny"));
            } else if !allow.is_empty() && hit(allow).is_none() {
                let message = format!("the host `{}` is not among the allowed hosts", target.host);
                self.ctx.push(draft(E0604, target.span, message).label("guards.limits.hosts.allow"));
            }
            // Where load really goes may be denied by its address as well.
            for address in &target.plan.resolve.addresses {
                let ip = address.ip().to_string();
                if let Some(pattern) = deny.iter().find(|pattern| host_matches(pattern, &ip)) {
                    let message = format!("the address `{ip}` is denied by `{pattern}`");
                    self.ctx.push(draft(E0604, target.span, message).label("guards.limits.hosts.deny"));
                }
            }
        }
    }

    fn limits(&self, plan: &Plan) {
        let place = self.top.key_span("load");
        let peak = plan.load.phases.iter().map(|phase| phase.shape.peak()).fold(0.0, f64::max);
        if let Some(limit) = plan.guards.limit_rate.filter(|limit| peak > *limit) {
            let message =
                format!("the load peaks at {}, above the limit of {}", format_rate(peak), format_rate(limit));
            self.ctx.push(draft(E0606, place, message).label("guards.limits.rate"));
        }
        if let Some(message) = too_long(plan) {
            self.ctx.push(draft(E0606, place, message).label("guards.limits.duration"));
        }
        if peak > limits::MAX_RATE_PER_S {
            let message = format!("the load peaks at {}, above what a drill can send", format_rate(peak));
            self.ctx.push(draft(E0701, place, message));
        }
    }

    fn rows(&self, plan: &Plan) {
        for (at, slot) in self.feeders.iter().enumerate() {
            let feeder = &slot.feeder;
            let needed = rows_needed(plan, at as u16, &self.journeys.feeders);
            let Some((fail, message)) = too_few_rows(feeder, needed).filter(|_| slot.read && slot.ordered)
            else {
                continue;
            };
            let found = draft(if fail { E0420 } else { W0802 }, slot.span, message);
            self.ctx.push(found.help(MORE_ROWS));
        }
    }

    /// Beside an error, what is not used is often only misspelt where it should be.
    fn unused(&self) {
        if self.ctx.has_errors() {
            return;
        }
        for (at, slot) in self.feeders.iter().enumerate() {
            if !self.journeys.feeders.iter().any(|used| used.contains(&(at as u16))) {
                let message = format!("the feeder `{}` is not used", slot.feeder.name);
                self.ctx.push(draft(W0806, slot.span, message));
            }
        }
        for (at, fragment) in self.fragments.iter().enumerate() {
            // A file that several scenarios include may hold more than this one uses.
            let own = self.ctx.source.file(fragment.key.start).base == 0;
            if own && !self.journeys.used_fragments.contains(&at) {
                let message = format!("the fragment `{}` is not used", fragment.name);
                self.ctx.push(draft(W0806, fragment.key, message));
            }
        }
        let used = self.ctx.used_vars.borrow();
        let Some(node) = self.top.get("vars") else { return };
        let crate::node::Value::Map(entries) = &node.value else { return };
        for (key, _) in entries {
            let Some(name) = key.scalar().map(|scalar| scalar.text.as_str()) else { continue };
            if self.ctx.vars.borrow().contains_key(name) && !used.contains(name) {
                self.ctx.push(draft(W0806, key.span, format!("the variable `{name}` is not used")));
            }
        }
    }

    fn shadow_header(&self, steps: &[Step], header: &str) {
        for step in steps {
            if let Step::Request(request) = step
                && request.headers.iter().any(|(name, _)| name == header)
            {
                let message = format!("a step sets the shadow header `{header}`");
                self.ctx.push(draft(E0406, self.top.key_span("shadow"), message));
            }
            step.below().for_each(|below| self.shadow_header(below, header));
        }
    }
}
