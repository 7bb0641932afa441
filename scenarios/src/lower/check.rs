//! Checks of an answer: `status == 200`, `$.code in [0, 1]`, `header etag present`, `body size < 10KiB`.

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{Check, TextTest};
use regex::RegexBuilder;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::request::header_name;
use crate::codes::{E0401, E0402, E0403, E0406, E0407, E0408, E0411};
use crate::ctx::{Ctx, Draft, draft};
use crate::limits;
use crate::node::Node;

pub(super) type Read<T> = Result<T, Box<Draft>>;

const OF_STATUS: &str = "`status == 200` (also !=, <, <=, >, >=) or `status in [200, 201]`";
const OF_JSON: &str = "`$.code == 0` (also !=, <, <=, >, >=), `$.code in [0, 1]`, `$.id contains \"x\"`, \
                       `$.id matches /x/`, `$.id present` or `$.id absent`";
const OF_HEADER: &str = "`header NAME == \"x\"` (also !=), `header NAME contains \"x\"`, `header NAME matches /x/`, \
                         `header NAME present` or `header NAME absent`";
const OF_BODY: &str = "`body contains \"x\"`, `body matches /x/` or `body size < 10KiB`";
const OF_MESSAGE: &str =
    "a JSON path (`$.ok == true`), `body contains \"x\"`, `body matches /x/` or `body size < 10KiB`";
const OF_SIZE: &str = "`body size < 10KiB` (also ==, !=, <=, >, >=)";

