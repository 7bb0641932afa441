//! Records of data files: JSON lines, and what a CSV reader would pass over in silence.

use std::collections::HashSet;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::feeders::Table;
use crate::limits;

/// Why a file is no table: a line from 1 (0: the file as a whole), and what is wrong.
pub(super) struct Broken(pub(super) usize, pub(super) String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self(0, what) => f.write_str(what),
            Self(line, what) => write!(f, "line {line}: {what}"),
        }
    }
}

/// The text without its byte order mark.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Broken> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Broken(0, "it is UTF-16: save it as UTF-8".to_owned()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Broken(1 + before.iter().filter(|byte| **byte == b'\n').count(), "not UTF-8".to_owned())
    })
}

/// Looks for quotes that a lenient reader would take for something else: one that is never closed swallows the rest of
/// the file, one inside of a field stays in it.
pub(super) fn check_quotes(text: &str, comment: Option<u8>) -> Result<(), Broken> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let (mut state, mut line, mut opened) = (State::Start, 1, 1);
    let mut line_start = true;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if line_start && state != State::Quoted && comment == Some(byte) {
            while bytes.next_if(|byte| *byte != b'\n').is_some() {}
            continue;
        }
        line_start = byte == b'\n';
        state = match (state, byte) {
            (State::Start, b'"') => {
                opened = line;
                State::Quoted
            }
            (State::Quoted, b'"') => State::Closed,
            (State::Closed, b'"') => State::Quoted,
            (State::Quoted, _) => State::Quoted,
            (_, b',' | b'\n' | b'\r') => State::Start,
            (State::Closed, _) => {
                return Err(Broken(line, "text behind a closing quote: write a quote as \"\"".to_owned()));
            }
            (_, b'"') => {
                return Err(Broken(line, "a quote inside of a field without quotes".to_owned()));
            }
            _ => State::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match state {
        State::Quoted => Err(Broken(opened, "a quote is never closed".to_owned())),
        _ => Ok(()),
    }
}

/// Reads JSON lines: an object each, all with the same members. Members of objects inside are columns of their own,
/// named by their way (`address.city`); null is empty, and all but texts is the JSON that stands there: 10.00 stays that.
pub(super) fn json_lines(text: &str) -> Result<Table, Broken> {
    let mut table = Table::default();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = at + 1;
        let wrong = |what: String| Broken(number, what);
        let value: &RawValue =
            serde_json::from_str(line).map_err(|error| wrong(format!("not JSON: {error}")))?;
        if !value.get().starts_with('{') {
            return Err(wrong("not an object: write `{\"name\": value}` on every line".to_owned()));
        }
        let mut cells = Vec::new();
        flatten("", value.get(), 0, &mut cells).map_err(wrong)?;
        if table.columns.is_empty() {
            table.columns = cells.iter().map(|(name, _)| name.clone()).collect();
            if table.columns.is_empty() {
                return Err(wrong("the object is empty".to_owned()));
            }
            if table.columns.len() > usize::from(u16::MAX) {
                return Err(wrong("too many members".to_owned()));
            }
            let mut names = HashSet::with_capacity(table.columns.len());
            if let Some(name) = table.columns.iter().find(|name| !names.insert(name.as_str())) {
                return Err(wrong(format!("two members have the name `{name}`")));
            }
        }
        if table.rows.len() == limits::MAX_FEEDER_ROWS {
            return Err(wrong(format!("more than {} rows", limits::MAX_FEEDER_ROWS)));
        }
        table.rows.push(row(&table.columns, cells).map_err(wrong)?);
    }
    if table.rows.is_empty() {
        return Err(Broken(0, "there are no rows".to_owned()));
    }
    Ok(table)
}

/// Members of an object, in their order, as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

/// Adds the cells of an object, which stands in so many others.
fn flatten(prefix: &str, object: &str, depth: usize, out: &mut Vec<(String, String)>) -> Result<(), String> {
    if depth == limits::MAX_JSON_DEPTH {
        return Err(format!("objects are nested more than {} deep", limits::MAX_JSON_DEPTH));
    }
    let not_json = |error: serde_json::Error| format!("not JSON: {error}");
    let mut json = serde_json::Deserializer::from_str(object);
    let Members(members) = json.deserialize_map(Members(Vec::new())).map_err(not_json)?;
    let mut names = HashSet::with_capacity(members.len());
    if let Some((twice, _)) = members.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(format!("two members have the name `{prefix}{twice}`"));
    }
    for (name, value) in &members {
        let (name, text) = (format!("{prefix}{name}"), value.get());
        let cell = match text.as_bytes().first() {
            Some(b'{') => {
                let before = out.len();
                flatten(&format!("{name}."), text, depth + 1, out)?;
                // An empty one is a column, too.
                if out.len() > before {
                    continue;
                }
                text.to_owned()
            }
            Some(b'"') => serde_json::from_str(text).map_err(not_json)?,
            Some(b'n') => String::new(),
            _ => text.to_owned(),
        };
        out.push((name, cell));
    }
    Ok(())
}

