//! From text to one syntax tree, within limits.

use sqlparser::ast::Statement;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::names::Dialect;
use crate::refused::{Refused, code};

/// Longest statement of shadow work, in bytes.
pub const SQL_MAX_BYTES: usize = 256 * 1024;
/// Most tokens of a statement that may nest: operators and keywords. Lists of values of any length are not limited
/// by it. It bounds the depth of the syntax tree, and so the stack that walking it takes.
pub const NESTED_TOKENS_MAX: usize = 1_000;

fn refused(code: &'static str, text: &'static str) -> Refused {
    Refused::new(code, "sql", text)
}

/// Reads the text as exactly one statement. What the parser says is not repeated: it may quote values.
pub(super) fn one(dialect: Dialect, sql: &str) -> Result<Statement, Refused> {
    let parser = Parser::new(dialect.parser()).with_tokens_with_locations(tokens(dialect, sql)?);
    let unparseable =
        |_| refused(code::UNPARSEABLE, "the statement cannot be parsed, so it cannot be isolated");
    let mut parser = parser;
    let mut statements = parser.parse_statements().map_err(unparseable)?;
    // The parser stops at some words, `END` among them, without having read the rest; a server reads it.
    if !at_end(&parser) {
        return Err(refused(code::UNPARSEABLE, "the statement goes on behind its end"));
    }
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(refused(code::UNPARSEABLE, "there is no statement")),
        (Some(_), false) => Err(refused(code::MULTI_STATEMENT, "one text holds more than one statement")),
    }
}

/// Whether everything was read.
pub(super) fn at_end(parser: &Parser<'_>) -> bool {
    parser.peek_token_ref().token == Token::EOF
}

/// The tokens of a text that is neither too long nor too deep.
pub(super) fn tokens(dialect: Dialect, sql: &str) -> Result<Vec<TokenWithSpan>, Refused> {
    if sql.len() > SQL_MAX_BYTES {
        return Err(refused(code::TOO_COMPLEX, "the statement is too long to be looked through"));
    }
    let tokens = unlimited_tokens(dialect, sql).ok_or_else(|| {
        refused(code::UNPARSEABLE, "the statement cannot be parsed, so it cannot be isolated")
    })?;
    if is_deep(&tokens) {
        return Err(refused(code::TOO_COMPLEX, "the statement is too deep to be looked through"));
    }
    Ok(tokens)
}

/// The tokens of a text of any length; `None` when it has none.
pub(super) fn unlimited_tokens(dialect: Dialect, sql: &str) -> Option<Vec<TokenWithSpan>> {
    Tokenizer::new(dialect.parser(), sql).tokenize_with_location().ok()
}

/// Whether parsing could nest too deep.
pub(super) fn is_deep(tokens: &[TokenWithSpan]) -> bool {
    tokens.iter().filter(|token| nests(&token.token)).count() > NESTED_TOKENS_MAX
}

fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => !matches!(
            word.keyword,
            Keyword::NoKeyword | Keyword::NULL | Keyword::DEFAULT | Keyword::TRUE | Keyword::FALSE
        ),
        Token::Comma
        | Token::Period
        | Token::Placeholder(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::RParen
        | Token::EOF => false,
        // Brackets are limited by the parser itself, and every row of values has a pair.
        Token::LParen => false,
        _ => true,
    }
}
