//! Secrets that requests carry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter secrets are not looked for in answers: they would be found everywhere.
const FOUND_MIN_BYTES: usize = 4;
const HIDDEN: &str = "[redacted]";

/// Values of secrets by name. Never shown.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, String>>);

impl Secrets {
    /// Takes values by name.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self(Arc::new(values))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text with every secret in it taken out, plain and as requests write it: what services answer may hold what
    /// they were sent. A part of one at the end of a line, where it was cut, is taken out too.
    pub(crate) fn hide(&self, mut text: String) -> String {
        if self.0.is_empty() || text.is_empty() {
            return text;
        }
        let forms = self.forms();
        // First the ends of lines: of a secret that was cut there, a shorter one may be the beginning.
        text = text.split('\n').map(|line| uncut(basic(line), &forms)).collect::<Vec<_>>().join("\n");
        for form in &forms {
            if text.contains(form) {
                text = text.replace(form, HIDDEN);
            }
        }
        text
    }

    /// How secrets may look in an answer, the longest first: one may be a part of another.
    fn forms(&self) -> Vec<String> {
        let mut forms = Vec::new();
        for value in self.0.values().filter(|value| value.len() >= FOUND_MIN_BYTES) {
            // In JSON, quotes and backslashes of it are escaped.
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            let percent: String = value.bytes().map(percent_encoded).collect();
            forms.extend([
                value.clone(),
                quoted.trim_matches('"').to_owned(),
                percent.to_ascii_lowercase(),
                percent,
            ]);
            forms.extend([
                STANDARD.encode(value),
                STANDARD_NO_PAD.encode(value),
                URL_SAFE_NO_PAD.encode(value),
            ]);
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        forms
    }
}

/// One byte of a query or a form.
fn percent_encoded(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

/// A line without a secret, or the beginning of one, at its end.
fn uncut(mut line: String, forms: &[String]) -> String {
    let cut = |form: &String| {
        let lengths = (FOUND_MIN_BYTES..=form.len()).rev();
        lengths
            .into_iter()
            .find(|length| form.get(..*length).is_some_and(|beginning| line.ends_with(beginning)))
    };
    if let Some(length) = forms.iter().filter_map(cut).max() {
        line.truncate(line.len() - length);
        line.push_str(HIDDEN);
    }
    line
}

/// A line without the name and password of an `authorization: Basic …` that is told back.
fn basic(line: &str) -> String {
    const SCHEME: &str = "basic ";
    let (lower, mut out, mut from) = (line.to_ascii_lowercase(), String::with_capacity(line.len()), 0);
    while let Some(at) = lower.get(from..).and_then(|rest| rest.find(SCHEME)) {
        let begin = from + at + SCHEME.len();
        let rest = line.get(begin..).unwrap_or_default();
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
        let length = rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
        out.push_str(line.get(from..begin).unwrap_or_default());
        out.push_str(if length >= FOUND_MIN_BYTES { HIDDEN } else { rest.get(..length).unwrap_or_default() });
        from = begin + length;
    }
    out.push_str(line.get(from..).unwrap_or_default());
    out
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let values = [("A", "hunter22"), ("B", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let secrets = Secrets::new(values.into());
        assert_eq!(format!("{secrets:?}"), "2 secrets");
        assert_eq!(secrets.hide("a x hunter22.".to_owned()), "a x [redacted].");
        assert_eq!(secrets.get("A"), Some("hunter22"));
        assert_eq!(secrets.hide("cut at hunte".to_owned()), "cut at [redacted]");
        assert_eq!(secrets.hide("a hunt".to_owned()), "a [redacted]");
        let two = [("A", "pass"), ("B", "password123"), ("C", "a+b/c d")];
        let two = Secrets::new(two.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(two.hide("k=password123".to_owned()), "k=[redacted]");
        assert_eq!(
            two.hide("location: /?k=a%2Bb%2Fc%20d\nserver: x".to_owned()),
            "location: /?k=[redacted]\nserver: x"
        );
        assert_eq!(two.hide("location: /passwo\nserver: x".to_owned()), "location: /[redacted]\nserver: x");
        assert_eq!(two.hide("got YStiL2MgZA==".to_owned()), "got [redacted]");
        assert_eq!(
            two.hide("Authorization: Basic dXNlcjpwdw== no".to_owned()),
            "Authorization: Basic [redacted] no"
        );
        let twice = Secrets::new([("A".to_owned(), "abcdabcd".to_owned())].into());
        assert_eq!(twice.hide("x abcdabcd".to_owned()), "x [redacted]");
        let quoted = Secrets::new([("C".to_owned(), "a\"b\\c".to_owned())].into());
        assert_eq!(quoted.hide(r#"{"k":"a\"b\\c"}"#.to_owned()), r#"{"k":"[redacted]"}"#);
    }
}
