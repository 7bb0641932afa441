//! `peakdrill doctor`.

use std::fmt::Write as _;

use peakdrill_drill_control::machine::{Finding, Level, Need, Roots, examine, measure, read};
use peakdrill_drill_model::exit::Exit;
use serde_json::json;

use super::Failure;
use super::run::shards;
use crate::args::{Doctor, Format, Transport};
use crate::show::out;

/// Version of what `--format json` prints.
const VERSION: u32 = 1;

pub(super) fn run(args: &Doctor) -> Result<Exit, Failure> {
    let shards = shards(args.shards);
    let mut need = match &args.file {
        Some(file) => Need::of(&crate::files::plan(file, &args.sets)?, shards),
        None => Need::of_nothing(shards),
    };
    need.uring = args.transport == Transport::Uring;
    let roots = Roots::default();
    let mut facts = read(&roots);
    measure(&mut facts, &roots);
    let findings = examine(&facts, &need);
    match args.format {
        Format::Human => out(&text(&findings, args.file.is_some())),
        Format::Json => {
            let json = serde_json::to_string_pretty(&json!({ "v": VERSION, "findings": findings }))
                .map_err(|error| Failure::new(Exit::Bug, format!("findings do not serialise: {error}")))?;
            out(&(json + "\n"));
        }
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    Ok(if worst == Some(Level::Problem) { Exit::Preflight } else { Exit::Ok })
}

// Writing to a String cannot fail, so the results of `writeln!` are dropped.
fn text(findings: &[Finding], drill: bool) -> String {
    let mut out = String::new();
    for finding in findings {
        _ = writeln!(out, "{:<8} {:<10} {}", finding.level.name(), finding.topic, finding.found);
        if finding.level > Level::Ok {
            _ = writeln!(out, "{:19} expected {}", "", finding.expected);
        }
        if let Some(fix) = &finding.fix {
            _ = writeln!(out, "{:19} {fix}", "");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    let what = if drill { "this drill" } else { "a drill" };
    let end = match (problems, warnings) {
        (0, 0) => format!("this machine can generate the load of {what}"),
        (0, 1) => format!("this machine can generate the load of {what}; one warning"),
        (0, warnings) => format!("this machine can generate the load of {what}; {warnings} warnings"),
        (1, _) => format!("this machine would spoil {what}: one problem"),
        (problems, _) => format!("this machine would spoil {what}: {problems} problems"),
    };
    _ = writeln!(out, "\n{end}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_with_what_mends_them() {
        let finding = |level, fix: Option<&str>| Finding {
            topic: "files",
            level,
            found: "8 files".into(),
            expected: "9 files".into(),
            fix: fix.map(str::to_owned),
        };
        let said = text(&[finding(Level::Ok, None), finding(Level::Problem, Some("ulimit -n 9"))], true);
        assert_eq!(
            said,
            "ok       files      8 files\nproblem  files      8 files\n                    expected 9 files\n\
             \x20                   ulimit -n 9\n\nthis machine would spoil this drill: one problem\n"
        );
        assert!(text(&[], false).ends_with("can generate the load of a drill\n"));
    }
}
