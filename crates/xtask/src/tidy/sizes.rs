//! File and function sizes, with a ratchet: what is over a limit today is written down and may only shrink.

use std::collections::BTreeMap;
use std::path::Path;

use cargo_metadata::Metadata;
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::sources::{is_test_file, rust_files};
use super::{Finding, members};
use crate::shell::root;

const FILE_LINES: usize = 500;
const FACADE_LINES: usize = 150;
const FUNCTION_LINES: usize = 70;

#[derive(Default, Serialize, Deserialize, PartialEq)]
struct Ratchet {
    /// `path` → lines, `path::function` → lines.
    over: BTreeMap<String, usize>,
}

pub fn check(metadata: &Metadata, bless: bool) -> Result<Vec<Finding>, String> {
    let (over, files, functions) = measure(metadata)?;
    eprintln!("  files: {}  functions: {}", spread(files), spread(functions));
    let path = root().join("crates/xtask/size-ratchet.json");
    if bless {
        let text = serde_json::to_string_pretty(&Ratchet { over }).map_err(|error| error.to_string())?;
        std::fs::write(&path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{\"over\":{}}".to_owned());
    let known: Ratchet =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(compare(&known.over, &over))
}

fn compare(known: &BTreeMap<String, usize>, now: &BTreeMap<String, usize>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, lines) in now {
        match known.get(place) {
            None => findings.push(format!("{place}: {lines} lines (limits: file {FILE_LINES}, lib.rs and main.rs {FACADE_LINES}, function {FUNCTION_LINES})")),
            Some(before) if lines > before => findings.push(format!("{place}: grew from {before} to {lines} lines")),
            Some(_) => {}
        }
    }
    for (place, before) in known {
        if now.get(place).is_none_or(|lines| lines < before) {
            findings.push(format!(
                "{place}: is smaller than its ratchet of {before}: run `cargo xtask tidy --bless`"
            ));
        }
    }
    findings
}

type Measured = (BTreeMap<String, usize>, Vec<usize>, Vec<usize>);

fn measure(metadata: &Metadata) -> Result<Measured, String> {
    let (mut over, mut files, mut functions) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (_, folder) in members(metadata).into_iter().filter(|(_, folder)| !folder.starts_with("tests/")) {
        for path in
            rust_files(&root().join(&folder).join("src"))?.into_iter().filter(|path| !is_test_file(path))
        {
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            let parsed = syn::parse_file(&text).map_err(|error| format!("{shown}: {error}"))?;
            let lines = production_lines(&text, &parsed);
            files.push(lines);
            let facade = ends_with_any(&path, &["lib.rs", "main.rs"]) && !shown.contains("/bin/");
            if lines > if facade { FACADE_LINES } else { FILE_LINES } {
                over.insert(shown.clone(), lines);
            }
            let mut visitor = Functions::default();
            visitor.visit_file(&parsed);
            for (name, lines) in visitor.found {
                functions.push(lines);
                if lines > FUNCTION_LINES {
                    over.insert(format!("{shown}::{name}"), lines);
                }
            }
        }
    }
    Ok((over, files, functions))
}

fn ends_with_any(path: &Path, names: &[&str]) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(&name))
}

fn spread(mut values: Vec<usize>) -> String {
    values.sort_unstable();
    let at = |share: f64| values.get(((values.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0);
    format!("{} (median {}, p90 {}, max {})", values.len(), at(0.5), at(0.9), at(1.0))
}

/// Lines without those of `#[cfg(test)]` items.
fn production_lines(text: &str, parsed: &syn::File) -> usize {
    let tests: usize = parsed
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Mod(module) if is_test(&module.attrs) => Some(span_lines(module.span())),
            syn::Item::Fn(function) if is_test(&function.attrs) => Some(span_lines(function.span())),
            _ => None,
        })
        .sum();
    text.lines().count().saturating_sub(tests)
}

fn span_lines(span: proc_macro2::Span) -> usize {
    span.end().line.saturating_sub(span.start().line) + 1
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().contains("test"),
        meta => meta.path().is_ident("test"),
    })
}

#[derive(Default)]
struct Functions {
    found: Vec<(String, usize)>,
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_test(&function.attrs) {
            self.found.push((function.sig.ident.to_string(), span_lines(function.block.span())));
            syn::visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.found.push((function.sig.ident.to_string(), span_lines(function.block.span())));
        syn::visit::visit_impl_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratchet_only_turns_one_way() {
        let map = |pairs: &[(&str, usize)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        assert!(compare(&map(&[("a", 600)]), &map(&[("a", 600)])).is_empty());
        assert_eq!(compare(&map(&[("a", 600)]), &map(&[("a", 601)])).len(), 1);
        assert_eq!(compare(&map(&[("a", 600)]), &map(&[("a", 590)])).len(), 1);
        assert_eq!(compare(&map(&[]), &map(&[("a", 501)])).len(), 1);
    }

    #[test]
    fn tests_do_not_count() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        let parsed = syn::parse_file(text).unwrap();
        assert_eq!(production_lines(text, &parsed), 1);
    }
}
