//! Every crate explains itself.

use cargo_metadata::Metadata;

use super::{Finding, members};
use crate::shell::root;

const MIN_README_BYTES: usize = 120;

pub fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, folder) in members(metadata) {
        let folder_path = root().join(&folder);
        let readme = std::fs::read_to_string(folder_path.join("README.md")).unwrap_or_default();
        if readme.len() < MIN_README_BYTES {
            findings.push(format!("{folder}/README.md is missing or says too little"));
        }
        let entry = ["src/lib.rs", "src/main.rs"].map(|file| std::fs::read_to_string(folder_path.join(file)));
        let included = entry.iter().flatten().any(|text| text.contains("include_str!(\"../README.md\")"));
        if !included {
            findings.push(format!("{folder}: the README is not the crate's documentation (include_str!)"));
        }
    }
    findings
}
