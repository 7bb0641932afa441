//! Scalars: text, numbers and quantities with their units.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use peakdrill_timebase::{UnitError, format_duration, format_rate, parse_duration, parse_rate};

use super::{Ctx, draft, list_of, nearest};
use crate::codes::{
    Code, E0201, E0206, E0207, E0208, E0209, E0310, E0314, E0401, E0402, E0403, E0405, E0410,
};
use crate::hole::{Piece, pieces};
use crate::limits;
use crate::node::{Kind, Node, Scalar, Value};

impl Ctx<'_> {
    /// The scalar of a node, as it is written.
    pub(crate) fn scalar<'n>(&self, node: &'n Node, what: &str) -> Option<&'n Scalar> {
        match &node.value {
            Value::Scalar(scalar) if scalar.kind != Kind::Null => Some(scalar),
            _ => {
                self.push(draft(
                    E0310,
                    node.span,
                    format!("{what} must be a single value, not {}", node.what()),
                ));
                None
            }
        }
    }

    /// The text of a node, with variables and `${env:…}` replaced. Holes that are filled per journey are errors.
    pub(crate) fn text<'n>(&self, node: &'n Node, what: &str) -> Option<Cow<'n, str>> {
        let raw = self.scalar(node, what)?.text.as_str();
        if !raw.contains("${") {
            return Some(Cow::Borrowed(raw));
        }
        let mut out = String::new();
        let mut whole = true;
        for piece in pieces(raw) {
            let text = match piece {
                Piece::Text(text) => Some(text.to_owned()),
                Piece::Hole(name) => self.fixed_hole(node, name, what),
                Piece::Broken(text) => {
                    self.broken_hole(node, text);
                    None
                }
            };
            whole &= text.is_some();
            out.push_str(&text.unwrap_or_default());
        }
        whole.then_some(Cow::Owned(out))
    }

    pub(crate) fn broken_hole(&self, node: &Node, text: &str) {
        let message = "`${` without a name and a closing `}`";
        let at = self.within(node, text);
        self.push(draft(E0208, at, message).help("write `$${` for a literal `${`"));
    }

    /// A variable or an environment value: `Some(None)` when it is one of them but broken, `None` when it is neither.
    pub(crate) fn constant(&self, node: &Node, name: &str) -> Option<Option<String>> {
        if let Some(value) = self.vars.borrow().get(name) {
            self.used_vars.borrow_mut().insert(name.to_owned());
            return Some(value.clone());
        }
        let env = name.strip_prefix("env:")?;
        let value = (self.input.env)(env);
        match &value {
            Some(value) => _ = self.taken_env.borrow_mut().insert(env.to_owned(), value.clone()),
            None => {
                let message = format!("the environment variable `{env}` is not set");
                self.push(draft(E0207, self.within(node, name), message));
            }
        }
        Some(value)
    }

    fn fixed_hole(&self, node: &Node, name: &str, what: &str) -> Option<String> {
        if let Some(value) = self.constant(node, name) {
            return value;
        }
        let at = self.within(node, name);
        if name.starts_with("secret:") {
            self.push(draft(E0206, at, format!("a secret may not stand in {what}")));
        } else if name.contains(['.', '(', ':'])
            || matches!(name, "uuid" | "index" | "time" | "time_ms" | "time_rfc3339")
        {
            let message = format!("{what} cannot differ per journey");
            self.push(draft(E0209, at, message).help("only `vars` and `${env:NAME}` are replaced here"));
        } else {
            let vars = self.vars.borrow();
            let mut found = draft(E0201, at, format!("unknown variable `{name}`"));
            if let Some(near) = nearest(name, vars.keys().map(String::as_str)) {
                found = found.help(format!("did you mean `{near}`?"));
            } else {
                found = found.help("declare it under `vars`");
            }
            self.push(found);
        }
        None
    }

    /// A duration within a range, in nanoseconds.
    pub(crate) fn duration(&self, node: &Node, what: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(node, what)?;
        let value = match parse_duration(&text) {
            Ok(value) => value,
            Err(why) => {
                return self.bad_unit(
                    node,
                    what,
                    &text,
                    &why,
                    "a duration",
                    &format!("{text}s` or `{text}ms"),
                );
            }
        };
        if !range.contains(&value) {
            let (low, high) = (format_duration(*range.start()), format_duration(*range.end()));
            return self.out_of_range(node, what, &text, &low, &high);
        }
        Some(value)
    }

    /// A rate of at most [`limits::MAX_RATE_PER_S`], a second.
    pub(crate) fn rate(&self, node: &Node, what: &str) -> Option<f64> {
        let text = self.text(node, what)?;
        let value = match parse_rate(&text) {
            Ok(value) => value,
            Err(why) => return self.bad_unit(node, what, &text, &why, "a rate", &format!("{text}/s")),
        };
        if value > limits::MAX_RATE_PER_S {
            return self.out_of_range(node, what, &text, "0/s", &format_rate(limits::MAX_RATE_PER_S));
        }
        Some(value)
    }

    /// A share between 0 % and 100 %, as 0..=1.
    pub(crate) fn percent(&self, node: &Node, what: &str) -> Option<f64> {
        let text = self.text(node, what)?;
        let Some(number) = text.trim().strip_suffix('%') else {
            let why = if text.trim().parse::<f64>().is_ok() {
                UnitError::NoUnit("%")
            } else {
                UnitError::NotANumber
            };
            return self.bad_unit(node, what, &text, &why, "a share", &format!("{text}%"));
        };
        match number.trim().parse::<f64>() {
            Ok(value) if (0.0..=100.0).contains(&value) => Some(value / 100.0),
            Ok(_) => self.out_of_range(node, what, &text, "0%", "100%"),
            Err(_) => self.bad_unit(node, what, &text, &UnitError::NotANumber, "a share", "5%"),
        }
    }

    /// A whole number within a range.
    pub(crate) fn whole<T>(&self, node: &Node, what: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Copy + std::fmt::Display,
    {
        let text = self.text(node, what)?;
        let written = match node.scalar().map(|scalar| scalar.kind) {
            Some(Kind::Int(value)) => Some(value),
            _ => text.trim().replace('_', "").parse::<i128>().ok(),
        };
        let Some(written) = written else {
            let found = draft(E0402, node.span, format!("{what} must be a whole number, not `{text}`"));
            self.push(found);
            return None;
        };
        match T::try_from(written) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => self.out_of_range(node, what, &text, &range.start().to_string(), &range.end().to_string()),
        }
    }

    /// A finite number within a range.
    pub(crate) fn number(&self, node: &Node, what: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let text = self.text(node, what)?;
        match text.trim().replace('_', "").parse::<f64>() {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(value) if value.is_finite() => {
                self.out_of_range(node, what, &text, &range.start().to_string(), &range.end().to_string())
            }
            _ => {
                let mut found = draft(E0402, node.span, format!("{what} must be a number, not `{text}`"));
                if text.ends_with('%') {
                    found = found.help("shares here are relative: write the bare number");
                }
                self.push(found);
                None
            }
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&self, node: &Node, what: &str) -> Option<bool> {
        let text = self.text(node, what)?;
        match text.as_ref() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let help = match other.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" => "write `true`",
                    "no" | "off" | "n" | "0" => "write `false`",
                    _ => "write `true` or `false`",
                };
                self.push(
                    draft(E0410, node.span, format!("{what} must be a boolean, not `{other}`")).help(help),
                );
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn choice(
        &self,
        node: &Node,
        what: &str,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        let text = self.text(node, what)?;
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(word);
        }
        let mut found = draft(E0314, node.span, format!("{what} cannot be `{text}`"))
            .label(format!("expected {}", list_of(words)));
        if let Some(near) = nearest(&text, words.iter().copied()) {
            found = found.help(format!("did you mean `{near}`?"));
        }
        self.push(found);
        None
    }

    /// Checks a name that is referred to elsewhere: letters, digits, `-` and `_`.
    pub(crate) fn name_ok(&self, node: &Node, name: &str, what: &str) -> bool {
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= limits::MAX_NAME_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !good {
            let help = "letters, digits, `-` and `_`, beginning with a letter, at most 100";
            self.push(draft(E0405, node.span, format!("`{name}` cannot name {what}")).help(help));
        }
        good
    }

    /// Checks one line of free text that names something in results.
    pub(crate) fn title_ok(&self, node: &Node, name: &str, what: &str) -> bool {
        let bad = |c: char| c.is_control() || matches!(c, '{' | '}' | '"' | '\'' | ',' | '=');
        let good = !name.trim().is_empty() && name.len() <= limits::MAX_NAME_BYTES && !name.contains(bad);
        if !good {
            let help = "one line of at most 100 bytes without `{`, `}`, quotes, commas and `=`";
            self.push(draft(E0405, node.span, format!("`{name}` cannot name {what}")).help(help));
        }
        good
    }

    fn out_of_range<T>(&self, node: &Node, what: &str, text: &str, low: &str, high: &str) -> Option<T> {
        let message = format!("{what} is out of range: `{text}`");
        self.push(draft(E0403, node.span, message).label(format!("must be {low} to {high}")));
        None
    }

    fn bad_unit<T>(
        &self,
        node: &Node,
        what: &str,
        text: &str,
        why: &UnitError,
        kind: &str,
        example: &str,
    ) -> Option<T> {
        let (code, message, help): (Code, String, Option<String>) = match why {
            UnitError::NoUnit(units) if text.trim().parse::<f64>().is_ok() => (
                E0401,
                format!("{what} is {kind} without a unit: `{text}`"),
                Some(format!("write `{example}`; units are {units}")),
            ),
            UnitError::UnknownUnit(units) | UnitError::NoUnit(units) => {
                (E0402, format!("{what} has an unknown unit: `{text}`"), Some(format!("units are {units}")))
            }
            UnitError::NotANumber => (E0402, format!("{what} is not {kind}: `{text}`"), None),
            UnitError::OutOfRange => (E0403, format!("{what} is out of range: `{text}`"), None),
        };
        let mut found = draft(code, node.span, message).label(format!("expected {kind}"));
        if let Some(help) = help {
            found = found.help(help);
        }
        self.push(found);
        None
    }
}
