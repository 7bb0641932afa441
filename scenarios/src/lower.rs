//! Tree to plan, collecting every finding in one pass.

use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{PLAN_VERSION, Plan, Report};

use crate::codes::{E0101, E0102, E0103, E0314};
use crate::ctx::{Ctx, Fields, draft};
use crate::input::{Input, Parsed};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};
use crate::yaml;

mod check;
mod cross;
mod curve;
mod feeders;
mod gates;
mod isolation;
mod journeys;
mod json_body;
mod load;
mod request;
mod safety;
mod shapes;
mod targets;
mod template;
mod vars;

pub(crate) use request::header_problem;
pub(crate) use targets::base_url;
pub(crate) use vars::hex;

/// Reads a scenario: all findings of the text, and the plan when none of them is an error.
#[must_use]
pub fn parse(input: &Input<'_>) -> Parsed {
    let ctx = Ctx::new(input);
    let plan = read_root(&ctx).and_then(|root| lower(&ctx, &root));
    let plan = if ctx.has_errors() { None } else { plan };
    Parsed { plan, diagnostics: ctx.into_diagnostics() }
}

fn read_root(ctx: &Ctx<'_>) -> Option<Node> {
    let text = ctx.source.text();
    if text.len() > limits::MAX_SCENARIO_BYTES {
        let message =
            format!("the scenario has {} bytes, at most {} are read", text.len(), limits::MAX_SCENARIO_BYTES);
        ctx.push(
            draft(E0102, Span::default(), message).help("put data into CSV files and name them in `feeders`"),
        );
        return None;
    }
    match yaml::read(text) {
        Ok(root) if root.is_null() => {
            let found = draft(E0103, Span::default(), "the scenario is empty");
            ctx.push(found.help("`peakdrill init` writes one to start from"));
            None
        }
        Ok(root) => Some(root),
        Err(error) => {
            let start = ctx.source.byte(error.place);
            let code = if error.limit { E0102 } else { E0101 };
            ctx.push(draft(code, Span { start, end: start }, error.message));
            None
        }
    }
}

fn lower(ctx: &Ctx<'_>, root: &Node) -> Option<Plan> {
    let top = ctx.fields(root, root.span, &keys::ROOT)?;
    vars::lower(ctx, top.get("vars"));
    version(ctx, top.get("version"));
    let name = top.get("name").and_then(|node| {
        let name = ctx.text(node, "`name`")?;
        ctx.name_ok(node, &name, "a drill").then(|| name.into_owned())
    });
    let environment = top.get("environment").and_then(|node| {
        let name = ctx.text(node, "`environment`")?;
        ctx.name_ok(node, &name, "an environment").then(|| name.into_owned())
    });
    let targets = targets::lower(ctx, top.get("targets"));
    let feeders = feeders::lower(ctx, top.get("feeders"));
    let mut journeys = journeys::lower(ctx, top.get("journeys"), &targets, &feeders);
    let shadow = top.get("shadow").and_then(|node| safety::shadow(ctx, node, top.key_span("shadow")));
    let isolation = isolation::lower(ctx, top.get("isolation"), top.key_span("isolation"));
    // A shadow block that cannot be read is a finding already: nothing else is said because of it.
    let acked =
        top.get("shadow").is_some() && shadow.as_ref().is_none_or(|shadow| shadow.ack_require.is_some());
    let names = gates::Names::new(&journeys, acked);
    let mix = top.get("mix").map(|node| (node, top.key_span("mix")));
    let load = load::lower(ctx, top.get("load"), mix, &mut journeys, &names);
    let names = names.with_phases(&load);
    let guards = safety::guards(ctx, top.get("guards"), top.key_span("guards"), &names);
    let gates = gates::lower(ctx, top.get("gates"), top.key_span("gates"), &names);
    let reports = reports(ctx, top.get("reports"), top.key_span("reports"));
    let labels = labels(ctx, &top);
    let checked =
        cross::Checked { ctx, top: &top, targets: &targets, feeders: &feeders, journeys: &journeys };
    let plan = Plan {
        v: PLAN_VERSION,
        name: name.unwrap_or_default(),
        labels,
        environment: environment.unwrap_or_else(|| "local".to_owned()),
        scenario_sha256: vars::hash(ctx),
        targets: targets.iter().map(|target| target.plan.clone()).collect(),
        shadow,
        isolation,
        feeders: feeders.iter().map(|slot| slot.feeder.clone()).collect(),
        journeys: journeys.plans.clone(),
        steps: journeys.steps.clone(),
        load,
        guards,
        gates,
        reports,
    };
    checked.run(&plan);
    Some(plan)
}

fn version(ctx: &Ctx<'_>, node: Option<&Node>) {
    let Some(node) = node else { return };
    let Some(text) = ctx.scalar(node, "`version`") else { return };
    if text.text != "1" {
        let message = format!("`version: {}` is not a version of the language", text.text);
        ctx.push(draft(E0314, node.span, message).label("expected 1"));
    }
}

fn labels(ctx: &Ctx<'_>, top: &Fields<'_>) -> BTreeMap<String, String> {
    let Some(node) = top.get("labels") else { return BTreeMap::new() };
    let entries = ctx.mapping(node, top.key_span("labels"), "`labels`").unwrap_or_default();
    let label = |(name, _, value): (&str, &Node, &Node)| {
        Some((name.to_owned(), ctx.text(value, &format!("the label `{name}`"))?.into_owned()))
    };
    entries.into_iter().filter_map(label).collect()
}

fn reports(ctx: &Ctx<'_>, node: Option<&Node>, place: Span) -> Vec<Report> {
    let Some(items) = node.and_then(|node| ctx.items(node, place, "`reports`")) else { return Vec::new() };
    let one = |item: &Node| {
        let (kind, key, value) = ctx.variant(item, item.span, &keys::REPORT)?;
        let fields = ctx.fields(value, key, &keys::REPORT_FILE)?;
        let path = ctx.text(fields.get("path")?, "the report's path")?.into_owned();
        Some(match kind {
            "html" => Report::Html(path),
            "junit" => Report::Junit(path),
            "markdown" => Report::Markdown(path),
            _ => Report::Json(path),
        })
    };
    items.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests;
