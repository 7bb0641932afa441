//! `cargo xtask test`: everything that must hold.

use std::path::Path;

use clap::Args;

use crate::shell::{cargo, has, install, step, target_dir};
use crate::tidy;

#[derive(Args)]
pub struct Options {
    /// Only the quick part: fmt, clippy, tidy, unit and property tests; no whole drills.
    #[arg(long)]
    quick: bool,
}

pub fn run(options: &Options) -> Result<(), String> {
    install_servers()?;
    step("fmt", cargo().args(["fmt", "--all", "--check"]))?;
    step("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // All targets at once: with fewer, features unify in another way, and everything would be built twice.
    step("build", cargo().args(["build", "--workspace", "--all-targets"]))?;
    let program = target_dir()?.join("debug/peakdrill");
    tidy::run(false, Some(&program))?;
    deny()?;
    tests(options.quick, &program)?;
    step("doc tests", cargo().args(["test", "--workspace", "--doc", "--quiet"]))?;
    eprintln!("\nall of it holds");
    Ok(())
}

fn tests(quick: bool, program: &Path) -> Result<(), String> {
    let scope: &[&str] = if quick { &["--exclude", "peakdrill-e2e"] } else { &[] };
    // Whole drills measure time: they run alone, after the rest.
    let mut command = cargo();
    if has("cargo-nextest", "--version") {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        command.args(["test", "--workspace", "--lib", "--bins", "--tests"]);
        command.env("RUST_TEST_THREADS", "1");
    }
    step("tests", command.args(scope).env("PEAKDRILL_BIN", program))
}

/// The advisory data is a public repository: where it cannot be had, licences, bans and sources still count.
fn deny() -> Result<(), String> {
    if !has("cargo-deny", "--version") {
        eprintln!(
            "\n── deny: cargo-deny is not installed; licences were checked by tidy, advisories were NOT checked"
        );
        return Ok(());
    }
    step("deny", cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]))?;
    if step("advisories' data", cargo().args(["deny", "fetch", "db"])).is_err() {
        eprintln!("── advisories: their data could not be had; they were NOT checked");
        return Ok(());
    }
    step("advisories", cargo().args(["deny", "check", "--disable-fetch", "advisories"]))
}

/// The servers that tests start for themselves.
fn install_servers() -> Result<(), String> {
    let missing: &[&str] = if postgres_is_here() { &[] } else { &["postgresql"] };
    install(missing)
}

fn postgres_is_here() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/initdb").exists())
        || has("initdb", "--version")
}
