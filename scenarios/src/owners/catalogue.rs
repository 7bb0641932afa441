//! Entities of Backstage's catalogue: what of them names an owner.
//!
//! Components and resources are nodes; entities of other kinds are passed over. A component is found by its name, which
//! should be the `service.name` of its traces; where it is not, the annotation `peakdrill/nodes` lists the names.

use peakdrill_drill_model::owners::{Owner, is_web_address};

use super::{Reader, entries, get, text};
use crate::limits::MAX_OWNER_CHARS;
use crate::node::{Node, Value};

/// What lists the names that an entity has in traces, separated by commas.
const NODES: &str = "peakdrill/nodes";

pub(super) fn is_entity(document: &Node) -> bool {
    get(document, "apiVersion").and_then(text).is_some_and(|version| version.starts_with("backstage.io/"))
}

impl Reader<'_> {
    pub(super) fn entity(&mut self, entity: &Node) {
        let kind = get(entity, "kind").and_then(text).unwrap_or_default();
        if !["component", "resource"].contains(&kind.to_ascii_lowercase().as_str()) {
            return;
        }
        let metadata = get(entity, "metadata");
        let Some(named) = metadata.and_then(|metadata| get(metadata, "name")) else {
            self.error(entity.span, "the entity has no `metadata.name`");
            return;
        };
        let Some(name) = self.said(named, "the name of the entity") else { return };
        let Some(owned) = get(entity, "spec").and_then(|spec| get(spec, "owner")) else {
            self.error(named.span, format!("`{name}` has no `spec.owner`: say who is to be told"));
            return;
        };
        let Some(owner) = self.said(owned, "the owner of the entity") else { return };
        let owner = Owner {
            team: short(&owner),
            runbook: metadata.and_then(runbook),
            criticality: criticality(entity).map(str::to_owned),
        };
        let listed = noted(entity, &|key| key == NODES);
        let names: Vec<&str> =
            listed.map_or_else(|| vec![name.as_str()], |listed| listed.split(',').collect());
        for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
            self.add(named.span, name.to_owned(), owner.clone());
        }
    }
}

/// `group:default/team-a` is `team-a`; a namespace that is not the default stays.
fn short(reference: &str) -> String {
    let after_kind = reference.split_once(':').map_or(reference, |(_, rest)| rest);
    after_kind.strip_prefix("default/").unwrap_or(after_kind).to_owned()
}

/// The first of the entity's annotations and labels whose key is one of those wanted.
fn noted<'a>(entity: &'a Node, wanted: &dyn Fn(&str) -> bool) -> Option<&'a str> {
    let metadata = get(entity, "metadata")?;
    let maps = ["annotations", "labels"].into_iter().filter_map(|key| entries(get(metadata, key)?));
    let mut found = maps.flatten().filter(|(key, _)| text(key).is_some_and(wanted));
    found.find_map(|(_, value)| kept(text(value)?))
}

/// What is said of its weight, or else of its age: `spec.lifecycle`.
fn criticality(entity: &Node) -> Option<&str> {
    let last = |key: &str| key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
    let noted = noted(entity, &|key| ["criticality", "tier"].contains(&last(key).as_str()));
    noted.or_else(|| kept(text(get(get(entity, "spec")?, "lifecycle")?)?))
}

/// The first link whose type or title says that it is a runbook, and that leads to the web.
fn runbook(metadata: &Node) -> Option<String> {
    let Value::Seq(links) = &get(metadata, "links")?.value else { return None };
    let says = |link: &Node, key: &str| {
        get(link, key).and_then(text).is_some_and(|said| said.to_ascii_lowercase().contains("runbook"))
    };
    let mut told = links.iter().filter(|link| says(link, "type") || says(link, "title"));
    told.find_map(|link| kept(text(get(link, "url")?)?).filter(|url| is_web_address(url)).map(str::to_owned))
}

/// A text that is neither empty nor too long to show.
fn kept(said: &str) -> Option<&str> {
    let said = said.trim();
    (!said.is_empty() && said.chars().count() <= MAX_OWNER_CHARS).then_some(said)
}
