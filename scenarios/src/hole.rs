//! Finding `${…}` in text.

/// A piece of a text with holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Fixed text.
    Text(&'t str),
    /// What stands between `${` and `}`, without blanks around it.
    Hole(&'t str),
    /// From a `${` that is never closed, or is empty.
    Broken(&'t str),
}

/// Cuts a text at its holes. `$${` is a literal `${`.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push(Piece::Text(&rest[..at - 1]));
            out.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        if at > 0 {
            out.push(Piece::Text(&rest[..at]));
        }
        let inside = &rest[at + 2..];
        let end = inside.find(['}', '\n']).filter(|end| inside.as_bytes()[*end] == b'}');
        match end {
            Some(end) if !inside[..end].trim().is_empty() => out.push(Piece::Hole(inside[..end].trim())),
            Some(end) => out.push(Piece::Broken(&rest[at..at + 3 + end])),
            None => {
                out.push(Piece::Broken(&rest[at..]));
                return out;
            }
        }
        rest = end.map_or("", |end| &inside[end + 1..]);
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_holes() {
        let found = pieces("a${ b }c$${d}${e");
        let wanted = [
            Piece::Text("a"),
            Piece::Hole("b"),
            Piece::Text("c"),
            Piece::Text("${"),
            Piece::Text("d}"),
            Piece::Broken("${e"),
        ];
        assert_eq!(found, wanted);
        assert_eq!(pieces("${}x"), [Piece::Broken("${}"), Piece::Text("x")]);
        assert!(pieces("").is_empty());
    }
}
