//! Mappings: known keys, unknown keys, missing keys.

use super::{Ctx, draft, nearest};
use crate::codes::{E0104, E0105, E0310, E0311, E0312, E0313, E0315};
use crate::foreign;
use crate::keys::{Block, Field, State};
use crate::node::{Node, Span, Value};

/// A mapping whose keys are all known to its block.
pub(crate) struct Fields<'n> {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests check that every key is read"))]
    block: &'static Block,
    /// Where the mapping stands, for messages about the whole.
    pub(crate) place: Span,
    entries: Vec<(&'static Field, &'n Node, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// The value at a key.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        #[cfg(test)]
        asked::note(self.block.id, name);
        self.entries.iter().find(|(field, _, _)| field.name == name).map(|(_, _, value)| *value)
    }

    /// The place of a key, or of the mapping when it is not there.
    pub(crate) fn key_span(&self, name: &str) -> Span {
        self.entries
            .iter()
            .find(|(field, _, _)| field.name == name)
            .map_or(self.place, |(_, key, _)| key.span)
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Ctx<'_> {
    /// Reads a mapping by a block's table. Missing keys are reported at `place`. `None` when it is no mapping.
    pub(crate) fn fields<'n>(
        &self,
        node: &'n Node,
        place: Span,
        block: &'static Block,
    ) -> Option<Fields<'n>> {
        let entries = self.mapping(node, place, block.what)?;
        let mut known = Vec::new();
        let mut meant = String::new();
        for (name, key, value) in entries {
            match block.field(name) {
                Some(field) if field.state == State::NotBuilt => self.not_built(name, key.span, block, field),
                Some(field) => known.push((field, key, value)),
                None => meant.push_str(&self.unknown_key(name, key.span, block)),
            }
        }
        for field in block.fields.iter().filter(|field| field.state == State::Required) {
            // A key under another name was reported already, with the name that is missing.
            let renamed =
                meant.contains(&format!("`{}`", field.name)) || meant.contains(&format!("`{}: ", field.name));
            if !renamed && !known.iter().any(|(present, _, _)| present.name == field.name) {
                let message = format!("{} needs the key `{}`", block.what, field.name);
                self.push(
                    draft(E0311, place, message).label(format!("no `{}` here", field.name)).help(field.doc),
                );
            }
        }
        Some(Fields { block, place, entries: known })
    }

    /// Reads a mapping of exactly one key, such as `- get: /`.
    pub(crate) fn variant<'n>(
        &self,
        node: &'n Node,
        place: Span,
        block: &'static Block,
    ) -> Option<(&'static str, Span, &'n Node)> {
        let fields = self.fields(node, place, block)?;
        match fields.entries.as_slice() {
            [(field, key, value)] => {
                #[cfg(test)]
                asked::note(block.id, field.name);
                Some((field.name, key.span, value))
            }
            [] if matches!(&node.value, Value::Map(entries) if !entries.is_empty()) => None,
            [] => {
                let names: Vec<_> = block.usable().collect();
                let message = format!("{} is empty", block.what);
                self.push(draft(E0315, place, message).help(format!("write one of: {}", names.join(", "))));
                None
            }
            [_, (_, second, _), ..] => {
                let message = format!("{} has several keys, but takes exactly one", block.what);
                self.push(draft(E0315, second.span, message).label("one too many"));
                None
            }
        }
    }

    /// Reads a mapping with names of the writer's choice.
    pub(crate) fn mapping<'n>(
        &self,
        node: &'n Node,
        place: Span,
        what: &str,
    ) -> Option<Vec<(&'n str, &'n Node, &'n Node)>> {
        let Value::Map(entries) = &node.value else {
            let at = if node.is_null() { place } else { node.span };
            let message = format!("{what} must be a mapping, not {}", node.what());
            self.push(draft(E0310, at, message).label("expected `key: value`"));
            return None;
        };
        let mut out: Vec<(&str, &Node, &Node)> = Vec::new();
        for (key, value) in entries {
            let Some(scalar) = key.scalar() else {
                self.push(draft(E0105, key.span, "a key must be plain text"));
                continue;
            };
            if let Some((_, first, _)) = out.iter().find(|(name, _, _)| *name == scalar.text) {
                let line = self.source.place(first.span.start).0;
                let message = format!("the key `{}` stands twice", scalar.text);
                self.push(draft(E0104, key.span, message).label(format!("first on line {line}")));
                continue;
            }
            out.push((&scalar.text, key, value));
        }
        Some(out)
    }

    /// Reads a list.
    pub(crate) fn items<'n>(&self, node: &'n Node, place: Span, what: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::Seq(items) => Some(items),
            _ => {
                let at = if node.is_null() { place } else { node.span };
                let message = format!("{what} must be a list, not {}", node.what());
                self.push(draft(E0310, at, message).label("expected `- item` lines or `[…]`"));
                None
            }
        }
    }

    fn not_built(&self, name: &str, span: Span, block: &Block, field: &Field) {
        let message = format!("`{name}` in {} is not built yet", block.what);
        self.push(draft(E0313, span, message).label("not built yet").note(field.doc));
    }

    /// Reports a key, and says what was probably meant.
    fn unknown_key(&self, name: &str, span: Span, block: &'static Block) -> String {
        let names: Vec<_> = block.usable().collect();
        let message = format!("unknown key `{name}` in {}", block.what);
        let mut found = draft(E0312, span, message).label(format!("expected one of: {}", names.join(", ")));
        let near = || nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let cased = block.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
        let foreign = foreign::look_up(name).filter(|_| !cased);
        let help = foreign
            .map(|foreign| format!("this is {}'s name; here it is {}", foreign.tool, foreign.here))
            .or_else(near)
            .or_else(|| elsewhere(name).map(|other| format!("`{name}` belongs to {other}")));
        if let Some(help) = &help {
            found = found.help(help.as_str());
        }
        self.push(found);
        help.unwrap_or_default()
    }
}

/// A top-level key that slipped into another block.
fn elsewhere(name: &str) -> Option<&'static str> {
    crate::keys::ROOT.field(name).map(|_| "the top level of the file: check the indentation")
}

/// Tests ask afterwards whether every key of every table is read by the lowering.
#[cfg(test)]
pub(crate) mod asked {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        static ASKED: RefCell<BTreeSet<(String, String)>> = RefCell::default();
    }

    pub(crate) fn note(block: &str, name: &str) {
        ASKED.with_borrow_mut(|asked| asked.insert((block.to_owned(), name.to_owned())));
    }

    pub(crate) fn take() -> BTreeSet<(String, String)> {
        ASKED.take()
    }
}
