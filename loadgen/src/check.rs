//! Checks of answers, compiled.

use std::cmp::Ordering;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{Check, TextTest};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use crate::error::StartError;
use crate::extract::{Called, Reply};
use crate::json::{Found, Paths, Seen};

/// Memory that one compiled regular expression may take, in bytes.
const REGEX_MAX_BYTES: usize = 1 << 20;

/// A compiled check.
#[derive(Debug)]
pub(crate) enum Test {
    Status { op: Op, value: u16 },
    StatusIn(Vec<u16>),
    GrpcStatus { op: Op, value: u16 },
    GrpcStatusIn(Vec<u16>),
    Messages { op: Op, count: u64 },
    Json { path: usize, op: Op, value: Value },
    JsonIn { path: usize, values: Vec<Value> },
    JsonText { path: usize, test: Text },
    Header { name: String, test: Text },
    Body(Text),
    BodySize { op: Op, bytes: u64 },
}

/// A compiled [`TextTest`].
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Is(Vec<u8>),
    IsNot(Vec<u8>),
    Contains(Box<memchr::memmem::Finder<'static>>),
    Matches(Regex),
    Present,
    Absent,
}

/// An answer as checks see it. `json` is `None` when the body is not JSON.
pub(crate) struct Subject<'a> {
    pub(crate) reply: &'a Reply<'a>,
    pub(crate) json: Option<&'a Found>,
}

pub(crate) fn regex(text: &str) -> Result<Regex, StartError> {
    RegexBuilder::new(text)
        .size_limit(REGEX_MAX_BYTES)
        .build()
        .map_err(|error| StartError::Plan(format!("regular expression `{text}`: {error}")))
}

impl Test {
    pub(crate) fn compile(check: &Check, paths: &mut Paths) -> Result<Self, StartError> {
        Ok(match check {
            Check::Status { op, value } => Self::Status { op: *op, value: *value },
            Check::StatusIn(values) => Self::StatusIn(values.clone()),
            Check::GrpcStatus { op, value } => Self::GrpcStatus { op: *op, value: *value },
            Check::GrpcStatusIn(values) => Self::GrpcStatusIn(values.clone()),
            Check::Messages { op, count } => Self::Messages { op: *op, count: *count },
            Check::Json { path, op, value } => {
                Self::Json { path: paths.add(path)?, op: *op, value: value.clone() }
            }
            Check::JsonIn { path, values } => Self::JsonIn { path: paths.add(path)?, values: values.clone() },
            Check::JsonText { path, test } => {
                Self::JsonText { path: paths.add(path)?, test: Text::compile(test)? }
            }
            Check::Header { name, test } => Self::Header { name: name.clone(), test: Text::compile(test)? },
            Check::Body(test) => Self::Body(Text::compile(test)?),
            Check::BodySize { op, bytes } => Self::BodySize { op: *op, bytes: *bytes },
        })
    }

    /// Whether it speaks of the status.
    pub(crate) fn is_of_status(&self) -> bool {
        matches!(
            self,
            Self::Status { .. } | Self::StatusIn(_) | Self::GrpcStatus { .. } | Self::GrpcStatusIn(_)
        )
    }

    pub(crate) fn is_of_json(&self) -> bool {
        matches!(self, Self::Json { .. } | Self::JsonIn { .. } | Self::JsonText { .. })
    }

    pub(crate) fn is_of_body(&self) -> bool {
        self.is_of_json() || matches!(self, Self::Body(_) | Self::BodySize { .. })
    }

    /// Whether an answer passes.
    pub(crate) fn holds(&self, of: &Subject<'_>) -> bool {
        let reply = of.reply;
        match self {
            Self::Status { op, value } => ordered(*op, reply.status.cmp(value)),
            Self::StatusIn(values) => values.contains(&reply.status),
            Self::GrpcStatus { op, value } => {
                reply.called.is_some_and(|called| ordered(*op, called.status.cmp(value)))
            }
            Self::GrpcStatusIn(values) => reply.called.is_some_and(|called| values.contains(&called.status)),
            Self::Messages { op, count } => {
                reply.called.is_some_and(|called| ordered(*op, called.messages.cmp(count)))
            }
            Self::Json { path, op, value } => {
                of.seen(*path).is_some_and(|(f, seen)| compares(f, seen, *op, value))
            }
            Self::JsonIn { path, values } => of
                .seen(*path)
                .is_some_and(|(found, seen)| values.iter().any(|value| compares(found, seen, Op::Eq, value))),
            // Of what is not JSON nothing is known, not even that something is absent.
            Self::JsonText { .. } if of.json.is_none() => false,
            Self::JsonText { path, test } => {
                let text =
                    |(found, seen): (&Found, &Seen)| found.as_text(seen, |t| test.holds(Some(t.as_bytes())));
                of.seen(*path).and_then(text).unwrap_or_else(|| test.holds(None))
            }
            Self::Header { name, test } => test.holds(reply.heads.get(name)),
            Self::Body(test) => test.holds(Some(reply.body)),
            Self::BodySize { op, bytes } => ordered(*op, (reply.body.len() as u64).cmp(bytes)),
        }
    }

