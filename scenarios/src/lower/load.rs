//! Load: phases, spacing and mix.

use peakdrill_drill_model::condition::Condition;
use peakdrill_drill_model::plan::{Arrivals, Load, Pacing, Phase};

use peakdrill_drill_model::shape::Shape;
use peakdrill_timebase::NS_PER_S;

use super::gates::{self, Names};
use super::journeys::Journeys;
use super::{shapes, targets};
use crate::codes::{E0311, E0316, E0318, E0319, E0506, E0701, E0702, W0805};
use crate::condition::Kind;
use crate::ctx::{Ctx, Fields, draft, nearest};
use crate::feasible::{requests_per_journey, requests_per_s};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

pub(super) fn lower(
    ctx: &Ctx<'_>,
    node: Option<&Node>,
    mix: Option<(&Node, Span)>,
    journeys: &mut Journeys,
    names: &Names,
) -> Load {
    let own = mix.and_then(|(node, place)| shares(ctx, node, place, journeys));
    let count = journeys.plans.len().max(1) as f64;
    for (at, journey) in journeys.plans.iter_mut().enumerate() {
        journey.share = own.as_ref().and_then(|shares| shares.get(at).copied()).unwrap_or(1.0 / count);
    }
    let mut load = Load {
        arrivals: Arrivals::Poisson,
        pacing: Pacing::Auto,
        seed: limits::DEFAULT_SEED,
        max_in_flight: limits::DEFAULT_IN_FLIGHT,
        phases: Vec::new(),
    };
    let Some(node) = node else { return load };
    let Some(fields) = ctx.fields(node, node.span, &keys::LOAD) else { return load };
    let in_requests =
        fields.get("unit").and_then(|node| ctx.choice(node, "`unit`", &["journeys", "requests"]))
            == Some("requests");
    if let Some(node) = fields.get("latency_from") {
        ctx.choice(node, "`latency_from`", &["intended"]);
    }
    load.arrivals = arrivals(ctx, fields.get("arrivals")).unwrap_or(Arrivals::Poisson);
    load.pacing = pacing(ctx, fields.get("pacing")).unwrap_or_default();
    if let Some(seed) = fields.get("seed").and_then(|node| ctx.whole(node, "`seed`", 0..=u64::MAX)) {
        load.seed = seed;
    }
    let in_flight = fields.get("max_in_flight");
    if let Some(max) =
        in_flight.and_then(|node| ctx.whole(node, "`max_in_flight`", 1..=limits::MAX_IN_FLIGHT))
    {
        load.max_in_flight = max;
    }
    if let Some(node) = fields.get("phases") {
        let reading =
            Reading { ctx, spacing: load.arrivals, journeys, names, in_requests, broken: ctx.has_errors() };
        load.phases = reading.phases(node, fields.key_span("phases"));
    }
    never_run(ctx, journeys, &load);
    load
}

fn arrivals(ctx: &Ctx<'_>, node: Option<&Node>) -> Option<Arrivals> {
    let word = ctx.choice(node?, "`arrivals`", &["poisson", "even"])?;
    Some(if word == "even" { Arrivals::Even } else { Arrivals::Poisson })
}

fn pacing(ctx: &Ctx<'_>, node: Option<&Node>) -> Option<Pacing> {
    let word = ctx.choice(node?, "`pacing`", keys::PACINGS)?;
    Some(match word {
        "precise" => Pacing::Precise,
        "economy" => Pacing::Economy,
        _ => Pacing::Auto,
    })
}

/// What the phases are read with.
struct Reading<'r> {
    ctx: &'r Ctx<'r>,
    /// Spacing of a phase that does not say its own.
    spacing: Arrivals,
    journeys: &'r Journeys,
    /// What conditions may speak of.
    names: &'r Names,
    /// Rates count requests.
    in_requests: bool,
    /// Something before the phases was reported, maybe a step.
    broken: bool,
}

