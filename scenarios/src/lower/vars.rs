//! Variables: `--set` before the environment before the file.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::codes::{E0205, E0210, E0211};
use crate::ctx::{Ctx, draft, nearest};
use crate::node::{Node, Span};

/// Names that templates give a meaning of their own.
pub(super) const BUILT_IN: &[&str] =
    &["uuid", "index", "run", "env", "secret", "time", "time_ms", "time_rfc3339"];

/// Reads `vars` and what overrides them into the context.
pub(super) fn lower(ctx: &Ctx<'_>, node: Option<&Node>) {
    let mut values = BTreeMap::new();
    let entries = node.and_then(|node| ctx.mapping(node, node.span, "`vars`")).unwrap_or_default();
    for (name, key, value) in entries {
        if !ctx.name_ok(key, name, "a variable") {
            continue;
        }
        if BUILT_IN.contains(&name) {
            ctx.push(draft(E0210, key.span, format!("`{name}` is built in and cannot be a variable")));
            continue;
        }
        values.insert(name.to_owned(), given(ctx, name).or_else(|| from_file(ctx, name, value)));
    }
    for (name, _) in ctx.input.sets {
        if !values.contains_key(name) {
            let message = format!("`--set {name}=…` names no variable of this file");
            let mut found = draft(E0205, node.map_or(Span::default(), |node| node.span), message);
            if let Some(near) = nearest(name, values.keys().map(String::as_str)) {
                found = found.help(format!("did you mean `{near}`?"));
            } else {
                found = found.help("declare it under `vars` with a default");
            }
            ctx.push(found);
        }
    }
    *ctx.vars.borrow_mut() = values;
}

fn given(ctx: &Ctx<'_>, name: &str) -> Option<String> {
    let set = ctx.input.sets.iter().rev().find(|(set, _)| set == name).map(|(_, value)| value.clone());
    set.or_else(|| (ctx.input.env)(&format!("PEAKDRILL_VAR_{name}")))
}

fn from_file(ctx: &Ctx<'_>, name: &str, value: &Node) -> Option<String> {
    let text = &ctx.scalar(value, &format!("the variable `{name}`"))?.text;
    if text.contains("${") && !text.starts_with("${env:") {
        ctx.push(draft(E0211, value.span, format!("the variable `{name}` is defined by a template")));
        return None;
    }
    ctx.text(value, &format!("the variable `{name}`")).map(|text| text.into_owned())
}

/// SHA-256, hex, of the text and of everything from outside that changed its meaning.
pub(super) fn hash(ctx: &Ctx<'_>) -> String {
    let mut hasher = Sha256::new();
    let files = ctx.source.files();
    for (at, file) in files.iter().enumerate() {
        if at > 0 {
            // Their paths stand in the texts before.
            hasher.update(format!("\0include\0{at}\0"));
        }
        hasher.update(&file.text);
    }
    for (name, value) in &*ctx.vars.borrow() {
        if given(ctx, name).is_some() {
            hasher.update(format!("\0set\0{name}\0{}", value.as_deref().unwrap_or_default()));
        }
    }
    for (name, value) in &*ctx.taken_env.borrow() {
        hasher.update(format!("\0env\0{name}\0{value}"));
    }
    hex(&hasher.finalize())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