const OPS: [(&str, Op); 6] =
    [("==", Op::Eq), ("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("<", Op::Lt), (">", Op::Gt)];

pub(super) fn lower(ctx: &Ctx<'_>, node: &Node) -> Option<Check> {
    let text = ctx.text(node, "a check")?;
    match read(text.trim()) {
        Ok(check) => Some(check),
        Err(found) => {
            ctx.push(found.at(node.span));
            None
        }
    }
}

/// The same of a message, which has a body and nothing else.
pub(super) fn of_message(ctx: &Ctx<'_>, node: &Node) -> Option<Check> {
    let text = ctx.text(node, "a check")?;
    match message(&text) {
        Ok(check) => Some(check),
        Err(found) => {
            ctx.push(found.at(node.span));
            None
        }
    }
}

/// Reads a check of a message.
pub(super) fn message(text: &str) -> Read<Check> {
    match read(text.trim())? {
        Check::Status { .. } | Check::StatusIn(_) | Check::Header { .. } => {
            Err(wrong(format!("a message has no status and no headers: `{text}`"), OF_MESSAGE))
        }
        check => Ok(check),
    }
}

/// Splits `$.id == text` into the path and the text; `None` for all other checks.
pub(super) fn compared(text: &str) -> Option<(&str, &str)> {
    let (path, rest) = text.split_at_checked(path_end(text)?)?;
    Some((path, rest.trim_start().strip_prefix("==")?.trim_start()))
}

/// Checks that a JSON path can be read.
pub(super) fn json_path(path: &str) -> Read<()> {
    JsonPath::parse(path).map(|_| ()).map_err(|why| {
        let message = format!("`{path}` is no JSON path: {why}");
        Box::new(draft(E0407, Default::default(), message).help("paths begin with `$`: `$.data.token`"))
    })
}

/// Checks that a regular expression can be read.
pub(super) fn regex(text: &str) -> Read<()> {
    RegexBuilder::new(text).size_limit(limits::MAX_REGEX_BYTES).build().map(|_| ()).map_err(|why| {
        let why = why.to_string();
        // The library draws a picture; its last line says what is wrong.
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Box::new(draft(E0411, Default::default(), format!("`{text}` is no regular expression: {why}")))
    })
}

/// Checks the name of a header that is read, and gives it in lower case.
pub(super) fn header(name: &str) -> Read<String> {
    let name = name.to_ascii_lowercase();
    match header_name(&name) {
        true => Ok(name),
        false => Err(Box::new(draft(E0406, Default::default(), format!("`{name}` is no header name")))),
    }
}

fn wrong(message: String, expected: &str) -> Box<Draft> {
    Box::new(draft(E0408, Default::default(), message).help(format!("expected {expected}")))
}

fn read(text: &str) -> Read<Check> {
    if text.starts_with('$') {
        return json(text);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (subject, rest) = (&text[..end], text[end..].trim());
    match subject {
        "status" => status(rest),
        "header" => {
            // A `!` may stand in a name, but not as the beginning of `!=`.
            let blank = rest.find(|c: char| c.is_whitespace() || "=<>".contains(c)).unwrap_or(rest.len());
            let end = rest.find("!=").map_or(blank, |sign| sign.min(blank));
            let (name, rest) = rest.split_at(end);
            if name.is_empty() {
                return Err(wrong(format!("the check `{text}` names no header"), OF_HEADER));
            }
            Ok(Check::Header { name: header(name)?, test: text_test(rest.trim(), OF_HEADER)? })
        }
        "body" => match rest.strip_prefix("size") {
            Some(rest) => size(rest.trim()),
            None => match text_test(rest, OF_BODY)? {
                test @ (TextTest::Contains(_) | TextTest::Matches(_)) => Ok(Check::Body(test)),
                _ => Err(wrong(format!("a body cannot be checked by `{rest}`"), OF_BODY)),
            },
        },
        _ => {
            let message = format!("`{}` cannot be checked", if subject.is_empty() { text } else { subject });
            Err(wrong(message, "`status`, a JSON path, `header NAME`, `body` or `body size`"))
        }
    }
}

fn status(rest: &str) -> Read<Check> {
    let number = |text: &str| {
        let Ok(value) = text.trim().parse::<u16>() else {
            return Err(wrong(format!("`{text}` is no status"), OF_STATUS));
        };
        if !(100..=599).contains(&value) {
            let found = draft(E0403, Default::default(), format!("`{value}` is no HTTP status"));
            return Err(Box::new(found.label("must be 100 to 599")));
        }
        Ok(value)
    };
    if let Some(list) = word(rest, "in") {
        let inside = list.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        let Some(inside) = inside.filter(|inside| !inside.trim().is_empty()) else {
            return Err(wrong(format!("`{list}` is no list of statuses"), OF_STATUS));
        };
        return inside.split(',').map(number).collect::<Read<_>>().map(Check::StatusIn);
    }
    let (op, value) = comparison(rest, "status", OF_STATUS)?;
    Ok(Check::Status { op, value: number(value)? })
}

fn json(text: &str) -> Read<Check> {
    let Some(end) = path_end(text) else {
        return Err(wrong(format!("the check `{text}` asks nothing of its path"), OF_JSON));
    };
    let (path, rest) = (&text[..end], text[end..].trim());
    json_path(path)?;
    let path = path.to_owned();
    if let Some(list) = word(rest, "in") {
        let values = json_list(list).ok_or_else(|| {
            wrong(format!("`{list}` is no list of numbers, texts, true, false or null"), OF_JSON)
        })?;
        return Ok(Check::JsonIn { path, values });
    }
    if OPS.iter().any(|(sign, _)| rest.starts_with(sign)) {
        let (op, right) = comparison(rest, &path, OF_JSON)?;
        let value = json_value(right).ok_or_else(|| {
            wrong(format!("`{right}` is no number, text in quotes, true, false or null"), OF_JSON)
        })?;
        return Ok(Check::Json { path, op, value });
    }
    Ok(Check::JsonText { path, test: text_test(rest, OF_JSON)? })
}

/// Where a path ends: at the first blank or comparison outside of brackets and quotes.
fn path_end(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            ('[' | '(', None) => depth += 1,
            (']' | ')', None) => depth = depth.saturating_sub(1),
            (c, None) if depth == 0 && (c.is_whitespace() || "=!<>".contains(c)) => return Some(at),
            _ => {}
        }
    }
    None
}

fn size(rest: &str) -> Read<Check> {
    let (op, value) = comparison(rest, "body size", OF_SIZE)?;
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '_' && c != '.').unwrap_or(value.len());
    let (digits, unit) = (value[..end].replace('_', ""), value[end..].trim());
    let unit = match unit {
        "B" => 1_u64,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => {
            let code = if unit.is_empty() { E0401 } else { E0402 };
            let found = draft(code, Default::default(), format!("the size `{value}` has no known unit"));
            return Err(Box::new(found.help("units are B, kB, MB, KiB and MiB: `10KiB`")));
        }
    };
    match digits.parse::<f64>() {
        Ok(number) if number * unit as f64 <= (1_u64 << 40) as f64 => {
            Ok(Check::BodySize { op, bytes: (number * unit as f64).round() as u64 })
        }
        _ => Err(wrong(format!("`{value}` is no size"), OF_SIZE)),
    }
}