    /// Why an answer does not pass, for a person.
    pub(crate) fn why_not(&self, of: &Subject<'_>, paths: &Paths) -> String {
        let at = |path: usize, what: String| match of.seen(path) {
            Some(_) => format!("{} {what}", paths.text(path)),
            None => format!("nothing at {}", paths.text(path)),
        };
        match self {
            Self::Status { op, value } => {
                format!("status is {}, not {} {value}", of.reply.status, op.text())
            }
            Self::StatusIn(values) => format!("status is {}, not in {values:?}", of.reply.status),
            Self::GrpcStatus { op, value } => {
                format!(
                    "grpc_status is {}, not {} {value}",
                    of.called(|called| called.status.into()),
                    op.text()
                )
            }
            Self::GrpcStatusIn(values) => {
                format!("grpc_status is {}, not in {values:?}", of.called(|called| called.status.into()))
            }
            Self::Messages { op, count } => {
                format!(
                    "there are {} messages, not {} {count}",
                    of.called(|called| called.messages),
                    op.text()
                )
            }
            _ if self.is_of_json() && of.json.is_none() => of.why_no_json().to_owned(),
            Self::Json { path, op, value } => at(*path, format!("is not {} {value}", op.text())),
            Self::JsonIn { path, values } => at(*path, format!("is not in {}", Value::from(values.clone()))),
            Self::JsonText { path, test: Text::Absent } => at(*path, Text::Absent.why_not()),
            Self::JsonText { path, test } => at(*path, test.why_not()),
            Self::Header { name, test } => match (of.reply.heads.get(name), test) {
                (None, _) => format!("there is no header {name}"),
                (Some(_), test) => format!("header {name} {}", test.why_not()),
            },
            Self::Body(test) => format!("the body {}", test.why_not()),
            Self::BodySize { op, bytes } => {
                format!("the body has {} bytes, not {} {bytes}", of.reply.body.len(), op.text())
            }
        }
    }
}

impl<'a> Subject<'a> {
    /// A number of a gRPC call, for a person.
    fn called(&self, of: impl Fn(Called) -> u64) -> String {
        self.reply.called.map_or_else(|| "not known".to_owned(), |called| of(called).to_string())
    }

    /// Why there is no JSON, for a person.
    pub(crate) fn why_no_json(&self) -> &'a str {
        Some(self.reply.why_no_json).filter(|why| !why.is_empty()).unwrap_or("the body is not JSON")
    }

    fn seen(&self, path: usize) -> Option<(&'a Found, &'a Seen)> {
        let found = self.json?;
        Some((found, found.get(path)?))
    }
}

impl Text {
    pub(crate) fn compile(test: &TextTest) -> Result<Self, StartError> {
        Ok(match test {
            TextTest::Is(text) => Self::Is(text.clone().into_bytes()),
            TextTest::IsNot(text) => Self::IsNot(text.clone().into_bytes()),
            TextTest::Contains(text) => {
                Self::Contains(Box::new(memchr::memmem::Finder::new(text.as_bytes()).into_owned()))
            }
            TextTest::Matches(text) => Self::Matches(regex(text)?),
            TextTest::Present => Self::Present,
            TextTest::Absent => Self::Absent,
        })
    }

    pub(crate) fn holds(&self, text: Option<&[u8]>) -> bool {
        let Some(text) = text else { return matches!(self, Self::Absent) };
        match self {
            Self::Is(wanted) => text == wanted,
            Self::IsNot(other) => text != other,
            Self::Contains(part) => part.find(text).is_some(),
            Self::Matches(regex) => regex.is_match(text),
            Self::Present => true,
            Self::Absent => false,
        }
    }

    fn why_not(&self) -> String {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Is(wanted) => format!("is not == {:?}", shown(wanted)),
            Self::IsNot(other) => format!("is not != {:?}", shown(other)),
            Self::Contains(part) => format!("does not contain {:?}", shown(part.needle())),
            Self::Matches(regex) => format!("does not match /{regex}/"),
            Self::Present => "is not there".to_owned(),
            Self::Absent => "is there".to_owned(),
        }
    }
}

fn ordered(op: Op, order: Ordering) -> bool {
    match op {
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
    }
}

/// Whether a node is what a text says: the same text, or as a number the same value. Whole numbers are ids, and have more
/// digits than a float.
pub(crate) fn is_said_by(found: &Found, seen: &Seen, text: &str) -> bool {
    let same = |own: &str| {
        let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
        let whole = |text: &str| !text.contains(['.', 'e', 'E']);
        let numbers = matches!(seen, Seen::Number(_)) && !(whole(own) && whole(text));
        own == text || numbers && number(own).is_some_and(|own| number(text) == Some(own))
    };
    found.as_text(seen, same).unwrap_or(false)
}

/// Numbers compare as numbers, texts by their characters; all else is equal or is not.
fn compares(found: &Found, seen: &Seen, op: Op, wanted: &Value) -> bool {
    let same = match (seen, wanted) {
        (Seen::Number(range), Value::Number(b)) => {
            let a = found.chars(range);
            let whole = b.as_i64().map(i128::from).or(b.as_u64().map(i128::from));
            return match (a.parse().ok(), whole) {
                // Ids have more digits than a float.
                (Some(a), Some(b)) => ordered(op, i128::cmp(&a, &b)),
                _ => a.parse().is_ok_and(|a| b.as_f64().is_some_and(|b| op.holds(a, b))),
            };
        }
        (Seen::Text(range), Value::String(b)) => return ordered(op, found.chars(range).cmp(b.as_str())),
        (Seen::Bool(a), Value::Bool(b)) => a == b,
        (Seen::Null, Value::Null) => true,
        _ => false,
    };
    match op {
        Op::Eq => same,
        Op::Ne => !same,
        _ => false,
    }
}