/// The cells in the order of the columns.
fn row(columns: &[String], mut cells: Vec<(String, String)>) -> Result<Vec<String>, String> {
    // Nearly always they come in that order.
    if cells.len() == columns.len() && cells.iter().zip(columns).all(|((name, _), column)| name == column) {
        return Ok(cells.into_iter().map(|(_, cell)| cell).collect());
    }
    let mut row = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(at) = cells.iter().position(|(name, _)| name == column) else {
            return Err(format!("`{column}` is missing, which the first line has"));
        };
        row.push(cells.swap_remove(at).1);
    }
    match cells.first() {
        Some((name, _)) => Err(format!("`{name}` is not in the first line")),
        None => Ok(row),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line_of(result: Result<(), Broken>) -> Option<usize> {
        result.err().map(|Broken(line, _)| line)
    }

    #[test]
    fn quotes_that_swallow_rows_are_found() {
        for good in
            ["a,b\n1,2\n", "a\r\n\"x\r\ny\"\r\n", "a\n\"say \"\"hi\"\"\"\n", "a\n\"\"\n", "", "a,\"b\""]
        {
            assert_eq!(line_of(check_quotes(good, None)), None, "{good}");
        }
        assert_eq!(line_of(check_quotes("a\nb\n\"c\nd\n", None)), Some(3));
        assert_eq!(line_of(check_quotes("a\nb\"c\n", None)), Some(2));
        assert_eq!(line_of(check_quotes("a\n\"b\"c\n", None)), Some(2));
        assert_eq!(line_of(check_quotes("# it\"s\na\n", Some(b'#'))), None);
    }

    #[test]
    fn json_lines_become_columns() {
        let text = "{\"uid\":7,\"at\":{\"city\":\"x\",\"geo\":[1,2]},\"on\":true}\r\n\n{\"on\":null,\"uid\":\"b\",\"at\":{\"geo\":[],\"city\":\"y\"}}\n";
        let table = json_lines(text).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(table.columns, ["uid", "at.city", "at.geo", "on"]);
        assert_eq!(table.rows, [["7", "x", "[1,2]", "true"], ["b", "y", "[]", ""]]);
        for (broken, line) in [
            ("", 0),
            ("{}", 1),
            ("{\"a\":1}\n[1]\n", 2),
            ("{\"a\":1}\n\n{\"a\":1,}\n", 3),
            ("{\"a\":1}\n{\"b\":1}\n", 2),
            ("{\"a\":1}\n{\"a\":1,\"b\":1}\n", 2),
            ("{\"a.b\":1,\"a\":{\"b\":2}}\n", 1),
            ("{\"a\":1}\n{\"a\":1,\"a\":1}\n", 2),
            ("{\"a\":\"\\ud800\"}\n", 1),
        ] {
            assert_eq!(json_lines(broken).err().map(|Broken(line, _)| line), Some(line), "{broken}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert_eq!(json_lines(&deep).err().map(|Broken(line, _)| line), Some(1));
        assert_eq!(utf8(b"a\n\xff\n").err().map(|Broken(line, _)| line), Some(2));
        assert!(utf8(b"\xff\xfea\0").is_err());
        assert_eq!(utf8(b"\xef\xbb\xbfa").ok(), Some("a"));
    }

    #[test]
    fn cells_are_the_text_that_is_written() {
        let text = r#"{"price":10.00,"id": 100000000000000000000001 ,"n":1E2,"of":[1.50, {}],"in":{ },"s":"\u00e91.0"}"#;
        let table = json_lines(text).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(
            table.rows,
            [["10.00", "100000000000000000000001", "1E2", "[1.50, {}]", "{ }", "\u{e9}1.0"]]
        );
    }

    proptest! {
        #[test]
        fn what_a_csv_writer_writes_has_its_quotes_right(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n# ]{0,5}", 2), 1..6),
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert!(check_quotes(&text, None).is_ok(), "{text}");
        }
    }
}
