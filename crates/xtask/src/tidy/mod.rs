//! `cargo xtask tidy`: the house's structure, checked.

mod layers;
mod licences;
mod readmes;
mod schema;
mod sizes;
mod sources;

use std::path::Path;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::shell::root;

/// One thing that is not as it should be: where, what, and what to do.
pub type Finding = String;

/// Checks what a machine can say of the tree. `program`: a `peakdrill` that is built already.
pub fn run(bless: bool, program: Option<&Path>) -> Result<(), String> {
    eprintln!("\n── tidy");
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .exec()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(layers::check(&metadata)?);
    findings.extend(readmes::check(&metadata));
    findings.extend(licences::check(&metadata));
    findings.extend(sources::check(&metadata)?);
    findings.extend(sizes::check(&metadata, bless)?);
    findings.extend(schema::check(bless, program)?);
    for finding in &findings {
        eprintln!("  ✗ {finding}");
    }
    if findings.is_empty() {
        eprintln!("── tidy: ok");
        return Ok(());
    }
    Err(format!("tidy: {} findings", findings.len()))
}

/// Workspace members: package name and folder relative to the root.
fn members(metadata: &Metadata) -> Vec<(String, String)> {
    let root = metadata.workspace_root.as_str();
    let folder = |manifest: &str| {
        manifest.trim_end_matches("/Cargo.toml").trim_start_matches(root).trim_start_matches('/').to_owned()
    };
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.to_string(), folder(package.manifest_path.as_str())))
        .collect()
}