impl Reading<'_> {
    fn phases(&self, node: &Node, place: Span) -> Vec<Phase> {
        let ctx = self.ctx;
        let Some(items) = ctx.items(node, place, "`phases`") else { return Vec::new() };
        if items.is_empty() {
            ctx.push(draft(E0318, place, "`phases` is empty: write at least one"));
        }
        if items.len() > limits::MAX_PHASES {
            ctx.push(draft(E0701, place, format!("more than {} phases", limits::MAX_PHASES)));
            return Vec::new();
        }
        let mut seen = Vec::new();
        let mut out = Vec::new();
        for item in items {
            let Some(fields) = ctx.fields(item, item.span, &keys::PHASE) else { continue };
            out.extend(self.phase(&fields, &mut seen));
        }
        let total =
            out.iter().fold(0_u64, |sum, phase: &Phase| sum.saturating_add(phase.shape.duration_ns()));
        if total > limits::MAX_DURATION_NS {
            ctx.push(draft(E0701, place, "the phases together last longer than 24 hours"));
        }
        let idle = |phase: &Phase| phase.shape.is_open() && phase.shape.peak() <= 0.0;
        if !out.is_empty() && out.len() == items.len() && out.iter().all(idle) {
            ctx.push(draft(E0702, place, "the load sends nothing: every rate is zero"));
        }
        out
    }

    fn phase(&self, fields: &Fields<'_>, seen: &mut Vec<(String, Span)>) -> Option<Phase> {
        let ctx = self.ctx;
        let name = fields.get("name").and_then(|node| {
            let name = ctx.text(node, "the phase's name")?;
            if ctx.name_ok(node, &name, "a phase") {
                targets::unique(ctx, seen, &name, node.span, "phases");
            }
            Some(name.into_owned())
        });
        let written = arrivals(ctx, fields.get("arrivals"));
        let measure = fields.get("measure").and_then(|node| ctx.boolean(node, "`measure`")).unwrap_or(true);
        let mix = fields.get("mix").and_then(|node| shares(ctx, node, fields.key_span("mix"), self.journeys));
        let shape = fields.get("shape").and_then(|node| shapes::lower(ctx, node, fields.key_span("shape")));
        let until = self.conditions(fields, "until", Kind::Until);
        let objective = self.conditions(fields, "objective", Kind::Objective);
        let (shape, own) = shape?;
        if let (Some(written), Some(own)) = (written, own)
            && written != own
        {
            let message = "the schedule of this phase says another spacing of its arrivals";
            ctx.push(draft(E0319, fields.key_span("arrivals"), message).help("remove `arrivals`"));
        }
        let arrivals = own.or(written).unwrap_or(self.spacing);
        let mut phase = Phase {
            name: name?,
            shape,
            arrivals,
            measure,
            mix,
            requests_per_journey: None,
            until,
            objective,
        };
        self.search_has_an_objective(&phase, fields);
        if self.in_requests && phase.shape.is_open() {
            self.count_requests(&mut phase, fields);
        }
        self.probes_are_long_enough(&phase, fields);
        Some(phase)
    }

    fn search_has_an_objective(&self, phase: &Phase, fields: &Fields<'_>) {
        let searches = matches!(phase.shape, Shape::Search { .. });
        let wrong = match (searches, fields.get("objective").is_some(), fields.get("until").is_some()) {
            (true, false, _) => {
                let found =
                    draft(E0311, fields.key_span("shape"), "a search needs the key `objective` of its phase");
                Some(found.help("write `objective: [\"rate >= 99% of intended\", \"p99 < 300ms\"]`"))
            }
            // Conditions that cannot be read were reported.
            (true, true, _) if phase.objective.is_empty() && !self.ctx.has_errors() => {
                Some(draft(E0318, fields.key_span("objective"), "`objective` is empty: write at least one"))
            }
            (true, _, true) => Some(draft(
                E0319,
                fields.key_span("until"),
                "a search ends by itself, so it takes no `until`",
            )),
            (false, true, _) => {
                let found = draft(E0319, fields.key_span("objective"), "only a `search` has an `objective`");
                Some(found.help("write a gate, or `until`"))
            }
            _ => None,
        };
        wrong.into_iter().for_each(|found| self.ctx.push(found));
    }

    /// A probe at the lowest rate is expected to get as many answers as each condition needs.
    fn probes_are_long_enough(&self, phase: &Phase, fields: &Fields<'_>) {
        let Shape::Search { range, probe_ns, .. } = phase.shape else { return };
        // Broken steps were reported where they stand.
        if self.journeys.plans.is_empty() || self.broken {
            return;
        }
        let of = (self.journeys.plans.as_slice(), self.journeys.steps.as_slice());
        for condition in &phase.objective {
            let needed = condition.stat.min_samples();
            let per_s = requests_per_s(of, phase, &condition.select, range.low);
            let expected = (per_s * probe_ns as f64 / NS_PER_S as f64).round();
            if expected >= needed as f64 {
                continue;
            }
            let message = format!(
                "`{}` needs {needed} answers in every probe, one at `low` gets about {expected}",
                condition.text
            );
            let found = draft(E0506, fields.key_span("objective"), message);
            self.ctx.push(if expected > 0.0 {
                let probe_s = (needed as f64 / per_s).ceil();
                found.help(format!("write `probe: {probe_s}s`, raise `low`, or ask for a lower quantile"))
            } else {
                found.help("ask of a journey or a step that this phase runs")
            });
        }
    }

    fn conditions(&self, fields: &Fields<'_>, key: &str, kind: Kind) -> Vec<Condition> {
        let Some(node) = fields.get(key) else { return Vec::new() };
        let place = fields.key_span(key);
        let items = self.ctx.items(node, place, &format!("`{key}`")).unwrap_or_default();
        if items.len() > limits::MAX_CONDITIONS {
            self.ctx.push(draft(E0701, place, format!("more than {} conditions", limits::MAX_CONDITIONS)));
            return Vec::new();
        }
        items.iter().filter_map(|item| gates::condition(self.ctx, item, kind, self.names)).collect()
    }

    /// Turns rates of requests into rates of journeys, by the number of requests that a journey is expected to send.
    fn count_requests(&self, phase: &mut Phase, fields: &Fields<'_>) {
        // Broken steps were reported where they stand.
        if self.journeys.plans.is_empty() || self.ctx.has_errors() {
            return;
        }
        let requests = requests_per_journey(&self.journeys.plans, phase);
        if requests <= 0.0 {
            let message = "`unit: requests`, but no journey of this phase's mix sends a request";
            self.ctx.push(draft(E0702, fields.place, message));
            return;
        }
        phase.shape = phase.shape.scaled(1.0 / requests);
        phase.requests_per_journey = Some(requests);
    }
}

