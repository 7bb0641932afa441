//! The layer table of ARCHITECTURE.md against what cargo says.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, Metadata};

use super::{Finding, members};
use crate::shell::root;

/// What pure layers (L0, L1) never depend on.
const RUNTIME_CRATES: [&str; 9] =
    ["tokio", "hyper", "hyper-util", "reqwest", "axum", "tonic", "sqlx", "socket2", "tracing"];

/// Libraries that only some crates may see.
const EXCLUSIVE: [(&str, &[&str]); 11] = [
    ("tungstenite", &["tests/testkit"]),
    ("io-uring", &["crates/sockets"]),
    ("rustls-native-certs", &["crates/tls"]),
    ("hdrhistogram", &["crates/latency"]),
    ("ratatui", &["crates/dashboard"]),
    ("clap", &["crates/cli", "crates/xtask"]),
    ("opentelemetry-proto", &["crates/collector"]),
    ("sqlparser", &["crates/shadow-rules"]),
    ("httparse", &["crates/wire-http1"]),
    ("prost-reflect", &["crates/wire-grpc", "tests/testkit"]),
    ("protox", &["scenarios", "tests/testkit"]),
];

pub fn check(metadata: &Metadata) -> Result<Vec<Finding>, String> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md"))
        .map_err(|e| format!("ARCHITECTURE.md: {e}"))?;
    let table = table(&text);
    let folders: BTreeMap<String, String> = members(metadata).into_iter().collect();
    let mut findings = Vec::new();
    for folder in folders.values().filter(|folder| !table.contains_key(*folder)) {
        findings.push(format!("ARCHITECTURE.md: `{folder}` is not in the layer table"));
    }
    for folder in table.keys().filter(|folder| !folders.values().any(|known| known == *folder)) {
        findings.push(format!("ARCHITECTURE.md: `{folder}` is in the layer table but is no crate"));
    }
    for package in metadata.workspace_packages() {
        let Some(folder) = folders.get(package.name.as_str()) else { continue };
        let Some(layer) = table.get(folder) else { continue };
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let name = dependency.name.as_str();
            let target = folders.get(name).and_then(|folder| table.get(folder));
            if target.is_some_and(|target| target > layer) {
                findings.push(format!("{folder} (L{layer}) depends on {name}, which is above it"));
            }
            if *layer <= 1 && RUNTIME_CRATES.contains(&name) {
                findings
                    .push(format!("{folder} (L{layer}) depends on {name}: pure layers take bytes and times"));
            }
            if *layer <= 1 && dependency.features.iter().any(|feature| feature == "os") {
                findings.push(format!(
                    "{folder} (L{layer}) switches on `os` of {name}: pure layers read no clock"
                ));
            }
            let owners = EXCLUSIVE.iter().find(|(library, _)| *library == name).map(|(_, owners)| *owners);
            if owners.is_some_and(|owners| !owners.contains(&folder.as_str())) {
                findings.push(format!("{folder} depends on {name}, which is seen by {owners:?} alone"));
            }
        }
    }
    Ok(findings)
}

/// Rows `| L1 | `crates/x` | … |`: folder → layer. Tests count as the top layer.
fn table(text: &str) -> BTreeMap<String, u8> {
    let mut layers = BTreeMap::new();
    let mut current = None;
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() < 4 {
            continue;
        }
        match cells[1] {
            "" => {}
            "tests" => current = Some(9),
            other => current = other.strip_prefix('L').and_then(|rest| rest.get(..1)?.parse().ok()),
        }
        let folder = cells[2].trim_matches('`');
        if let (Some(layer), true) = (current, cells[2].starts_with('`')) {
            layers.insert(folder.to_owned(), layer);
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text = "| layer | crate | what |\n|---|---|---|\n| L0 words | `crates/a` | x |\n| | `crates/b` | y |\n| tests | `tests/e2e` | z |\n";
        let table = table(text);
        assert_eq!(table.get("crates/a"), Some(&0));
        assert_eq!(table.get("crates/b"), Some(&0));
        assert_eq!(table.get("tests/e2e"), Some(&9));
        assert_eq!(table.len(), 3);
    }
}