/// What follows a word, when the text begins with it.
fn word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || "[\"'/".contains(c)))
        .then(|| rest.trim())
}

/// A comparison at the beginning, and what stands behind it.
fn comparison<'t>(text: &'t str, of: &str, expected: &str) -> Read<(Op, &'t str)> {
    let Some((sign, op)) = OPS.iter().find(|(sign, _)| text.starts_with(sign)) else {
        let message = match text {
            "" => format!("the check of `{of}` has no comparison"),
            text => format!("`{text}` is no comparison"),
        };
        return Err(wrong(message, expected));
    };
    match text[sign.len()..].trim() {
        "" => Err(wrong(format!("the check of `{of}` has nothing to compare with"), expected)),
        right => Ok((*op, right)),
    }
}

/// What is asked of a text: `== x`, `contains "x"`.
pub(super) fn text_test(rest: &str, expected: &str) -> Read<TextTest> {
    let text = |text: &str| {
        quoted(text)
            .ok_or_else(|| wrong(format!("`{text}` is no text in quotes and no single word"), expected))
    };
    match rest {
        "present" => return Ok(TextTest::Present),
        "absent" => return Ok(TextTest::Absent),
        _ => {}
    }
    if let Some(part) = word(rest, "contains") {
        return text(part).map(TextTest::Contains);
    }
    if let Some(pattern) = word(rest, "matches") {
        return pattern_of(pattern, expected).map(TextTest::Matches);
    }
    if let Some(right) = rest.strip_prefix("==") {
        return text(right.trim()).map(TextTest::Is);
    }
    if let Some(right) = rest.strip_prefix("!=") {
        return text(right.trim()).map(TextTest::IsNot);
    }
    let message = if rest.is_empty() {
        "the check asks nothing".to_owned()
    } else {
        format!("`{rest}` asks nothing that is known")
    };
    Err(wrong(message, expected))
}

/// `/…/` or `/…/i`; a slash inside is written `\/`.
fn pattern_of(text: &str, expected: &str) -> Read<String> {
    let (text, flag) = match text.strip_suffix('i').filter(|text| text.len() > 1 && text.ends_with('/')) {
        Some(text) => (text, "(?i)"),
        None => (text, ""),
    };
    let inside = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let Some(inside) = inside.filter(|inside| !inside.is_empty()) else {
        return Err(wrong(format!("`{text}` is no regular expression between slashes"), expected));
    };
    let pattern = format!("{flag}{}", inside.replace("\\/", "/"));
    regex(&pattern)?;
    Ok(pattern)
}

/// Text in quotes, or a single word.
fn quoted(text: &str) -> Option<String> {
    if text.starts_with('"') {
        return serde_json::from_str(text).ok();
    }
    if let Some(inside) = text.strip_prefix('\'') {
        return inside.strip_suffix('\'').filter(|inside| !inside.contains('\'')).map(str::to_owned);
    }
    let bare = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    bare.then(|| text.to_owned())
}

fn json_value(text: &str) -> Option<Json> {
    if let Some(inside) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return (!inside.contains('\'')).then(|| Json::from(inside));
    }
    serde_json::from_str(text).ok().filter(|value: &Json| !value.is_array() && !value.is_object())
}

/// `[0, 'x']`: texts in either kind of quotes.
fn json_list(text: &str) -> Option<Vec<Json>> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    let (mut out, mut start, mut quote) = (Vec::new(), 0, None);
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', Some('"')) => escaped = true,
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            (',', None) => {
                out.push(json_value(inside[start..at].trim())?);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(json_value(inside[start..].trim())?);
    Some(out)
}

#[cfg(test)]
mod tests;
