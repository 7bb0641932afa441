//! Who owns the nodes of a system. `owners.json` of a record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of `owners.json`.
pub const OWNERS_VERSION: u32 = 1;

/// Who is to be told of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Owner {
    /// The team.
    pub team: String,
    /// Where it is written what to do: an `http` or `https` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// How much depends on it, in the words of whoever wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
}

impl Owner {
    /// The runbook, if it is an address that a page may link to. Whatever a record says, nothing else becomes a link.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        self.runbook.as_deref().filter(|address| is_web_address(address))
    }
}

/// Whether an address is one of the web, with a host.
#[must_use]
pub fn is_web_address(address: &str) -> bool {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    plain && rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

/// The owners of nodes, by the nodes' names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// [`OWNERS_VERSION`].
    pub v: u32,
    /// Name of a node to its owner.
    pub nodes: BTreeMap<String, Owner>,
}

impl Default for Owners {
    fn default() -> Self {
        Self { v: OWNERS_VERSION, nodes: BTreeMap::new() }
    }
}

impl Owners {
    /// Adds the owners of another file; what is known already stays.
    pub fn complete(&mut self, other: Self) {
        for (node, owner) in other.nodes {
            self.nodes.entry(node).or_insert(owner);
        }
    }

    /// Teams by the names of nodes.
    #[must_use]
    pub fn teams(&self) -> BTreeMap<String, String> {
        self.nodes.iter().map(|(node, owner)| (node.clone(), owner.team.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for (address, links) in [
            ("https://runbooks.example.com/stock", true),
            ("http://[::1]/stock", true),
            ("javascript:alert(1)", false),
            ("https:///stock", false),
            ("https://a.example/ onclick=x", false),
            ("JAVASCRIPT:https://x", false),
            ("", false),
        ] {
            let owner = Owner { runbook: Some(address.to_owned()), ..Owner::default() };
            assert_eq!(owner.link().is_some(), links, "{address}");
        }
    }
}
