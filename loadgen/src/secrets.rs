//! Secrets that requests carry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

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

    /// The text with every secret in it taken out: what services answer may hold what they were sent.
    /// A part of one at the end, where the text was cut, is taken out too.
    pub(crate) fn hide(&self, mut text: String) -> String {
        for value in self.0.values().filter(|value| value.len() >= FOUND_MIN_BYTES) {
            // In JSON, quotes and backslashes of it are escaped.
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            for form in [value.as_str(), quoted.trim_matches('"')] {
                if text.contains(form) {
                    text = text.replace(form, HIDDEN);
                }
                let cut = (FOUND_MIN_BYTES..form.len())
                    .rev()
                    .find(|length| form.get(..*length).is_some_and(|beginning| text.ends_with(beginning)));
                if let Some(length) = cut {
                    text.truncate(text.len() - length);
                    text.push_str(HIDDEN);
                }
            }
        }
        text
    }
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
        let quoted = Secrets::new([("C".to_owned(), "a\"b\\c".to_owned())].into());
        assert_eq!(quoted.hide(r#"{"k":"a\"b\\c"}"#.to_owned()), r#"{"k":"[redacted]"}"#);
    }
}
