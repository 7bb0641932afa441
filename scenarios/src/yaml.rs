//! Text to tree: the one file that knows the YAML parser.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Spanned, from_multiple_with_options, from_str_with_options};

use crate::limits;
use crate::node::{Kind, Node, Scalar, Span, Value};

/// Why a text is no tree.
#[derive(Debug)]
pub(crate) struct ReadError {
    /// What is wrong, without its place.
    pub(crate) message: String,
    /// Line and column, both from 1; 1 and 1 when the parser does not say.
    pub(crate) place: (usize, usize),
    /// A limit was exceeded, rather than the syntax broken.
    pub(crate) limit: bool,
}

/// Reads one document; an empty text is a null.
pub(crate) fn read(text: &str) -> Result<Node, ReadError> {
    from_str_with_options::<Spanned<Raw>>(text, options(1)).map(|root| node(root, text)).map_err(read_error)
}

/// Reads a text of any number of documents, up to a limit.
pub(crate) fn read_all(text: &str) -> Result<Vec<Node>, ReadError> {
    let documents = from_multiple_with_options::<Spanned<Raw>>(text, options(limits::MAX_OWNERS));
    documents.map(|all| all.into_iter().map(|root| node(root, text)).collect()).map_err(read_error)
}

fn options(documents: usize) -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        budget: serde_saphyr::budget! {
            max_events: limits::MAX_YAML_EVENTS,
            max_aliases: limits::MAX_YAML_ALIASES,
            max_anchors: limits::MAX_YAML_ALIASES,
            max_depth: limits::MAX_YAML_DEPTH,
            flow_nesting_limit: limits::MAX_YAML_DEPTH,
            max_documents: documents,
            max_total_scalar_bytes: limits::MAX_YAML_SCALAR_BYTES,
        },
    }
}

fn read_error(error: Error) -> ReadError {
    let error = error.without_snippet();
    let place =
        error.location().map_or((1, 1), |at| (at.line().max(1) as usize, at.column().max(1) as usize));
    let mut message = error.to_string();
    if let Some(end) = message.find(" at line ") {
        message.truncate(end);
    }
    if message.contains("Documents {") {
        return ReadError { message: "a scenario is one YAML document".to_owned(), place, limit: false };
    }
    let limit =
        ["budget breached", "recursion limit", "limit exceeded"].iter().any(|word| message.contains(word));
    if limit {
        message = format!("the text exceeds a limit of the reader: {message}");
    }
    ReadError { message, place, limit }
}

fn span(location: &serde_saphyr::Location) -> Span {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    Span { start, end: start + span.byte_len().unwrap_or(0) as usize }
}

enum Raw {
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
    Seq(Vec<Spanned<Raw>>),
    /// The text is given for strings only: other types lose their spelling, which is cut from the source.
    Scalar(Kind, Option<String>),
}

fn node(raw: Spanned<Raw>, source: &str) -> Node {
    let span = span(&raw.defined);
    let value = match raw.value {
        Raw::Map(entries) => Value::Map(
            entries.into_iter().map(|(key, value)| (node(key, source), node(value, source))).collect(),
        ),
        Raw::Seq(items) => Value::Seq(items.into_iter().map(|item| node(item, source)).collect()),
        Raw::Scalar(kind, given) => {
            let cut =
                || source.get(span.start..span.end).unwrap_or("").trim().trim_matches(['\'', '"']).to_owned();
            Value::Scalar(Scalar { text: given.unwrap_or_else(cut), kind })
        }
    };
    Node { span, value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Null, None))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Bool(value), None))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Int(value.into()), None))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Int(value.into()), None))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Int(value), None))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Float(value as f64), None))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Float(value), None))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Text, Some(value.to_owned())))
    }
}
