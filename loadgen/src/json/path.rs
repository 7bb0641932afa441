//! Which JSON paths are simple.

/// A step of a simple path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// A member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// The steps of a path that leads to one node at most: `$.a`, `['a b']` and `[0]` in any order. `None` for all others,
/// and for quoted names with escapes. The path was read by the library before.
pub(super) fn simple(path: &str) -> Option<Vec<Key>> {
    let mut rest = path.strip_prefix('$')?;
    let mut keys = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, behind) = after.split_at_checked(end)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
            if name.is_empty() || !name.chars().all(plain) {
                return None;
            }
            keys.push(Key::Name(name.to_owned()));
            rest = behind;
            continue;
        }
        let inside = rest.strip_prefix('[')?;
        let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'));
        if let Some(quote) = quote {
            let (name, behind) = inside.get(1..)?.split_once(quote)?;
            if name.contains('\\') {
                return None;
            }
            keys.push(Key::Name(name.to_owned()));
            rest = behind.strip_prefix(']')?;
        } else {
            let (digits, behind) = inside.split_once(']')?;
            if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
                return None;
            }
            keys.push(Key::Index(digits.parse().ok()?));
            rest = behind;
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_to_one_node_are_simple() {
        let name = |name: &str| Key::Name(name.to_owned());
        assert_eq!(simple("$"), Some(vec![]));
        let keys = vec![name("a"), Key::Index(0), name("b c"), name("ü"), name("x")];
        assert_eq!(simple("$.a[0]['b c'].ü[\"x\"]"), Some(keys));
        for other in
            ["$..a", "$.*", "$[*]", "$[-1]", "$[0:2]", "$['a','b']", "$[?@.a]", "$['a\\n']", "$ .a", "a"]
        {
            assert_eq!(simple(other), None, "{other}");
        }
    }
}
