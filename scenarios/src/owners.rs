//! Files that say who owns what: our own, and the catalogue files of Backstage.

mod catalogue;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use peakdrill_drill_model::owners::{OWNERS_VERSION, Owner, Owners, is_web_address};

use crate::limits::{MAX_DIAGNOSTICS, MAX_OWNER_CHARS, MAX_OWNERS, MAX_OWNERS_FILE_BYTES};
use crate::node::{Node, Span, Value};
use crate::source::Source;
use crate::yaml;

/// What is wrong in an owners file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnersError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line and column, both from 1.
    pub place: (usize, usize),
    /// What is wrong, what was expected, and what to do.
    pub message: String,
}

impl fmt::Display for OwnersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.place.0, self.place.1, self.message)
    }
}

/// Reads one file: documents of our own form, of Backstage's catalogue, or both.
///
/// # Errors
/// Everything that is wrong, up to a limit, each with its place.
pub fn read_owners(file: &str, text: &str) -> Result<Owners, Vec<OwnersError>> {
    let one = |place, message| vec![OwnersError { file: file.to_owned(), place, message }];
    if text.len() > MAX_OWNERS_FILE_BYTES {
        return Err(one((1, 1), format!("the file is larger than {MAX_OWNERS_FILE_BYTES} bytes: split it")));
    }
    let documents = yaml::read_all(text).map_err(|error| one(error.place, error.message))?;
    let mut reader =
        Reader { file, source: Source::new(file, text), nodes: BTreeMap::new(), errors: Vec::new() };
    documents.iter().filter(|document| !document.is_null()).for_each(|document| reader.document(document));
    if reader.errors.is_empty() {
        Ok(Owners { v: OWNERS_VERSION, nodes: reader.nodes })
    } else {
        reader.errors.truncate(MAX_DIAGNOSTICS);
        Err(reader.errors)
    }
}

const FORMS: &str = "expected `version: 1` with `owners:`, or an entity of Backstage's catalogue (`apiVersion: \
    backstage.io/…`)";

struct Reader<'a> {
    file: &'a str,
    source: Source,
    nodes: BTreeMap<String, Owner>,
    errors: Vec<OwnersError>,
}

impl Reader<'_> {
    fn error(&mut self, at: Span, message: impl Into<String>) {
        let place = self.source.place(at.start);
        self.errors.push(OwnersError { file: self.file.to_owned(), place, message: message.into() });
    }

    fn document(&mut self, document: &Node) {
        if catalogue::is_entity(document) {
            self.entity(document);
            return;
        }
        let Some(entries) = entries(document) else {
            self.error(document.span, format!("{FORMS}, found {}", document.what()));
            return;
        };
        let mut owners = None;
        let mut versioned = false;
        for (key, value) in entries {
            match text(key) {
                Some("version") if text(value) == Some("1") => versioned = true,
                Some("version") => self.error(value.span, "expected `version: 1`, the only one there is"),
                Some("owners") => owners = Some(value),
                _ => self.error(key.span, format!("unknown key: {FORMS}")),
            }
        }
        match owners.map(|owners| (owners, self::entries(owners))) {
            _ if !versioned => self.error(document.span, format!("no `version: 1`: {FORMS}")),
            None => self.error(document.span, format!("no `owners:`: {FORMS}")),
            Some((owners, None)) => {
                let what = owners.what();
                self.error(owners.span, format!("expected a mapping of nodes to owners, found {what}"));
            }
            Some((_, Some(owners))) => owners.iter().for_each(|(node, owner)| self.own(node, owner)),
        }
    }

    /// `stock: team-stock`, or `stock: { team: team-stock, runbook: …, criticality: … }`.
    fn own(&mut self, node: &Node, value: &Node) {
        let Some(name) = self.said(node, "the name of a node") else { return };
        let Some(keys) = entries(value) else {
            if let Some(team) = self.said(value, "a team, or a mapping with `team`") {
                self.add(node.span, name, Owner { team, ..Owner::default() });
            }
            return;
        };
        let mut owner = Owner::default();
        for (key, value) in keys {
            match text(key) {
                Some("team") => owner.team = self.said(value, "the name of a team").unwrap_or_default(),
                Some("criticality") => {
                    owner.criticality = self.said(value, "a word, such as `high` or `tier 1`")
                }
                Some("runbook") => owner.runbook = self.address(value),
                _ => self.error(key.span, "unknown key: expected `team`, `runbook` or `criticality`"),
            }
        }
        if !keys.iter().any(|(key, _)| text(key) == Some("team")) {
            self.error(node.span, format!("`{name}` has no `team`: say who is to be told"));
            return;
        }
        self.add(node.span, name, owner);
    }

    fn address(&mut self, value: &Node) -> Option<String> {
        let address = self.said(value, "the address of a runbook")?;
        if !is_web_address(&address) {
            self.error(value.span, "expected an address that begins with https:// or http://");
            return None;
        }
        Some(address)
    }

    /// Text that is not empty and not too long.
    fn said(&mut self, node: &Node, wanted: &str) -> Option<String> {
        let said = node.scalar().filter(|_| !node.is_null()).map(|scalar| scalar.text.trim().to_owned());
        match said {
            Some(said) if said.chars().count() > MAX_OWNER_CHARS => {
                self.error(node.span, format!("longer than {MAX_OWNER_CHARS} characters: shorten it"));
                None
            }
            Some(said) if !said.is_empty() => Some(said),
            Some(_) => {
                self.error(node.span, format!("expected {wanted}, found an empty text"));
                None
            }
            None => {
                self.error(node.span, format!("expected {wanted}, found {}", node.what()));
                None
            }
        }
    }

    fn add(&mut self, at: Span, name: String, owner: Owner) {
        if self.nodes.len() >= MAX_OWNERS {
            if self.errors.len() < MAX_DIAGNOSTICS {
                self.error(
                    at,
                    format!("more than {MAX_OWNERS} nodes: give only those of the system that is drilled"),
                );
            }
            return;
        }
        let taken = match self.nodes.entry(name) {
            Entry::Vacant(free) => {
                free.insert(owner);
                None
            }
            Entry::Occupied(taken) => Some(taken.key().clone()),
        };
        if let Some(name) = taken {
            self.error(at, format!("`{name}` has an owner already: keep one of the two"));
        }
    }
}

fn entries(node: &Node) -> Option<&[(Node, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

fn text(node: &Node) -> Option<&str> {
    node.scalar().map(|scalar| scalar.text.as_str())
}

/// The value of a key of a mapping.
fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    entries(node)?.iter().find(|(name, _)| text(name) == Some(key)).map(|(_, value)| value)
}
