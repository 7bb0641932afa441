//! Data for journeys.

use std::sync::Arc;

use peakdrill_drill_model::plan::{Feeder, FeederOrder, OnExhausted};
use sha2::{Digest, Sha256};

use super::Entry;
use super::records::{self, check_quotes, utf8};
use super::vars::{BUILT_IN, hex};
use crate::codes::{E0210, E0314, E0319, E0402, E0403, E0414, E0422, E0426, E0701};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

/// A feeder and where it stands.
pub(crate) struct Slot {
    pub(crate) feeder: Feeder,
    /// The place of its name.
    pub(crate) span: Span,
    /// Its file was read; otherwise its columns are unknown.
    pub(crate) read: bool,
    /// Its order was understood.
    pub(crate) ordered: bool,
}

/// Reads the feeders of all files.
pub(super) fn lower(ctx: &Ctx<'_>, entries: &[Entry<'_>]) -> Vec<Slot> {
    if let Some((_, key, _)) = entries.get(limits::MAX_FEEDERS) {
        ctx.push(draft(E0701, key.span, format!("more than {} feeders", limits::MAX_FEEDERS)));
        return Vec::new();
    }
    let mut out = Vec::new();
    for (name, key, value) in entries {
        ctx.name_ok(key, name, "a feeder");
        if BUILT_IN.contains(name) || ctx.vars.borrow().contains_key(*name) {
            ctx.push(draft(E0210, key.span, format!("`{name}` is already the name of something else")));
        }
        if let Some(fields) = ctx.fields(value, key.span, &keys::FEEDER) {
            out.push(one(ctx, name, key.span, &fields));
        }
    }
    out
}

fn one(ctx: &Ctx<'_>, name: &str, span: Span, fields: &Fields<'_>) -> Slot {
    let written = fields.get("order").map(|node| order(ctx, node));
    let order = written.flatten().unwrap_or(FeederOrder::Sequential);
    let drawn = matches!(order, FeederOrder::Random | FeederOrder::Zipf(_));
    if let Some(node) = fields.get("scope")
        && let Some(scope) = ctx.choice(node, "`scope`", &["global", "shared"])
        && drawn != (scope == "shared")
    {
        let message = format!("`scope: {scope}` does not go with this order");
        let help = "`global` goes with sequential and shuffle, `shared` with random and zipf";
        ctx.push(draft(E0319, node.span, message).help(help));
    }
    let on_exhausted = fields.get("on_exhausted");
    if let (true, Some(node)) = (drawn, on_exhausted) {
        ctx.push(
            draft(E0319, node.span, "rows that are drawn are never exhausted").help("remove `on_exhausted`"),
        );
    }
    let on_exhausted = on_exhausted.and_then(|node| {
        Some(match ctx.choice(node, "`on_exhausted`", &["stop_journey", "recycle", "fail"])? {
            "recycle" => OnExhausted::Recycle,
            "fail" => OnExhausted::Fail,
            _ => OnExhausted::StopJourney,
        })
    });
    let (csv, jsonl) = (fields.get("csv"), fields.get("jsonl"));
    if csv.is_some() == jsonl.is_some() {
        let found = draft(E0414, span, "a feeder has exactly one file");
        ctx.push(found.label("expected one of `csv` and `jsonl`"));
    }
    let node = csv.xor(jsonl);
    let path = node.and_then(|node| ctx.text(node, "the feeder's file"));
    let table = node.zip(path.as_deref()).and_then(|(node, path)| match jsonl {
        Some(_) => json_lines(ctx, node, path),
        None => table(ctx, node, path, None),
    });
    let read = table.is_some();
    let table = table.unwrap_or_default();
    let feeder = Feeder {
        name: name.to_owned(),
        csv: path.unwrap_or_default().into_owned(),
        columns: table.columns,
        row_count: table.rows.len(),
        rows: Arc::new(table.rows),
        sha256: table.sha256,
        order,
        on_exhausted: on_exhausted.unwrap_or(OnExhausted::StopJourney),
    };
    Slot { feeder, span, read, ordered: written != Some(None) }
}

fn order(ctx: &Ctx<'_>, node: &Node) -> Option<FeederOrder> {
    let text = ctx.text(node, "`order`")?;
    match text.as_ref() {
        "sequential" => return Some(FeederOrder::Sequential),
        "shuffle" => return Some(FeederOrder::Shuffle),
        "random" => return Some(FeederOrder::Random),
        _ => {}
    }
    let Some(inside) = text.strip_prefix("zipf(").and_then(|rest| rest.strip_suffix(')')) else {
        let message = format!("`order` cannot be `{text}`");
        let label = "expected `sequential`, `shuffle`, `random` or `zipf(1.1)`";
        ctx.push(draft(E0314, node.span, message).label(label));
        return None;
    };
    match inside.trim().parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 10.0 => Some(FeederOrder::Zipf(s)),
        Ok(_) => {
            ctx.push(
                draft(E0403, node.span, "the exponent of zipf is out of range")
                    .label("must be above 0, at most 10"),
            );
            None
        }
        Err(_) => {
            ctx.push(draft(
                E0402,
                node.span,
                format!("the exponent of zipf must be a number, not `{inside}`"),
            ));
            None
        }
    }
}

/// A CSV file.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) sha256: String,
}

/// Reads a CSV file with a header line. Lines that begin with `comment` are left out.
pub(super) fn table(ctx: &Ctx<'_>, node: &Node, path: &str, comment: Option<u8>) -> Option<Table> {
    let bytes = ctx.data_file(node, path)?;
    let broken = |why: String| {
        ctx.push(draft(E0422, node.span, format!("`{path}`: {why}")));
        None
    };
    let text = match utf8(&bytes).and_then(|text| check_quotes(text, comment).map(|()| text)) {
        Ok(text) => text,
        Err(why) => return broken(why.to_string()),
    };
    let mut reader = csv::ReaderBuilder::new().comment(comment).from_reader(text.as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(headers) => headers.iter().map(|column| column.trim().to_owned()).collect(),
        Err(why) => return broken(csv_error(&why)),
    };
    if columns.is_empty() || columns.iter().any(String::is_empty) {
        return broken("the first line must name every column".to_owned());
    }
    if columns.len() > usize::from(u16::MAX) {
        return broken("too many columns".to_owned());
    }
    if let Some(twice) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name)) {
        return broken(format!("two columns have the name `{}`", twice.1));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(why) => return broken(csv_error(&why)),
        };
        if rows.len() == limits::MAX_FEEDER_ROWS {
            let message = format!("`{path}` has more than {} rows", limits::MAX_FEEDER_ROWS);
            ctx.push(draft(E0426, node.span, message));
            return None;
        }
        rows.push(record.iter().map(str::to_owned).collect());
    }
    if rows.is_empty() {
        return broken("there are no rows".to_owned());
    }
    Some(Table { columns, rows, sha256: hex(&Sha256::digest(&bytes)) })
}

/// Reads a file of JSON lines.
fn json_lines(ctx: &Ctx<'_>, node: &Node, path: &str) -> Option<Table> {
    let bytes = ctx.data_file(node, path)?;
    match utf8(&bytes).and_then(records::json_lines) {
        Ok(table) => Some(Table { sha256: hex(&Sha256::digest(&bytes)), ..table }),
        Err(why) => {
            ctx.push(draft(E0422, node.span, format!("`{path}`: {why}")));
            None
        }
    }
}

fn csv_error(error: &csv::Error) -> String {
    let line = error.position().map_or(String::new(), |at| format!("line {}: ", at.line()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{line}{len} columns where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("{line}not UTF-8"),
        _ => format!("{line}not CSV"),
    }
}
