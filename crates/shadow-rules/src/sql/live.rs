//! Live statements: untouched, unless they name shadow data.

use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectName, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::parse;
use super::walk::{self, Flow, Look};
use crate::names::{Dialect, TableName};
use crate::refused::{Refused, code};
use crate::rules::{SqlMode, SqlRules};

/// Refuses a live statement that names shadow data. Nearly all are settled by one search in the text.
pub(super) fn check(rules: &SqlRules, sql: &str) -> Result<(), Refused> {
    let Some(needle) = rules.shadow_needle() else { return Ok(()) };
    // An identifier in Unicode escapes could spell anything.
    if !contains(sql, needle) && !contains(sql, "u&\"") {
        return Ok(());
    }
    if touches_shadow(rules, sql, needle) {
        let text = "live work may not touch shadow data";
        return Err(Refused::new(code::LIVE_TOUCHES_SHADOW, needle.to_owned(), text));
    }
    Ok(())
}

fn contains(text: &str, needle: &str) -> bool {
    text.as_bytes().windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

/// Live work has no limits of length or depth: what cannot be read through is refused only when it names shadow
/// data, and passes otherwise.
fn touches_shadow(rules: &SqlRules, sql: &str, needle: &str) -> bool {
    let Some(tokens) = parse::unlimited_tokens(rules.dialect, sql) else { return begins_a_word(sql, needle) };
    // Text values may hold the shadow's name; identifiers that do are looked at in the parsed statement.
    let named = tokens.iter().any(|token| may_name(rules, token, needle));
    if !named && !contains(sql, "u&\"") {
        return false;
    }
    // Where these words stand, relations may stand that the parser does not show as such.
    let hides = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) => word.keyword == Keyword::TABLE || word.value.eq_ignore_ascii_case("only"),
        _ => false,
    };
    if parse::is_deep(&tokens) || sql.len() > parse::SQL_MAX_BYTES || tokens.iter().any(hides) {
        return true;
    }
    let mut parser = Parser::new(rules.dialect.parser()).with_tokens_with_locations(tokens);
    let Ok(statements) = parser.parse_statements() else { return true };
    !parse::at_end(&parser) || statements.iter().any(|statement| names_shadow(rules, statement))
}

/// Whether a token may be the name of shadow data: an identifier, what SQLite also takes for one, or a body of code.
fn may_name(rules: &SqlRules, token: &TokenWithSpan, needle: &str) -> bool {
    let word = |value: &str, quote_style| {
        is_shadow_word(rules, &Ident { value: value.to_owned(), quote_style, span: token.span })
    };
    match &token.token {
        Token::Word(found) => word(&found.value, found.quote_style),
        Token::SingleQuotedString(value) if rules.dialect == Dialect::Sqlite => word(value, Some('\'')),
        Token::DollarQuotedString(text) => contains(&text.value, needle),
        _ => false,
    }
}

/// Whether the needle stands in the text where a word begins.
fn begins_a_word(text: &str, needle: &str) -> bool {
    let bytes = text.as_bytes();
    let inside = |at: usize| at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let mut windows = bytes.windows(needle.len()).enumerate();
    windows.any(|(at, window)| window.eq_ignore_ascii_case(needle.as_bytes()) && !inside(at))
}

/// In doubt it is one: the word alone does not say which schema it is looked up in.
fn is_shadow_word(rules: &SqlRules, ident: &Ident) -> bool {
    let word = rules.dialect.fold(ident);
    match rules.mode() {
        Some(SqlMode::ShadowSchema { schema }) => word == *schema,
        _ => !rules.dialect.name_fits(&word) || rules.is_shadow_word(&word),
    }
}

/// A name without a schema is looked up in those of the session, of which any may hold the shadow.
fn is_shadow(rules: &SqlRules, name: &ObjectName) -> bool {
    TableName::read(rules.dialect, name).map_or(true, |name| {
        rules.is_shadow(&name) || (name.schema.is_none() && rules.is_shadow_word(&name.table))
    })
}

/// In these kinds of statement all tables are relations, and a column may have any name. In all others a word is
/// enough.
fn names_shadow(rules: &SqlRules, statement: &Statement) -> bool {
    let all_seen = matches!(
        statement,
        Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)
    );
    let mut search = Search { rules, found: false };
    let complete = walk::look(statement, &mut search);
    !all_seen || search.found || complete.is_err()
}

/// Whether any relation is a shadow.
struct Search<'r> {
    rules: &'r SqlRules,
    found: bool,
}

impl Look for Search<'_> {
    fn relation(&mut self, name: &ObjectName) -> Flow {
        self.found |= is_shadow(self.rules, name);
        ControlFlow::Continue(())
    }
}
