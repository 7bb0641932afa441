//! Tokens taken out of a text that is stored or shown.

/// What stands where a secret stood.
const GONE: &str = "[redacted]";
const TOKEN_STARTS: [&str; 2] = ["pd1.", "pd1%2e"];
const MEMBER_STARTS: [&str; 2] = ["peakdrill=", "peakdrill%3d"];

/// The text with every token and every value of a `peakdrill` baggage member replaced by `[redacted]`, percent-
/// encoded ones (as in SQL comments) too. All else stays as it is; doing it twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let member = start_of(rest, &MEMBER_STARTS).map(|len| (len, value_len(rest, len)));
        let token = || start_of(rest, &TOKEN_STARTS).map(|len| (len, token_len(rest, len)));
        let (kept, dropped) = match member.or_else(token) {
            Some((start, len)) if len > 0 => (start, len),
            _ => (first.len_utf8(), 0),
        };
        clean.push_str(rest.get(..kept).unwrap_or_default());
        if dropped > 0 {
            clean.push_str(GONE);
        }
        rest = rest.get(kept + dropped..).unwrap_or_default();
    }
    clean
}

fn start_of(text: &str, starts: &[&str]) -> Option<usize> {
    let fits = |start: &&&str| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    starts.iter().find(fits).map(|start| start.len())
}

fn token_len(text: &str, from: usize) -> usize {
    let in_token = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'%');
    text.bytes().skip(from).take_while(in_token).count()
}

/// A value ends where the baggage, or the text around it, goes on.
fn value_len(text: &str, from: usize) -> usize {
    let ends = |c: &char| !c.is_whitespace() && !matches!(c, ',' | ';' | '\'' | '"' | '`' | '<' | '>' | '*');
    let value = text.get(from..).unwrap_or_default();
    value.chars().take_while(ends).map(char::len_utf8).sum()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn tokens_and_members_go() {
        for (text, expected) in [
            ("", ""),
            ("x-peakdrill: pd1.k.e.r.1.2.sig_-A", "x-peakdrill: pd1.[redacted]"),
            ("a=1,peakdrill=pd1.k.e,b=2", "a=1,peakdrill=[redacted],b=2"),
            ("peakdrill=live;p=1 é", "peakdrill=[redacted];p=1 é"),
            ("S /*baggage='peakdrill%3Dpd1.k.e'*/", "S /*baggage='peakdrill%3D[redacted]'*/"),
            ("PD1%2Ek%2Ee!", "PD1%2E[redacted]!"),
            ("\"xpd1.abc\"", "\"xpd1.[redacted]\""),
            ("it starts with pd1.", "it starts with pd1."),
            ("peakdrill= pd1.", "peakdrill= pd1."),
            ("x-peakdrill-ack: 00", "x-peakdrill-ack: 00"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
            assert_eq!(redact(expected), expected);
        }
    }
}