/// Relative shares by journey, made to sum to 1. Journeys that are not named get none.
fn shares(ctx: &Ctx<'_>, node: &Node, place: Span, journeys: &Journeys) -> Option<Vec<f64>> {
    let entries = ctx.mapping(node, place, "`mix`")?;
    let mut out = vec![0.0; journeys.plans.len()];
    let mut whole = true;
    for (name, key, value) in entries {
        let weight = ctx.number(value, &format!("the share of `{name}`"), 0.0..=1e9);
        let at = journeys.plans.iter().position(|journey| journey.name == name);
        if at.is_none() && !journeys.plans.is_empty() {
            let mut found = draft(E0316, key.span, format!("there is no journey `{name}`"));
            if let Some(near) = nearest(name, journeys.plans.iter().map(|journey| journey.name.as_str())) {
                found = found.help(format!("did you mean `{near}`?"));
            }
            ctx.push(found);
        }
        match at.and_then(|at| out.get_mut(at)).zip(weight) {
            Some((slot, weight)) => *slot = weight,
            None => whole = false,
        }
    }
    let sum: f64 = out.iter().sum();
    if !whole {
        return None;
    }
    if sum <= 0.0 {
        ctx.push(draft(E0702, place, "every share of the mix is zero"));
        return None;
    }
    Some(out.into_iter().map(|weight| weight / sum).collect())
}

fn never_run(ctx: &Ctx<'_>, journeys: &Journeys, load: &Load) {
    for (at, (journey, span)) in journeys.plans.iter().zip(&journeys.spans).enumerate() {
        let share =
            |phase: &Phase| phase.mix.as_ref().and_then(|mix| mix.get(at).copied()).unwrap_or(journey.share);
        if !load.phases.is_empty() && load.phases.iter().all(|phase| share(phase) <= 0.0) {
            let message = format!("the journey `{}` never runs: no mix gives it a share", journey.name);
            ctx.push(draft(W0805, *span, message).help("give it a share in `mix`, or remove it"));
        }
    }
}
