//! What a live statement touches, for the ledger: from its first words, without parsing it. A value must never become
//! the name of a row, so literals and comments are told from words.

use std::sync::Arc;

use peakdrill_drill_model::ledger::Outcome;

use super::Touched;
use crate::names::Dialect;

/// How many words are looked at to find the table's name.
const WORDS_MAX: usize = 64;
/// Longest name that is taken for one, in bytes: schema and table of PostgreSQL, and what stands around them.
const LABEL_MAX_BYTES: usize = 132;
/// What the ledger calls a table whose name does not show.
const UNNAMED: &str = "sql";

/// Statements that begin with these write nothing.
const READS: [&str; 10] =
    ["select", "values", "table", "show", "explain", "pragma", "begin", "commit", "rollback", "savepoint"];
/// What may stand between `UPDATE` and the table.
const UPDATE_WORDS: [&str; 7] = ["or", "only", "rollback", "abort", "replace", "fail", "ignore"];

/// What the statement touches, as far as its first words tell.
pub(super) fn sketch(dialect: Dialect, sql: &str) -> Touched {
    let mut words = Words { rest: sql }.take(WORDS_MAX);
    let first = words.next().unwrap_or_default();
    let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
    let table = if is(first, "update") {
        words.find(|word| !UPDATE_WORDS.iter().any(|keyword| is(word, keyword)))
    } else {
        words.skip_while(|word| !is(word, "into") && !is(word, "from")).nth(1)
    };
    let resource = table.and_then(|table| label(dialect, table)).unwrap_or_else(|| UNNAMED.to_owned());
    let reads = READS.iter().any(|keyword| is(first, keyword));
    let outcome = if reads { Outcome::LiveRead } else { Outcome::LiveWrite };
    Touched { resource: Arc::from(resource), outcome }
}

/// The name that a word is; `None` when it is a value, a parameter or anything else.
fn label(dialect: Dialect, word: &str) -> Option<String> {
    let starts = |c: char| c.is_alphabetic() || matches!(c, '_' | '"' | '`' | '[');
    let literal = word.contains('\'') || word.len() > LABEL_MAX_BYTES;
    if literal || !word.starts_with(starts) {
        return None;
    }
    let bare: String = word.chars().filter(|c| !matches!(c, '"' | '`' | '[' | ']')).collect();
    let folded = bare.to_ascii_lowercase();
    let schema = format!("{}.", dialect.default_schema());
    let name = folded.strip_prefix(&schema).unwrap_or(&folded);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The words of a statement: names with their quotes, each literal as one word, no comments.
struct Words<'s> {
    rest: &'s str,
}

impl<'s> Iterator for Words<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        self.rest = skip_apart(self.rest);
        let len = word_len(self.rest);
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

fn is_apart(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';')
}

/// Without white space, brackets and comments at its start.
fn skip_apart(sql: &str) -> &str {
    let mut rest = sql.trim_start_matches(is_apart);
    loop {
        let behind = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, behind)| behind)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, behind)| behind)
        } else {
            return rest;
        };
        rest = behind.trim_start_matches(is_apart);
    }
}

/// Length of the word at the start, in bytes, with all that stands in quotes of any kind.
fn word_len(sql: &str) -> usize {
    let mut at = 0;
    while let Some(c) = sql[at..].chars().next() {
        if is_apart(c) || sql[at..].starts_with("--") || sql[at..].starts_with("/*") {
            break;
        }
        at += match c {
            // A backslash hides a quote in some strings: in those that it does not, the word is too long and no name.
            '\'' => quoted_len(&sql[at..], c, true),
            '"' | '`' => quoted_len(&sql[at..], c, false),
            '$' => dollar_len(&sql[at..]),
            c => c.len_utf8(),
        };
    }
    at
}

/// Length up to and with the closing quote; all, where there is none.
fn quoted_len(sql: &str, quote: char, escapes: bool) -> usize {
    let mut hidden = true;
    for (at, c) in sql.char_indices() {
        if c == quote && !hidden {
            return at + c.len_utf8();
        }
        // The opening quote is hidden too.
        hidden = escapes && c == '\\' && !hidden;
    }
    sql.len()
}

/// Length of `$tag$ … $tag$`; that of the sign, where it is none.
fn dollar_len(sql: &str) -> usize {
    let tag = sql[1..].split_once('$').map(|(tag, _)| tag);
    let tag = tag.filter(|tag| tag.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let Some(tag) = tag.filter(|tag| !tag.starts_with(|c: char| c.is_ascii_digit())) else { return 1 };
    let mark = tag.len() + 2;
    sql[mark..].find(&sql[..mark]).map_or(sql.len(), |at| 2 * mark + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resource(dialect: Dialect, sql: &str) -> String {
        sketch(dialect, sql).resource.to_string()
    }

    #[test]
    fn values_never_become_names() {
        for sql in [
            "SELECT extract(day FROM '2031-01-02')",
            "SELECT extract(day FROM E'secret')",
            "SELECT substring(name FROM 2) x",
            "SELECT trim(both FROM $1)",
            "SELECT trim(both FROM ?)",
            "SELECT trim(both FROM :secret)",
            "SELECT 'hello from secret'",
            "SELECT 'it''s from secret'",
            r"SELECT E'it\'s from secret'",
            "SELECT $$hello from secret$$, $a$ from $$ from secret $a$",
            "SELECT 1 -- from secret",
            "SELECT 1 /* from secret */",
            "DELETE FROM 'it is secret'",
            "UPDATE 'secret' SET a = 1",
            "SELECT 'open from secret",
            "SELECT 1 FROM",
            "SELECT 1 FROM \"\"",
        ] {
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                assert_eq!(resource(dialect, sql), UNNAMED, "{sql}");
            }
        }
        assert_eq!(resource(Dialect::Postgres, &format!("DELETE FROM a{}", "b".repeat(132))), UNNAMED);
    }

    #[test]
    fn names_are_found_behind_values_and_comments() {
        for sql in [
            "SELECT 'from secret', $1, 'x''y' FROM orders",
            "SELECT $$ from secret $$ FROM public.orders",
            "/* from secret */ SELECT a FROM orders",
            "-- from secret\nSELECT a FROM\n/* it's */\"orders\"",
            "INSERT INTO orders(a) VALUES ('it''s')",
            "SELECT count(*)FROM orders--x",
        ] {
            assert_eq!(resource(Dialect::Postgres, sql), "orders", "{sql}");
        }
        assert_eq!(sketch(Dialect::Postgres, "/* a */ SELECT a FROM b").outcome, Outcome::LiveRead);
        assert_eq!(resource(Dialect::Sqlite, "SELECT a FROM \"my orders\" o"), "my orders");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(sql in "(from |into |[ '\"`$\\\\a-z0-9*/-]|\\PC){0,40}") {
            sketch(Dialect::Postgres, &sql);
            let words: usize = Words { rest: &sql }.map(str::len).sum();
            prop_assert!(words <= sql.len());
        }
    }
}
