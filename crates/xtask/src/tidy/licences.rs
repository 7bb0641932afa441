//! Only licences that everyone may build on.

use cargo_metadata::Metadata;

use super::Finding;

const ALLOWED: [&str; 12] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "0BSD",
    "Unlicense",
    "MIT-0",
];

pub fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or("none");
        if !allowed(licence) {
            findings.push(format!(
                "{} {}: licence `{licence}` is not on the list",
                package.name, package.version
            ));
        }
    }
    findings
}

/// `A OR B`: one is enough. `A AND B`: all. Older manifests write `A/B` for OR.
fn allowed(expression: &str) -> bool {
    let text = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let normal = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if normal.contains(" AND ") {
        return normal.split(" AND ").all(allowed);
    }
    normal.split(" OR ").any(|one| ALLOWED.contains(&one.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read() {
        assert!(allowed("MIT OR GPL-3.0"));
        assert!(allowed("MIT/Apache-2.0"));
        assert!(allowed("Apache-2.0 AND ISC"));
        assert!(!allowed("Apache-2.0 AND GPL-3.0"));
        assert!(!allowed("none"));
    }
}
