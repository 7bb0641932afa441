//! The operation of a span, of low cardinality whatever the instrumentation put into its name.

use super::key::Key;
use super::{Attributes, OP_BYTES_MAX, cut, peer};
use crate::Messaging;

/// Statements that a database span's name or text may begin with, and the word before the table.
const SQL_VERBS: [(&str, &str); 7] = [
    ("select", "from"),
    ("insert", "into"),
    ("update", "update"),
    ("delete", "from"),
    ("replace", "into"),
    ("merge", "into"),
    ("call", "call"),
];
/// A run of hex digits at least this long is an id, not a word.
const HEX_ID_CHARS_MIN: usize = 8;

pub(super) fn op(attributes: &Attributes<'_>, name: &str, messaging: Option<Messaging>) -> String {
    let said = if let Some(messaging) = messaging {
        peer::destination(attributes).map(|to| format!("{} {to}", verb(messaging)))
    } else if attributes.db_system().is_some() {
        database(attributes).or_else(|| summarise(name))
    } else if attributes.get(&[Key::RpcSystemName, Key::RpcSystem]).is_some() {
        rpc(attributes)
    } else {
        http(attributes)
    };
    cut(said.unwrap_or_else(|| generalise(name)), OP_BYTES_MAX)
}

fn verb(messaging: Messaging) -> &'static str {
    match messaging {
        Messaging::Send => "send",
        Messaging::Receive => "receive",
        Messaging::Process => "process",
        Messaging::Settle => "settle",
    }
}

fn http(attributes: &Attributes<'_>) -> Option<String> {
    let method = attributes.text(&[Key::HttpMethod, Key::HttpMethodOld])?;
    let route = attributes.text(&[Key::HttpRoute, Key::UrlTemplate])?;
    Some(format!("{method} {route}"))
}

fn rpc(attributes: &Attributes<'_>) -> Option<String> {
    let method = attributes.text(&[Key::RpcMethod])?;
    match attributes.text(&[Key::RpcService]) {
        // The new method is fully qualified already.
        Some(service) if !method.contains('/') => Some(format!("{service}/{method}")),
        _ => Some(method.to_owned()),
    }
}

fn database(attributes: &Attributes<'_>) -> Option<String> {
    if let Some(summary) = attributes.text(&[Key::DbQuerySummary]) {
        return Some(summary.to_owned());
    }
    let what = [
        Key::DbCollectionName,
        Key::DbStoredProcedure,
        Key::DbSqlTableOld,
        Key::DbCassandraTableOld,
        Key::DbMongodbCollectionOld,
    ];
    let operation = attributes.text(&[Key::DbOperationName, Key::DbOperationOld]);
    match (operation, attributes.text(&what)) {
        (Some(operation), Some(what)) => Some(format!("{operation} {what}")),
        (operation, what) => {
            let text = attributes.text(&[Key::DbQueryText, Key::DbStatementOld]);
            text.and_then(summarise).or_else(|| operation.or(what).map(str::to_owned))
        }
    }
}

/// `SELECT orders` of a statement; `None` for what is no statement. Values never get into it.
fn summarise(statement: &str) -> Option<String> {
    let mut words = statement.split_whitespace();
    let first = words.next()?;
    let (verb, before_table) = SQL_VERBS.iter().find(|(verb, _)| first.eq_ignore_ascii_case(verb))?;
    let table = if verb == before_table {
        words.next()
    } else {
        words.find(|word| word.eq_ignore_ascii_case(before_table)).and_then(|_| words.next())
    };
    let table = table.map(|table| table.split(['(', ';', ',']).next().unwrap_or_default());
    let table = table.map(|table| table.trim_matches(['"', '`', '[', ']', '\''])).unwrap_or_default();
    let verb = verb.to_ascii_uppercase();
    Some(if table.is_empty() { verb } else { format!("{verb} {table}") })
}

/// A name with its ids taken out: `GET /orders/17` is `GET /orders/{}`.
fn generalise(name: &str) -> String {
    let name = name.split('?').next().unwrap_or_default();
    let mut out = String::with_capacity(name.len().min(OP_BYTES_MAX));
    for piece in name.split_inclusive(['/', ' ']) {
        if out.len() > OP_BYTES_MAX {
            break;
        }
        let (word, end) = match piece.strip_suffix(['/', ' ']) {
            Some(word) => (word, &piece[word.len()..]),
            None => (piece, ""),
        };
        out.push_str(if is_id(word) { "{}" } else { word });
        out.push_str(end);
    }
    out
}

/// Only digits, or hex digits and dashes with a digit among them, as UUIDs are.
fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = word.bytes().filter(|c| *c == b'-').count();
    digits > 0 && (digits == word.len() || (hex >= HEX_ID_CHARS_MIN && hex + dashes == word.len()))
}
