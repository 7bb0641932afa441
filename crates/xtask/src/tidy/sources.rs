//! What may not stand in sources: clocks and I/O in pure layers, unfinished marks anywhere.

use std::path::{Path, PathBuf};

use cargo_metadata::Metadata;

use super::{Finding, members};
use crate::shell::root;

/// Folders of layers L0 and L1.
const PURE: [&str; 10] = [
    "crates/wire-ws",
    "crates/timebase",
    "crates/latency",
    "crates/shadow-tag",
    "crates/drill-model",
    "crates/trace-model",
    "scenarios",
    "crates/shadow-rules",
    "crates/bottleneck",
    "reports",
];

/// What a pure layer never says.
const IMPURE_WORDS: [&str; 7] = [
    "Instant::now",
    "SystemTime::now",
    "std::fs::",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "std::thread::",
];

/// Assembled, so that this file does not find itself.
fn unfinished() -> [String; 3] {
    ["TO", "FIX", "XX"].map(|half| match half {
        "TO" => "TODO".to_owned(),
        "FIX" => "FIXME".to_owned(),
        other => format!("{other}X"),
    })
}

pub fn check(metadata: &Metadata) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for (_, folder) in members(metadata) {
        for file in rust_files(&root().join(&folder).join("src"))? {
            let text =
                std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let shown = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
            for (number, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line)) {
                let code = line.trim_start();
                let comment = code.starts_with("//");
                let reads_clock_by_design = shown == "crates/timebase/src/clock.rs";
                if PURE.contains(&folder.as_str())
                    && !comment
                    && !reads_clock_by_design
                    && !is_test_file(&file)
                {
                    for word in IMPURE_WORDS.iter().filter(|word| code.contains(**word)) {
                        findings.push(format!("{shown}:{number}: `{word}` in a pure layer"));
                    }
                }
                if !folder.ends_with("xtask") && unfinished().iter().any(|mark| line.contains(mark.as_str()))
                {
                    findings.push(format!("{shown}:{number}: an unfinished mark"));
                }
            }
        }
    }
    Ok(findings)
}

/// `foo/tests.rs` and anything below a `tests` folder.
pub fn is_test_file(path: &Path) -> bool {
    path.components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "benches" | "examples")))
}

/// All Rust files below a folder, sorted.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
