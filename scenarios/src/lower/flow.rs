//! Choices, loops, pauses and fragments.

use std::collections::BTreeSet;

use peakdrill_drill_model::plan::{Again, Branch, Loop, Node as Step};
use peakdrill_timebase::{NS_PER_S, UnitError, parse_duration};

use super::check;
use super::journeys::Env;
use crate::codes::{E0202, E0316, E0318, E0320, E0322, E0323, E0401, E0402, E0403};
use crate::ctx::{Ctx, draft, nearest};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

/// Longest pause.
const MAX_THINK_NS: u64 = 3_600 * NS_PER_S;
/// Largest shape of a lognormal pause.
const MAX_SIGMA: f64 = 5.0;

/// Steps with a name.
pub(super) struct Fragment<'n> {
    pub(super) name: &'n str,
    pub(super) key: Span,
    pub(super) steps: &'n Node,
}

impl Env<'_> {
    pub(super) fn choose(&mut self, node: &Node, key: Span) -> Option<Step> {
        let items = self.ctx.items(node, key, "`choose`")?;
        if items.is_empty() {
            self.ctx.push(draft(E0318, key, "`choose` is empty: write at least one branch"));
        }
        let before = self.scope.extracted.clone();
        let mut after: Option<BTreeSet<String>> = None;
        let (open_before, mut open_after) = (self.open_sockets, None);
        let mut branches = Vec::new();
        for item in items {
            let Some(fields) = self.ctx.fields(item, item.span, &keys::BRANCH) else { continue };
            let weight = fields.get("weight").and_then(|node| weight(self.ctx, node));
            self.scope.extracted.clone_from(&before);
            self.open_sockets = open_before;
            let place = fields.key_span("steps");
            let steps = fields.get("steps").map(|node| self.list(node, place)).unwrap_or_default();
            let here = std::mem::take(&mut self.scope.extracted);
            after = Some(after.map_or(here.clone(), |known| known.intersection(&here).cloned().collect()));
            open_after = Some(open_after.map_or(self.open_sockets, |known| known & self.open_sockets));
            branches.push(Branch { weight: weight.unwrap_or(1.0), steps });
        }
        self.open_sockets = open_after.unwrap_or(open_before);
        self.scope.extracted = after.unwrap_or(before);
        Some(Step::Choose(branches))
    }

    pub(super) fn turns(&mut self, node: &Node, key: Span) -> Option<Step> {
        let fields = self.ctx.fields(node, key, &keys::LOOP)?;
        let times = fields.get("times").and_then(|node| times(self.ctx, node));
        let (before, open_before) = (self.scope.extracted.clone(), self.open_sockets);
        let place = fields.key_span("steps");
        let steps = fields.get("steps").map(|node| self.list(node, place)).unwrap_or_default();
        let again = fields.get("while").map(|node| self.again(node));
        let (min, max) = times?;
        if min == 0 {
            self.scope.extracted = before;
            self.open_sockets = open_before;
        }
        let again = match again {
            Some(again) => Some(again?),
            None => None,
        };
        Some(Step::Loop(Loop { min, max, again, steps }))
    }

    /// `${name} != text`.
    fn again(&self, node: &Node) -> Option<Again> {
        let text = self.ctx.scalar(node, "`while`")?.text.trim();
        let wrong = |message: String| {
            let help = "write `${state} != done`, with ==, !=, contains or matches";
            self.ctx.push(draft(E0323, node.span, message).help(help));
            None
        };
        let Some((name, rest)) = text.strip_prefix("${").and_then(|rest| rest.split_once('}')) else {
            return wrong("`while` asks nothing of an extracted value".to_owned());
        };
        let name = name.trim();
        if !self.scope.extracted.contains(name) {
            let message = format!("`while` asks for `{name}`, which no step before has extracted");
            self.ctx.push(draft(E0202, self.ctx.within(node, name), message));
            return None;
        }
        match check::text_test(rest.trim(), "`${state} != done`, with ==, !=, contains or matches") {
            Ok(test) => Some(Again { value: name.to_owned(), test }),
            Err(found) => {
                self.ctx.push(found.at(node.span));
                None
            }
        }
    }

    /// The steps of a fragment, as if they were written here.
    pub(super) fn fragment(&mut self, node: &Node) -> Vec<Step> {
        let Some(name) = self.ctx.text(node, "`use`") else { return Vec::new() };
        let Some(at) = self.fragments.iter().position(|fragment| fragment.name == name) else {
            let mut found = draft(E0316, node.span, format!("there is no fragment `{name}`"));
            if let Some(near) = nearest(&name, self.fragments.iter().map(|fragment| fragment.name)) {
                found = found.help(format!("did you mean `{near}`?"));
            } else {
                found = found.help("declare it under `fragments`: a name and a list of steps");
            }
            self.ctx.push(found);
            return Vec::new();
        };
        self.used_fragments.insert(at);
        let Some(fragment) = self.fragments.get(at) else { return Vec::new() };
        if let Some(first) = self.open.iter().position(|open| *open == at) {
            let name_of = |at: &usize| self.fragments.get(*at).map_or("?", |fragment| fragment.name);
            let round: Vec<&str> = self.open.iter().skip(first).chain([&at]).map(name_of).collect();
            let message = format!("the fragment `{name}` uses itself: {}", round.join(" -> "));
            self.ctx.push(draft(E0320, node.span, message));
            return Vec::new();
        }
        if self.open.len() >= limits::MAX_FRAGMENT_DEPTH {
            let message = format!("more than {} fragments use one another", limits::MAX_FRAGMENT_DEPTH);
            self.ctx.push(draft(E0322, node.span, message));
            return Vec::new();
        }
        self.open.push(at);
        let steps = self.list(fragment.steps, fragment.key);
        self.open.pop();
        steps
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

/// `3` or `1..5`.
fn times(ctx: &Ctx<'_>, node: &Node) -> Option<(u32, u32)> {
    let text = ctx.text(node, "`times`")?;
    let (low, high) = text.split_once("..").unwrap_or((&text, &text));
    let read = |part: &str| part.trim().parse::<u32>().ok();
    let (Some(min), Some(max)) = (read(low), read(high)) else {
        let found = draft(E0323, node.span, format!("`times` cannot be `{text}`"));
        ctx.push(found.help("write `3`, or `1..5` for a number that is drawn for each journey"));
        return None;
    };
    if min > max || max == 0 || max > limits::MAX_LOOP_TURNS {
        let label = format!("must be 1 to {}, the smaller number first", limits::MAX_LOOP_TURNS);
        ctx.push(draft(E0403, node.span, format!("`times` is out of range: `{text}`")).label(label));
        return None;
    }
    Some((min, max))
}

pub(super) fn think(ctx: &Ctx<'_>, node: &Node) -> Option<Step> {
    let text = ctx.text(node, "`think`")?;
    if let Some(inside) = text.strip_prefix("lognormal(").and_then(|rest| rest.strip_suffix(')')) {
        return lognormal(ctx, node, inside);
    }
    let (low, high) = text.split_once("..").unwrap_or((&text, &text));
    let (min_ns, max_ns) = (pause(ctx, node, low)?, pause(ctx, node, high)?);
    if min_ns > max_ns {
        ctx.push(draft(E0403, node.span, "`think` runs from the longer to the shorter time"));
        return None;
    }
    Some(Step::Think { min_ns, max_ns })
}

fn lognormal(ctx: &Ctx<'_>, node: &Node, inside: &str) -> Option<Step> {
    let help = "write `lognormal(800ms, 0.5)`: the median, and the standard deviation of the logarithm";
    let Some((median, sigma)) = inside.split_once(',') else {
        ctx.push(draft(E0402, node.span, "`lognormal` needs a median and a sigma").help(help));
        return None;
    };
    let median_ns = pause(ctx, node, median.trim())?;
    match sigma.trim().parse::<f64>() {
        Ok(sigma) if (0.0..=MAX_SIGMA).contains(&sigma) => {
            Some(Step::ThinkLognormal { median_ns, sigma, max_ns: MAX_THINK_NS })
        }
        Ok(_) => {
            let label = format!("must be 0 to {MAX_SIGMA}");
            ctx.push(draft(E0403, node.span, "the sigma of `lognormal` is out of range").label(label));
            None
        }
        Err(_) => {
            let message = format!("the sigma of `lognormal` is no number: `{}`", sigma.trim());
            ctx.push(draft(E0402, node.span, message).help(help));
            None
        }
    }
}

fn pause(ctx: &Ctx<'_>, node: &Node, part: &str) -> Option<u64> {
    match parse_duration(part) {
        Ok(ns) if ns <= MAX_THINK_NS => Some(ns),
        Ok(_) => {
            ctx.push(draft(E0403, node.span, "`think` is longer than an hour"));
            None
        }
        Err(why) => {
            let code = if matches!(why, UnitError::NoUnit(_)) { E0401 } else { E0402 };
            let message = format!("`think` cannot be read: `{part}`: {why}");
            let help = "write `300ms`, `300ms..1500ms` or `lognormal(800ms, 0.5)`";
            ctx.push(draft(code, node.span, message).help(help));
            None
        }
    }
}
