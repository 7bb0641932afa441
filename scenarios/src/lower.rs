//! Tree to plan, collecting every finding in one pass.

use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{PLAN_VERSION, Plan, Report};

use crate::codes::{E0101, E0102, E0103, E0314, E0317, E0322};
use crate::ctx::{Ctx, Fields, draft};
use crate::input::{Input, Parsed};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};
use crate::yaml;

mod body;
mod check;
mod cross;
mod curve;
mod feeders;
mod flow;
mod gates;
mod grpc;
mod include;
mod isolation;
mod journeys;
mod json_body;
mod load;
mod proto;
mod reach;
mod records;
mod request;
mod safety;
mod shapes;
mod targets;
mod telemetry;
mod template;
mod tls;
mod vars;
mod ws;

use flow::Fragment;
use journeys::Journeys;
pub(crate) use request::{header_problem, path_alone};
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
    let text = ctx.input.text;
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
            let start = ctx.source.file(0).byte(error.place);
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
    let name = named(ctx, &top, "name", "a drill");
    let environment = named(ctx, &top, "environment", "an environment");
    let targets = targets::lower(ctx, top.get("targets"));
    let included = include::load(ctx, &top);
    let files: Vec<Fields<'_>> =
        included.iter().filter_map(|root| ctx.fields(root, root.span, &keys::INCLUDED)).collect();
    let all = |name: &str| entries(ctx, &top, &files, name);
    let own = all("journeys");
    let feeders = feeders::lower(ctx, &all("feeders"));
    let fragments = fragments(ctx, &all("fragments"));
    let place = top.get("journeys").map_or(root.span, |node| node.span);
    let mut journeys = Journeys::default();
    if top.get("journeys").is_some_and(|node| matches!(node.value, Value::Map(_))) {
        journeys = journeys::lower(ctx, &own, place, &fragments, &targets, &feeders);
    }
    let shadow = top.get("shadow").and_then(|node| safety::shadow(ctx, node, top.key_span("shadow")));
    let isolation = isolation::lower(ctx, top.get("isolation"), top.key_span("isolation"));
    let telemetry = telemetry::lower(ctx, top.get("telemetry"), top.key_span("telemetry"));
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
    let checked = cross::Checked {
        ctx,
        top: &top,
        targets: &targets,
        feeders: &feeders,
        journeys: &journeys,
        fragments: &fragments,
    };
    let plan = Plan {
        v: PLAN_VERSION,
        name: name.unwrap_or_default(),
        labels,
        environment: environment.unwrap_or_else(|| "local".to_owned()),
        scenario_sha256: vars::hash(ctx),
        targets: targets.iter().map(|target| target.plan.clone()).collect(),
        shadow,
        isolation,
        telemetry,
        feeders: feeders.iter().map(|slot| slot.feeder.clone()).collect(),
        files: ctx.files.borrow().clone(),
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

/// A name, where it stands, and what it names.
pub(crate) type Entry<'n> = (&'n str, &'n Node, &'n Node);

/// What all files have at a key, the scenario's own first.
fn entries<'n>(ctx: &Ctx<'_>, top: &Fields<'n>, files: &[Fields<'n>], name: &str) -> Vec<Entry<'n>> {
    let mut out: Vec<Entry<'n>> = Vec::new();
    for fields in std::iter::once(top).chain(files) {
        let Some(node) = fields.get(name) else { continue };
        let here = ctx.mapping(node, fields.key_span(name), &format!("`{name}`")).unwrap_or_default();
        for (entry, key, value) in here {
            if let Some((_, first, _)) = out.iter().find(|(known, ..)| *known == entry) {
                let file = ctx.source.file(first.span.start);
                let (line, _) = file.place(first.span.start);
                let message = format!("`{name}` has two entries `{entry}`");
                let label = format!("first in {} on line {line}", file.name);
                ctx.push(draft(E0317, key.span, message).label(label));
                continue;
            }
            out.push((entry, key, value));
        }
    }
    out
}

fn fragments<'n>(ctx: &Ctx<'_>, entries: &[Entry<'n>]) -> Vec<Fragment<'n>> {
    if let Some((_, key, _)) = entries.get(limits::MAX_FRAGMENTS) {
        ctx.push(draft(E0322, key.span, format!("more than {} fragments", limits::MAX_FRAGMENTS)));
    }
    let one = |(name, key, steps): &Entry<'n>| {
        ctx.name_ok(key, name, "a fragment").then_some(Fragment { name, key: key.span, steps })
    };
    entries.iter().take(limits::MAX_FRAGMENTS).filter_map(one).collect()
}

fn named(ctx: &Ctx<'_>, top: &Fields<'_>, key: &str, what: &str) -> Option<String> {
    let node = top.get(key)?;
    let name = ctx.text(node, &format!("`{key}`"))?;
    ctx.name_ok(node, &name, what).then(|| name.into_owned())
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
