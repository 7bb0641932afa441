//! Files that a scenario includes: journeys, fragments and feeders.

use super::Node;
use crate::codes::{E0101, E0102, E0320, E0321, E0322, E0421};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Span, Value};
use crate::yaml;

/// The file with a scenario, as it stands in a chain of includes.
const SELF: &str = "the scenario";

/// Reads all files that a scenario includes, each once, in the order in which they are named.
pub(super) fn load(ctx: &Ctx<'_>, top: &Fields<'_>) -> Vec<Node> {
    let mut loader = Loader { ctx, seen: Vec::new(), out: Vec::new() };
    if let Some(node) = top.get("include") {
        loader.list(node, top.key_span("include"), &[]);
    }
    loader.out
}

struct Loader<'c> {
    ctx: &'c Ctx<'c>,
    seen: Vec<String>,
    out: Vec<Node>,
}

impl Loader<'_> {
    fn list(&mut self, node: &Node, place: Span, chain: &[String]) {
        for item in self.ctx.items(node, place, "`include`").unwrap_or_default() {
            if let Some(path) = self.ctx.text(item, "an included file") {
                self.file(item, normal(&path), chain);
            }
        }
    }

    fn file(&mut self, item: &Node, path: String, chain: &[String]) {
        if let Some(first) = chain.iter().position(|open| *open == path) {
            let round: Vec<&str> =
                chain.iter().skip(first).map(String::as_str).chain([path.as_str()]).collect();
            let message = format!("`{path}` includes itself: {}", round.join(" -> "));
            return self.ctx.push(draft(E0320, item.span, message));
        }
        if self.seen.contains(&path) {
            return;
        }
        if chain.len() >= limits::MAX_INCLUDE_DEPTH || self.seen.len() >= limits::MAX_INCLUDES {
            let message = format!(
                "more than {} included files, or more than {} inside one another",
                limits::MAX_INCLUDES,
                limits::MAX_INCLUDE_DEPTH
            );
            return self.ctx.push(draft(E0322, item.span, message));
        }
        self.seen.push(path.clone());
        let Some(mut root) = self.read(item, &path) else { return };
        let chain: Vec<String> = chain.iter().cloned().chain([path]).collect();
        self.check_keys(&mut root, &chain);
        if let Value::Map(entries) = &root.value {
            let include =
                entries.iter().find(|(key, _)| key.scalar().is_some_and(|key| key.text == "include"));
            if let Some((key, value)) = include {
                self.list(value, key.span, &chain);
            }
        }
        self.out.push(root);
    }

    /// Takes out keys of the scenario itself: they are told apart from unknown ones.
    fn check_keys(&self, root: &mut Node, chain: &[String]) {
        let Value::Map(entries) = &mut root.value else { return };
        entries.retain(|(key, _)| {
            let Some(name) = key.scalar().map(|key| key.text.as_str()) else { return true };
            let own = keys::INCLUDED.field(name).is_none() && keys::ROOT.field(name).is_some();
            if own {
                let message = format!("`{name}` may not stand in an included file");
                let by = chain.iter().rev().nth(1).map_or(SELF, String::as_str);
                self.ctx.push(draft(E0321, key.span, message).note(format!("included by {by}")));
            }
            !own
        });
    }

    fn read(&self, item: &Node, path: &str) -> Option<Node> {
        let bytes = self.ctx.data_file(item, path)?;
        let large = bytes.len() > limits::MAX_SCENARIO_BYTES;
        let text = match String::from_utf8(bytes) {
            Ok(text) if !large => text,
            Ok(_) => {
                let message = format!("`{path}` has more than {} bytes", limits::MAX_SCENARIO_BYTES);
                self.ctx.push(draft(E0102, item.span, message));
                return None;
            }
            Err(_) => {
                self.ctx.push(draft(E0421, item.span, format!("`{path}` is not UTF-8")));
                return None;
            }
        };
        let file = self.ctx.source.add(&beside(self.ctx.input.name, path), &text);
        match yaml::read(&text) {
            Ok(mut root) => {
                root.shift(file.base);
                Some(root)
            }
            Err(error) => {
                let start = file.byte(error.place);
                let code = if error.limit { E0102 } else { E0101 };
                self.ctx.push(draft(code, Span { start, end: start }, error.message));
                None
            }
        }
    }
}

/// A file beside another one, as it is called from where that one is.
fn beside(scenario: &str, path: &str) -> String {
    match scenario.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{path}"),
        None => path.to_owned(),
    }
}

/// A path as it is compared: `./a.yaml` is `a.yaml`.
fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| *part != ".").collect();
    parts.join("/")
}
