//! Takin's header, for an edge whose rules accept it explicitly. It is unsigned: whoever accepts it must mint a
//! token of its own at once.

/// The header that Takin's agents set.
pub const HEADER: &str = "p-pradar-cluster-test";

/// Reads the header: `true` or `1` is drill traffic, `false` or `0` is not, anything else is `None` and to be
/// refused.
#[must_use]
pub fn parse(value: &[u8]) -> Option<bool> {
    match super::trim(value) {
        b"1" => Some(true),
        b"0" => Some(false),
        word if word.eq_ignore_ascii_case(b"true") => Some(true),
        word if word.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn two_spellings_each() {
        for (value, expected) in
            [("1", Some(true)), (" true ", Some(true)), ("0", Some(false)), ("false", Some(false))]
        {
            assert_eq!(parse(value.as_bytes()), expected, "{value}");
        }
        for bad in ["", "yes", "11", "1,1", "tru"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
