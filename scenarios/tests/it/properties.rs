//! No text panics, and every finding lies within the text.

use proptest::prelude::*;

use peakdrill_scenarios::{LIBRARY, Parsed, render_github, render_human, render_json};

use super::{corpus, read};

fn sound(text: &str, parsed: &Parsed) {
    let lines: Vec<&str> = text.split('\n').collect();
    // Those of an included file lie in that one.
    for d in parsed.diagnostics.iter().filter(|d| !d.file.contains('/')) {
        assert!((1..=lines.len()).contains(&d.line), "{d:?}");
        let width = lines[d.line - 1].trim_end_matches('\r').chars().count();
        // One past the last character is where something is missing.
        assert!(d.column >= 1 && d.column <= width + 2, "{d:?}");
        assert!(d.end_column > d.column, "{d:?}");
    }
    let errors = parsed.diagnostics.iter().any(|d| !d.code.is_warning());
    assert_eq!(parsed.plan.is_some(), !errors);
    assert_eq!(render_human(&parsed.diagnostics, true).is_empty(), parsed.diagnostics.is_empty());
    assert_eq!(render_github(&parsed.diagnostics).lines().count(), parsed.diagnostics.len());
    let json: serde_json::Value = serde_json::from_str(&render_json(&parsed.diagnostics)).unwrap();
    assert_eq!(json.as_array().unwrap().len(), parsed.diagnostics.len());
}

fn drills() -> Vec<String> {
    LIBRARY
        .iter()
        .map(|(_, text)| (*text).to_owned())
        .chain(corpus().into_iter().map(|(_, text)| text))
        .collect()
}

/// A change to a text: where (a share of its length), how much goes, what comes.
fn change() -> impl Strategy<Value = (f64, usize, String)> {
    let piece = prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            ": ", "- ", "{", "}", "[", "]", "\n", "  ", "\t", "'", "\"", "#", "&a ", "*a", "${", "}",
            "!!int ", "|\n", ">", "-1", "1e999", "0", "é", "\u{202e}", "~", "true", "100%", "/s", "<<: ",
            "? ",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    (0.0..1.0, 0_usize..12, piece)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        sound(&text, &read("x.yaml", &text));
    }

    #[test]
    fn changed_drills(which in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..5)) {
        let drills = drills();
        let mut text: Vec<char> = drills[which.index(drills.len())].chars().collect();
        for (at, gone, come) in changes {
            let at = (at * text.len() as f64) as usize;
            let end = (at + gone).min(text.len());
            text.splice(at..end, come.chars());
        }
        let text: String = text.into_iter().collect();
        sound(&text, &read("x.yaml", &text));
    }

    #[test]
    fn lines_left_out(which in any::<prop::sample::Index>(), from in 0_usize..40, count in 1_usize..4) {
        let drills = drills();
        let lines = drills[which.index(drills.len())].lines().enumerate();
        let text: String = lines
            .filter(|(at, _)| !(from..from + count).contains(at))
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        sound(&text, &read("x.yaml", &text));
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = "version: 1\nlabels:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (new, old) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        let row = vec![format!("*{old}"); 10].join(", ");
        text.push_str(&format!("  {new}: &{new} [{row}]\n"));
    }
    let parsed = read("x.yaml", &text);
    assert_eq!(parsed.diagnostics[0].code.0, "E0102", "{:?}", parsed.diagnostics[0]);
}

#[test]
fn the_corpus_of_the_fuzzer_is_replayed() {
    let folder = super::here("fuzz/corpus/parse");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        sound(&text, &read("x.yaml", &text));
        count += 1;
    }
    assert!(count >= 10, "only {count} inputs");
}
