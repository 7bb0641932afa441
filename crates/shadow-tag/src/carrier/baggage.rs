//! W3C `baggage`: one member of it is ours, and every other byte is left as it was.

use std::borrow::Cow;

use super::{Fields, find_byte, percent, trim, trim_start};
use crate::{Refusal, TOKEN_MAX_BYTES, Token};

/// The name of the header.
pub const HEADER: &str = "baggage";
/// The key of our member.
pub const KEY: &str = "peakdrill";
/// The value of our member that says: this request is live. Only an edge sets it.
pub const LIVE: &str = "live";
/// Longest baggage that [`with_token`] and [`with_live`] make, in bytes: what the standard asks all to pass on.
pub const MADE_MAX_BYTES: usize = 8192;
/// Longest baggage field that is looked through, in bytes; longer is refused.
pub const READ_MAX_BYTES: usize = 64 * 1024;

/// With our member, the baggage would be longer than [`MADE_MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("with the peakdrill member the baggage would be longer than {MADE_MAX_BYTES} bytes")]
pub struct BaggageFull;

/// What our member says. A token is not verified here.
#[derive(Clone, PartialEq, Eq)]
pub struct Member<'a>(Cow<'a, [u8]>);

impl<'a> Member<'a> {
    /// The value without percent-encoding.
    #[must_use]
    #[inline]
    pub fn value(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the live stamp, and no token.
    #[must_use]
    #[inline]
    pub fn is_live(&self) -> bool {
        self.value() == LIVE.as_bytes()
    }

    fn read(segment: &'a [u8]) -> Result<Self, Refusal> {
        let end = find_byte(segment, b';').unwrap_or(segment.len());
        let entry = segment.get(..end).unwrap_or_default();
        let equals = entry.iter().position(|b| *b == b'=').ok_or(Refusal::MalformedMember)?;
        let (key, value) = entry.split_at(equals);
        let value = trim(value.get(1..).unwrap_or_default());
        // A key in another case, or encoded, is ours for some readers and not for others.
        if trim(key) != KEY.as_bytes() || value.is_empty() {
            return Err(Refusal::MalformedMember);
        }
        if find_byte(value, b'%').is_none() {
            return Ok(Self(Cow::Borrowed(value)));
        }
        if value.len() > TOKEN_MAX_BYTES * 3 {
            return Err(Refusal::TokenTooLong);
        }
        let decoded = percent::decode(value).map_err(|_| Refusal::MalformedMember)?;
        Ok(Self(Cow::Owned(decoded)))
    }
}

/// Whether a list member has our key, in whatever spelling.
fn is_ours(segment: &[u8]) -> bool {
    // Nearly always the first byte tells: a key in disguise begins with `p`, `P` or a percent sign too.
    let member = trim_start(segment);
    if !matches!(member.first(), Some(b'p' | b'P' | b'%')) {
        return false;
    }
    if member.starts_with(b"peakdrill=") {
        return true;
    }
    let end = member.iter().position(|b| matches!(b, b'=' | b';')).unwrap_or(member.len());
    percent::is_name(trim(member.get(..end).unwrap_or_default()), KEY.as_bytes())
}

/// The list members, as they stand between commas.
fn members(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    std::iter::from_fn(move || {
        let text = rest?;
        let comma = find_byte(text, b',');
        rest = comma.and_then(|at| text.get(at + 1..));
        text.get(..comma.unwrap_or(text.len()))
    })
}

/// The member of a field that holds nothing else and has no encoding: what a generator and an edge send. One pass.
#[inline]
fn alone(field: &[u8]) -> Option<Member<'_>> {
    let value = field.strip_prefix(KEY.as_bytes())?.strip_prefix(b"=")?;
    let special = value.iter().fold(false, |hit, b| hit | (*b == b',') | (*b == b';') | (*b == b'%'));
    let value = trim(value);
    (!special && !value.is_empty() && value.len() <= READ_MAX_BYTES).then_some(Member(Cow::Borrowed(value)))
}

/// Finds our member in all baggage fields of a request.
///
/// # Errors
/// [`Refusal`] when it is there twice, is malformed, or the fields are too many or too long to be sure.
#[inline]
pub fn find<'a>(fields: &Fields<'a>) -> Result<Option<Member<'a>>, Refusal> {
    if fields.overflowed() {
        return Err(Refusal::TooManyFields);
    }
    if let [field] = fields.values()
        && let Some(member) = alone(field)
    {
        return Ok(Some(member));
    }
    let mut found = None;
    for field in fields.values() {
        if field.len() > READ_MAX_BYTES {
            return Err(Refusal::BaggageTooLong);
        }
        for segment in members(field).filter(|segment| is_ours(segment)) {
            if found.replace(segment).is_some() {
                return Err(Refusal::DuplicateMember);
            }
        }
    }
    found.map(Member::read).transpose()
}

/// The field without our member, in whatever spelling and however often; every other member keeps its bytes. When
/// the result is empty the header is to be left out.
#[must_use]
pub fn strip(field: &[u8]) -> Cow<'_, [u8]> {
    if !members(field).any(is_ours) {
        return Cow::Borrowed(field);
    }
    let kept: Vec<&[u8]> = members(field).filter(|segment| !is_ours(segment)).collect();
    Cow::Owned(kept.join(&b','))
}

/// The field with the token as its first member, in place of any member of ours that was there. First, because a
/// proxy that shortens baggage drops from the end. Other baggage fields of the request are to be [`strip`]ped.
///
/// # Errors
/// [`BaggageFull`] when the result would be too long.
pub fn with_token(field: &[u8], token: &Token) -> Result<Vec<u8>, BaggageFull> {
    with_value(field, token.as_bytes())
}

/// The field with the live stamp as its first member; else as [`with_token`].
///
/// # Errors
/// [`BaggageFull`] when the result would be too long.
pub fn with_live(field: &[u8]) -> Result<Vec<u8>, BaggageFull> {
    with_value(field, LIVE.as_bytes())
}

fn with_value(field: &[u8], value: &[u8]) -> Result<Vec<u8>, BaggageFull> {
    let rest = strip(field);
    let mut made = [KEY.as_bytes(), b"=", value].concat();
    if !trim(&rest).is_empty() {
        made.push(b',');
        made.extend_from_slice(&rest);
    }
    if made.len() > MADE_MAX_BYTES { Err(BaggageFull) } else { Ok(made) }
}

#[cfg(test)]
mod tests;
