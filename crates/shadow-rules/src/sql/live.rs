//! Live statements: untouched, unless they name shadow data.

use std::ops::ControlFlow;
use std::sync::Arc;

use peakdrill_drill_model::ledger::Outcome;
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Statement, visit_relations};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Touched, parse};
use crate::names::{Dialect, TableName};
use crate::refused::{Refused, code};
use crate::rules::{SqlMode, SqlRules};

/// How many words are looked at to find the table's name for the ledger.
const SKETCH_WORDS_MAX: usize = 64;
/// What the ledger calls a table whose name does not show.
const UNNAMED: &str = "sql";

/// Refuses a live statement that names shadow data. Nearly all are settled by one search in the text.
pub(super) fn check(rules: &SqlRules, sql: &str) -> Result<(), Refused> {
    let Some(needle) = rules.shadow_needle() else { return Ok(()) };
    // An identifier in Unicode escapes could spell anything.
    if !contains(sql, needle) && !contains(sql, "u&\"") {
        return Ok(());
    }
    if touches_shadow(rules, sql)? {
        let text = "live work may not touch shadow data";
        return Err(Refused::new(code::LIVE_TOUCHES_SHADOW, needle.to_owned(), text));
    }
    Ok(())
}

fn contains(text: &str, needle: &str) -> bool {
    text.as_bytes().windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

fn touches_shadow(rules: &SqlRules, sql: &str) -> Result<bool, Refused> {
    let tokens = parse::tokens(rules.dialect, sql)?;
    let identifiers = tokens.iter().filter_map(|token| match &token.token {
        Token::Word(word) => {
            Some(Ident { value: word.value.clone(), quote_style: word.quote_style, span: token.span })
        }
        _ => None,
    });
    // Text values may hold the shadow's name; identifiers that do are looked at in the parsed statement.
    let named = identifiers.into_iter().any(|ident| is_shadow_word(rules, ident));
    if !named && !contains(sql, "u&\"") {
        return Ok(false);
    }
    let Ok(statements) =
        Parser::new(rules.dialect.parser()).with_tokens_with_locations(tokens).parse_statements()
    else {
        return Ok(true);
    };
    Ok(statements.iter().any(|statement| names_shadow(rules, statement)))
}

fn is_shadow_word(rules: &SqlRules, ident: Ident) -> bool {
    match rules.mode() {
        Some(SqlMode::ShadowSchema { schema }) => rules.dialect.fold(&ident) == *schema,
        _ => is_shadow(rules, &ObjectName(vec![ObjectNamePart::Identifier(ident)])),
    }
}

fn is_shadow(rules: &SqlRules, name: &ObjectName) -> bool {
    TableName::read(rules.dialect, name).map_or(true, |name| rules.is_shadow(&name))
}

/// In these kinds of statement all tables are relations, and a column may have any name. In all others a word is
/// enough.
fn names_shadow(rules: &SqlRules, statement: &Statement) -> bool {
    let all_seen = matches!(
        statement,
        Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)
    );
    let found = visit_relations(statement, |name| {
        if is_shadow(rules, name) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found.is_break() || !all_seen
}

/// What a live statement touches, for the ledger: from its first words, without parsing it.
pub(super) fn sketch(dialect: Dialect, sql: &str) -> Touched {
    let mut words = words(sql).take(SKETCH_WORDS_MAX);
    let first = words.next().unwrap_or_default();
    let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
    let read = [
        "select",
        "values",
        "table",
        "show",
        "explain",
        "pragma",
        "begin",
        "commit",
        "rollback",
        "savepoint",
    ];
    let reads = read.iter().any(|keyword| is(first, keyword));
    let table = if is(first, "update") {
        words.find(|word| {
            !["or", "only", "rollback", "abort", "replace", "fail", "ignore"].iter().any(|k| is(word, k))
        })
    } else {
        words.skip_while(|word| !is(word, "into") && !is(word, "from")).nth(1)
    };
    let resource = table.map_or_else(|| UNNAMED.to_owned(), |table| label(dialect, table));
    let outcome = if reads { Outcome::LiveRead } else { Outcome::LiveWrite };
    Touched { resource: Arc::from(resource), outcome }
}

fn words(sql: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';');
    sql.split(apart).filter(|word| !word.is_empty())
}

fn label(dialect: Dialect, table: &str) -> String {
    let bare: String = table.chars().filter(|c| !matches!(c, '"' | '`' | '[' | ']')).collect();
    let folded = bare.to_ascii_lowercase();
    let schema = format!("{}.", dialect.default_schema());
    folded.strip_prefix(&schema).unwrap_or(&folded).to_owned()
}
