//! Where tag, mark and stamp stand in a request.

pub mod ack;
pub mod baggage;
mod percent;
pub mod sql;
pub mod takin;
pub mod traceparent;

use std::fmt;

/// How many values of one repeated field are kept.
pub const FIELDS_MAX: usize = 4;

/// The values of one field of a request, which may be repeated. At most [`FIELDS_MAX`] are kept; a request with
/// more is refused.
#[derive(Clone, Copy, Default)]
pub struct Fields<'a> {
    values: [&'a [u8]; FIELDS_MAX],
    len: u8,
    overflow: bool,
}

impl<'a> Fields<'a> {
    /// Adds a value as it stands in the request.
    pub fn push(&mut self, value: &'a [u8]) {
        match self.values.get_mut(usize::from(self.len)) {
            Some(place) => {
                *place = value;
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }

    /// The values that were kept.
    #[must_use]
    #[inline]
    pub fn values(&self) -> &[&'a [u8]] {
        self.values.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there were more than were kept.
    #[must_use]
    #[inline]
    pub fn overflowed(&self) -> bool {
        self.overflow
    }
}

impl<'a> From<Option<&'a [u8]>> for Fields<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        value.into_iter().collect()
    }
}

impl<'a> FromIterator<&'a [u8]> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(values: I) -> Self {
        let mut fields = Self::default();
        values.into_iter().for_each(|value| fields.push(value));
        fields
    }
}

// Values may hold a token, so that only their number is shown.
impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} values{}]", self.len, if self.overflow { ", and more" } else { "" })
    }
}

/// What a request carries: the raw values of the fields that may hold a claim. Every value of a repeated field
/// must be given, or a claim could hide behind another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claims<'a> {
    /// The private header, [`DEFAULT_HEADER`](crate::DEFAULT_HEADER) where no other name is set.
    pub header: Fields<'a>,
    /// W3C `baggage`.
    pub baggage: Fields<'a>,
    /// W3C `traceparent`.
    pub traceparent: Fields<'a>,
}

impl<'a> Claims<'a> {
    /// The claims of a request that has each field at most once.
    #[must_use]
    pub fn new(header: Option<&'a [u8]>, baggage: Option<&'a [u8]>, traceparent: Option<&'a [u8]>) -> Self {
        Self { header: header.into(), baggage: baggage.into(), traceparent: traceparent.into() }
    }
}

/// Without spaces and tabs at both ends: the optional whitespace of HTTP.
#[inline]
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[inline]
pub(crate) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Where `byte` first stands. In blocks, which compile to vector instructions: this is on the path of each request.
#[inline]
pub(crate) fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    let (blocks, _) = text.as_chunks::<16>();
    let free =
        blocks.iter().take_while(|block| !block.iter().fold(false, |hit, b| hit | (*b == byte))).count() * 16;
    text.get(free..)?.iter().position(|b| *b == byte).map(|at| free + at)
}
