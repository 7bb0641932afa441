//! Any text: no panic, a plan exactly when there is no error, every place within the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peakdrill_scenarios::{Files, Input, describe, parse, render_human};

struct Rows;

impl Files for Rows {
    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Ok(b"uid,second,requests\nu1,0,1\nu2,10,5\n".to_vec())
    }
}

fuzz_target!(|text: &str| {
    let parsed = parse(&Input { name: "f", text, sets: &[], env: &|_| None, files: &Rows });
    let errors = parsed.diagnostics.iter().any(|d| !d.code.is_warning());
    assert_eq!(parsed.plan.is_some(), !errors);
    let lines = text.split('\n').count();
    let own = |file: &str| file == "f";
    assert!(parsed.diagnostics.iter().all(|d| !own(&d.file) || (1..=lines).contains(&d.line)));
    assert!(parsed.diagnostics.iter().all(|d| d.end_column > d.column));
    let _ = render_human(&parsed.diagnostics, true);
    if let Some(plan) = &parsed.plan {
        let _ = describe(plan);
    }
});
