//! Broken drills: each says in its first line what must be found, and where.

use peakdrill_scenarios::{Level, codes, explain};

use super::{corpus, read};

/// Fewer would mean that the corpus was lost.
const AT_LEAST: usize = 100;

fn found(text: &str) -> (String, bool, bool) {
    let parsed = read("drill.yaml", text);
    let list: Vec<_> =
        parsed.diagnostics.iter().map(|d| format!("{} {}:{}", d.code, d.line, d.column)).collect();
    let errors = parsed.diagnostics.iter().any(|d| d.level == Level::Error);
    (list.join(", "), errors, parsed.plan.is_some())
}

#[test]
fn every_broken_drill_gives_exactly_its_findings() {
    let corpus = corpus();
    assert!(corpus.len() >= AT_LEAST, "only {} drills", corpus.len());
    let mut wrong = String::new();
    for (name, text) in &corpus {
        let wanted = text.lines().next().and_then(|line| line.strip_prefix("# expect: ")).unwrap();
        let (found, errors, planned) = found(text);
        assert_eq!(planned, !errors, "{name}: a plan exactly when there is no error");
        assert!(!found.is_empty(), "{name}: nothing was found");
        if found != wanted {
            wrong.push_str(&format!("{name}\n  wanted {wanted}\n  found  {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_corpus_knows_nearly_every_code() {
    let text: String =
        corpus().into_iter().map(|(_, text)| text.lines().next().unwrap().to_owned()).collect();
    let missing: Vec<_> =
        codes().into_iter().filter(|code| !text.contains(code.0)).map(|code| code.0).collect();
    // Tested apart, because no file alone can show them: `--set` of a name that is not declared, a data file of
    // 256 MiB.
    assert_eq!(missing, ["E0205", "E0426"]);
}

#[test]
fn every_code_is_explained_once() {
    let mut seen = codes();
    for code in &seen {
        let text = explain(code.0).unwrap();
        assert!(text.len() > 30, "{code} is explained by {text:?}");
        assert_eq!(explain(&code.0.to_lowercase()), Some(text));
    }
    seen.dedup();
    assert_eq!(seen.len(), codes().len());
    assert_eq!(explain("E9999"), None);
}
