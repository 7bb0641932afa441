//! SQL comments, as sqlcommenter writes them: `/*baggage='…',traceparent='…'*/` at the end of a statement.

use super::{Claims, FIELDS_MAX, Fields, percent, trim};
use crate::{Refusal, Traceparent};

/// How many comments at the end of a statement are looked at.
pub const COMMENTS_MAX: usize = 4;
/// Longest comment that is looked into, in bytes; a longer one that names the tag is refused.
pub const COMMENT_MAX_BYTES: usize = 32 * 1024;

/// What the comments of a statement carry, decoded.
#[derive(Clone, Default)]
pub struct SqlClaims {
    header: Vec<Vec<u8>>,
    baggage: Vec<Vec<u8>>,
    traceparent: Vec<Vec<u8>>,
}

impl SqlClaims {
    /// As claims to classify; a statement is always met at an inner position.
    #[must_use]
    pub fn claims(&self) -> Claims<'_> {
        fn fields(values: &[Vec<u8>]) -> Fields<'_> {
            values.iter().map(Vec::as_slice).collect()
        }
        Claims {
            header: fields(&self.header),
            baggage: fields(&self.baggage),
            traceparent: fields(&self.traceparent),
        }
    }

    /// Whether there is nothing of ours.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.is_empty() && self.baggage.is_empty() && self.traceparent.is_empty()
    }

    fn values(&mut self, key: &[u8]) -> Option<&mut Vec<Vec<u8>>> {
        match key {
            _ if key.eq_ignore_ascii_case(b"traceparent") => Some(&mut self.traceparent),
            _ if key.eq_ignore_ascii_case(b"baggage") => Some(&mut self.baggage),
            _ if key.eq_ignore_ascii_case(b"peakdrill") => Some(&mut self.header),
            _ => None,
        }
    }

    fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<(), Refusal> {
        let value = percent::decode(raw);
        let Some(values) = self.values(key) else {
            let hidden = names_drill(key) || names_drill(raw) || value.is_ok_and(|value| names_drill(&value));
            return if hidden { Err(Refusal::MalformedComment) } else { Ok(()) };
        };
        // One more than is looked at is enough to have the statement refused.
        if values.len() <= FIELDS_MAX {
            values.push(value.map_err(|_| Refusal::MalformedComment)?);
        }
        Ok(())
    }
}

// The values may hold a token.
impl std::fmt::Debug for SqlClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.claims().fmt(f)
    }
}

/// Reads the comments at the end of a statement. The keys are `traceparent`, `baggage`, and `peakdrill` for a bare
/// token; values are URL-encoded, in single quotes or bare. Other comments are passed over.
///
/// # Errors
/// [`Refusal::MalformedComment`] when a comment names one of the keys and cannot be read, or when there are more
/// comments than are looked at.
pub fn extract(statement: &[u8]) -> Result<SqlClaims, Refusal> {
    let mut claims = SqlClaims::default();
    let mut rest = statement;
    for _ in 0..COMMENTS_MAX {
        let Some((before, comment)) = last_comment(rest) else { return Ok(claims) };
        let read = read(comment, &mut claims);
        if names_drill(comment) || contains(comment, b"traceparent") {
            read?;
        }
        rest = before;
    }
    if last_comment(rest).is_some() { Err(Refusal::MalformedComment) } else { Ok(claims) }
}

/// The inside of the comment that ends the statement, and what is before it.
fn last_comment(statement: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut text = statement;
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n' | b';'] = text {
        text = rest;
    }
    let inside = text.strip_suffix(b"*/")?;
    let start = inside.windows(2).rposition(|pair| pair == b"/*")?;
    Some((text.get(..start)?, inside.get(start + 2..)?))
}

/// Takes the pairs of a comment that have one of our keys. A comment is prose until it turns out otherwise, and
/// prose is no claim.
fn read(comment: &[u8], claims: &mut SqlClaims) -> Result<(), Refusal> {
    if !names_carrier(comment) {
        return Ok(());
    }
    if comment.len() > COMMENT_MAX_BYTES {
        return Err(Refusal::MalformedComment);
    }
    let mut rest = trim(comment);
    while !rest.is_empty() {
        let end = rest.iter().position(|b| matches!(b, b'=' | b',')).unwrap_or(rest.len());
        let (key, tail) = rest.split_at(end);
        rest = match tail.strip_prefix(b"=") {
            Some(tail) => {
                let (value, after) = value_at(tail)?;
                claims.add(trim(key), &value)?;
                after
            }
            None if names_drill(key) => return Err(Refusal::MalformedComment),
            None => trim(tail.strip_prefix(b",").unwrap_or_default()),
        };
    }
    Ok(())
}

fn names_carrier(text: &[u8]) -> bool {
    contains(text, b"traceparent") || contains(text, b"baggage") || names_drill(text)
}

/// Whether our key, or the start of a token, stands anywhere in a text.
fn names_drill(text: &[u8]) -> bool {
    contains(text, b"peakdrill") || contains(text, b"pd1.")
}

fn contains(text: &[u8], name: &[u8]) -> bool {
    text.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name))
}

/// The value at the front, out of its quotes, and what follows the comma after it.
fn value_at(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Refusal> {
    let text = trim(text);
    let (value, after) = match text.strip_prefix(b"'") {
        Some(quoted) => {
            let end = quote_end(quoted).ok_or(Refusal::MalformedComment)?;
            let (raw, after) = quoted.split_at(end);
            (unescape(raw), trim(after.get(1..).unwrap_or_default()))
        }
        None => {
            let end = text.iter().position(|b| *b == b',').unwrap_or(text.len());
            let (raw, after) = text.split_at(end);
            (trim(raw).to_vec(), after)
        }
    };
    match after {
        [] => Ok((value, after)),
        [b',', rest @ ..] => Ok((value, trim(rest))),
        _ => Err(Refusal::MalformedComment),
    }
}

/// Where the quote ends that began before `text`: at the first one without a backslash.
fn quote_end(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|b| {
        let ends = *b == b'\'' && !escaped;
        escaped = *b == b'\\' && !escaped;
        ends
    })
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            byte => plain.push(*byte),
        }
    }
    plain
}

/// The comment that carries a baggage value and a `traceparent`; empty when there is neither.
#[must_use]
pub fn comment(baggage: Option<&str>, traceparent: Option<&Traceparent>) -> String {
    let mut pairs = String::new();
    let mut pair = |key: &str, value: &str| {
        pairs.push_str(if pairs.is_empty() { "" } else { "," });
        pairs.push_str(key);
        pairs.push_str("='");
        percent::encode(value, &mut pairs);
        pairs.push('\'');
    };
    // In the order of their names, as sqlcommenter has it.
    if let Some(value) = baggage {
        pair("baggage", value);
    }
    if let Some(value) = traceparent {
        pair("traceparent", &value.to_string());
    }
    if pairs.is_empty() { pairs } else { format!("/*{pairs}*/") }
}

/// The statement with the comment at its end, before a closing semicolon.
#[must_use]
pub fn append(statement: &str, comment: &str) -> String {
    if comment.is_empty() {
        return statement.to_owned();
    }
    let body = statement.trim_end_matches([' ', '\t', '\r', '\n', ';']);
    let tail = if statement.get(body.len()..).is_some_and(|end| end.contains(';')) { ";" } else { "" };
    // A line comment at the end would swallow ours.
    let last_line = body.lines().next_back().unwrap_or_default();
    let gap = if last_line.contains("--") || last_line.contains('#') { "\n" } else { " " };
    format!("{body}{gap}{comment}{tail}")
}

#[cfg(test)]
mod tests;
