//! Text with holes, compiled once: neighbouring literals joined, names turned into indices.

use peakdrill_drill_model::plan::{Part, Template};

use crate::feeder::Rows;

/// How an inserted value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As it is.
    None,
    /// As the inside of a JSON string.
    Json,
    /// Percent-encoded, all but the unreserved characters of RFC 3986.
    Percent,
}

/// A compiled template.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pieces: Vec<Piece>,
    escape: Escape,
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(Vec<u8>),
    Feeder { feeder: u16, column: u16 },
    Extracted(u16),
    Uuid(u16),
    Index,
}

/// The names of one journey's values, as they are met.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Extracted values.
    pub(crate) extracted: Vec<String>,
    /// Named UUIDs.
    pub(crate) uuids: Vec<String>,
    /// Feeders that are used, ascending.
    pub(crate) feeders: Vec<u16>,
}

impl Names {
    pub(crate) fn extracted(&mut self, name: &str) -> u16 {
        place(&mut self.extracted, name)
    }
}

fn place(names: &mut Vec<String>, name: &str) -> u16 {
    let found = names.iter().position(|known| known == name);
    found.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    }) as u16
}

/// What a journey inserts.
pub(crate) struct Values<'a> {
    pub(crate) feeders: &'a [Rows],
    /// The row per feeder; only those the journey uses are meant.
    pub(crate) rows: &'a [u32],
    pub(crate) extracted: &'a [Option<String>],
    pub(crate) uuids: &'a [[u8; UUID_BYTES]],
    pub(crate) index: u64,
}

/// A value that an earlier step should have extracted is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) u16);

/// Length of a UUID in text form.
pub(crate) const UUID_BYTES: usize = 36;

/// 128 random bits as a UUID of version 4 (RFC 9562).
pub(crate) fn uuid(random: u128) -> [u8; UUID_BYTES] {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let mut text = [b'-'; UUID_BYTES];
    let places = (0..UUID_BYTES).filter(|k| !matches!(k, 8 | 13 | 18 | 23));
    for (digit, place) in (0..32_u32).rev().zip(places) {
        if let Some(c) = text.get_mut(place) {
            *c = HEX[(bits >> (4 * digit) & 15) as usize];
        }
    }
    text
}

pub(crate) const HEX: &[u8; 16] = b"0123456789abcdef";

impl Text {
    pub(crate) fn compile(template: &Template, escape: Escape, run: &str, names: &mut Names) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for part in &template.0 {
            let piece = match part {
                Part::Literal(text) => Piece::Literal(text.clone().into_bytes()),
                Part::RunId => {
                    let mut text = Vec::new();
                    escape.write(run.as_bytes(), &mut text);
                    Piece::Literal(text)
                }
                Part::Feeder { feeder, column } => {
                    if let Err(at) = names.feeders.binary_search(feeder) {
                        names.feeders.insert(at, *feeder);
                    }
                    Piece::Feeder { feeder: *feeder, column: *column }
                }
                Part::Extracted(name) => Piece::Extracted(names.extracted(name)),
                Part::Uuid(name) => Piece::Uuid(place(&mut names.uuids, name)),
                Part::Index => Piece::Index,
            };
            match (pieces.last_mut(), piece) {
                (Some(Piece::Literal(before)), Piece::Literal(more)) => before.extend_from_slice(&more),
                (_, piece) => pieces.push(piece),
            }
        }
        Self { pieces, escape }
    }

    /// The whole text, when it has no holes.
    pub(crate) fn fixed(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Puts a literal before everything.
    pub(crate) fn prefix(&mut self, text: &str) {
        match self.pieces.first_mut() {
            Some(Piece::Literal(first)) => drop(first.splice(0..0, text.bytes())),
            _ => self.pieces.insert(0, Piece::Literal(text.as_bytes().to_vec())),
        }
    }

    /// Appends the text with its holes filled.
    pub(crate) fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), Missing> {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Feeder { feeder, column } => {
                    let row = values.rows.get(usize::from(*feeder)).copied().unwrap_or(0);
                    let rows = values.feeders.get(usize::from(*feeder));
                    self.escape.write(rows.map_or("", |rows| rows.value(row, *column)).as_bytes(), out);
                }
                Piece::Extracted(slot) => {
                    let value = values.extracted.get(usize::from(*slot)).and_then(Option::as_ref);
                    self.escape.write(value.ok_or(Missing(*slot))?.as_bytes(), out);
                }
                Piece::Uuid(slot) => {
                    out.extend_from_slice(values.uuids.get(usize::from(*slot)).map_or(&[], |u| u.as_slice()));
                }
                Piece::Index => decimal(values.index, out),
            }
        }
        Ok(())
    }
}

fn decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

impl Escape {
    fn write(self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(value),
            Self::Json => value.iter().for_each(|c| json(*c, out)),
            Self::Percent => value.iter().for_each(|c| percent(*c, out)),
        }
    }
}

fn json(c: u8, out: &mut Vec<u8>) {
    match c {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => out.extend_from_slice(&[
            b'\\',
            b'u',
            b'0',
            b'0',
            HEX[usize::from(c >> 4)],
            HEX[usize::from(c & 15)],
        ]),
        _ => out.push(c),
    }
}

fn percent(c: u8, out: &mut Vec<u8>) {
    if c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~') {
        out.push(c);
    } else {
        let digit = |nibble: u8| HEX[usize::from(nibble)].to_ascii_uppercase();
        out.extend_from_slice(&[b'%', digit(c >> 4), digit(c & 15)]);
    }
}

#[cfg(test)]
mod tests;
