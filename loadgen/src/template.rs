//! Text with holes, compiled once: neighbouring literals joined, names turned into indices.

mod call;

use std::sync::Arc;

use peakdrill_drill_model::plan::{Part, Template};
use peakdrill_wire_http1::{is_field_value, put_decimal};

use crate::draw::{self, Purpose};
use crate::feeder::Rows;
use crate::kept::Kept;
use crate::secrets::Secrets;
use call::{Call, Key};

/// How an inserted value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As it is.
    None,
    /// As the inside of a JSON string.
    Json,
    /// Percent-encoded, all but the unreserved characters of RFC 3986.
    Percent,
    /// As it is, if it may stand in a header field's value.
    Field,
}

/// A compiled template, or several behind one another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Literal(Vec<u8>),
    /// A file, as it is.
    Shared(Arc<Vec<u8>>),
    Hole(Value, Escape),
}

/// What is inserted.
#[derive(Debug, Clone)]
enum Value {
    Feeder {
        feeder: u16,
        column: u16,
    },
    Extracted(u16),
    /// By its number; a named one is the same in every turn of a loop.
    Uuid {
        number: u32,
        named: bool,
    },
    Index,
    /// Computed beforehand.
    Let(u16),
    Call(Arc<Call>),
}

/// The names of one journey's values, as they are met.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Extracted values.
    pub(crate) extracted: Vec<String>,
    /// UUIDs; those without a name are each their own.
    pub(crate) uuids: Vec<String>,
    /// Feeders that are used, ascending.
    pub(crate) feeders: Vec<u16>,
    /// Values that the step under way computes.
    pub(crate) lets: Vec<String>,
    /// Draws met so far.
    pub(crate) holes: u32,
    pub(crate) secrets: Secrets,
    /// Contents of the plan's files.
    pub(crate) files: Vec<Arc<Vec<u8>>>,
    /// What cannot be compiled.
    pub(crate) problems: Vec<String>,
    /// Loops met so far.
    pub(crate) loops: usize,
    /// Whether the journey keeps cookies.
    pub(crate) cookies: bool,
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

/// Values that a step has computed.
#[derive(Debug, Default)]
pub(crate) struct Lets {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Lets {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, number: u16) -> &[u8] {
        let number = usize::from(number);
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(number).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default()
    }
}

/// What a journey inserts.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) feeders: &'a [Rows],
    /// The row per feeder; only those the journey uses are meant.
    pub(crate) rows: &'a [u32],
    pub(crate) extracted: &'a Kept,
    pub(crate) index: u64,
    /// The turn of the loops that it is in.
    pub(crate) turn: u32,
    /// UUIDs differ from run to run, so that no service takes the requests of one for repetitions of another's.
    pub(crate) uuid_seed: u64,
    pub(crate) seed: u64,
    /// The time of writing, in Unix nanoseconds.
    pub(crate) now_ns: i64,
    pub(crate) lets: &'a Lets,
}

/// Why a text could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// A value that an earlier step should have extracted is not there.
    Missing(u16),
    /// A value is not fit for a header field.
    Unfit,
    /// A message has a hole that nothing belongs to.
    Hole(usize),
}

/// Length of a UUID in text form.
pub(crate) const UUID_BYTES: usize = 36;

/// 128 random bits as a UUID of version 4 (RFC 9562).
pub(crate) fn uuid(random: u128) -> [u8; UUID_BYTES] {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let (high, low) = (hex((bits >> 64) as u64), hex(bits as u64));
    let mut text = [b'-'; UUID_BYTES];
    for (place, digits) in
        [(0, &high[..8]), (9, &high[8..12]), (14, &high[12..]), (19, &low[..4]), (24, &low[4..])]
    {
        text[place..place + digits.len()].copy_from_slice(digits);
    }
    text
}

/// 16 hexadecimal digits, in lower case.
pub(crate) fn hex(number: u64) -> [u8; 16] {
    let mut text = [0; 16];
    text[..8].copy_from_slice(&hex_half((number >> 32) as u32));
    text[8..].copy_from_slice(&hex_half(number as u32));
    text
}

/// Eight digits at once: each byte of a word takes half a byte of the number, and becomes a letter or a digit.
fn hex_half(number: u32) -> [u8; 8] {
    let wide = u64::from(number);
    let wide = (wide | wide << 16) & 0x0000_ffff_0000_ffff;
    let wide = (wide | wide << 8) & 0x00ff_00ff_00ff_00ff;
    let halves = (wide | wide << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in every byte that is ten or more.
    let letters = (halves + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (halves + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Text {
    pub(crate) fn compile(template: &Template, escape: Escape, run: &str, names: &mut Names) -> Self {
        let mut text = Self::default();
        for part in &template.0 {
            let value = match part {
                Part::Literal(literal) => {
                    text.literal(literal.as_bytes());
                    continue;
                }
                Part::RunId => {
                    let mut escaped = Vec::new();
                    // A run's id is fit for anything.
                    let _ = escape.write(run.as_bytes(), &mut escaped);
                    text.literal(&escaped);
                    continue;
                }
                Part::Secret(name) => {
                    text.secret(name, escape, names);
                    continue;
                }
                Part::File(number) => {
                    match names.files.get(usize::from(*number)) {
                        Some(file) => text.0.push(Piece::Shared(Arc::clone(file))),
                        None => names.problems.push(format!("there is no file {number}")),
                    }
                    continue;
                }
                Part::Value(name) => match names.lets.iter().position(|known| known == name) {
                    Some(at) => Value::Let(at as u16),
                    None => {
                        names.problems.push(format!("the value `{name}` is not computed"));
                        continue;
                    }
                },
                Part::Random { .. }
                | Part::RandomString(_)
                | Part::Time(_)
                | Part::Base64(_)
                | Part::Sha256 { .. }
                | Part::HmacSha256 { .. } => Value::Call(Arc::new(call(part, run, names))),
                Part::Feeder { feeder, column } => {
                    if let Err(at) = names.feeders.binary_search(feeder) {
                        names.feeders.insert(at, *feeder);
                    }
                    Value::Feeder { feeder: *feeder, column: *column }
                }
                Part::Extracted(name) => Value::Extracted(names.extracted(name)),
                Part::Uuid(name) if name.is_empty() => {
                    names.uuids.push(String::new());
                    Value::Uuid { number: names.uuids.len() as u32 - 1, named: false }
                }
                Part::Uuid(name) => {
                    Value::Uuid { number: u32::from(place(&mut names.uuids, name)), named: true }
                }
                Part::Index => Value::Index,
            };
            text.0.push(Piece::Hole(value, escape));
        }
        text
    }

    fn secret(&mut self, name: &str, escape: Escape, names: &mut Names) {
        let mut escaped = Vec::new();
        match names.secrets.get(name).map(|value| escape.write(value.as_bytes(), &mut escaped)) {
            Some(Ok(())) => self.literal(&escaped),
            Some(Err(_)) => names.problems.push(format!("the secret {name} cannot stand in a header")),
            None => names.problems.push(format!("the secret {name} is not set")),
        }
    }

    /// The content of a file, when the text is that alone.
    pub(crate) fn shared(&self) -> Option<&Arc<Vec<u8>>> {
        match self.0.as_slice() {
            [Piece::Shared(file)] => Some(file),
            _ => None,
        }
    }

    /// Adds a literal.
    pub(crate) fn literal(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(Piece::Literal(before)) => before.extend_from_slice(bytes),
            _ => self.0.push(Piece::Literal(bytes.to_vec())),
        }
    }

    /// Adds another text.
    pub(crate) fn append(&mut self, other: Self) {
        for piece in other.0 {
            match piece {
                Piece::Literal(bytes) => self.literal(&bytes),
                other => self.0.push(other),
            }
        }
    }

    /// The whole text, when it has no holes.
    pub(crate) fn fixed(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with an `x` in every hole: what is right for this is right for every filling, since what is inserted is
    /// escaped.
    pub(crate) fn sample(&self) -> Vec<u8> {
        let part = |piece: &Piece| match piece {
            Piece::Literal(bytes) => bytes.clone(),
            Piece::Shared(_) | Piece::Hole(..) => vec![b'x'],
        };
        self.0.iter().flat_map(part).collect()
    }

    /// Appends the text with its holes filled.
    pub(crate) fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), Unfilled> {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Shared(file) => out.extend_from_slice(file),
                Piece::Hole(value, escape) => values.write(value, *escape, out)?,
            }
        }
        Ok(())
    }
}

fn call(part: &Part, run: &str, names: &mut Names) -> Call {
    let mut inner = |template: &Template| Text::compile(template, Escape::None, run, names);
    match part {
        Part::Base64(of) => Call::Base64(inner(of)),
        Part::Sha256 { of, form } => Call::Sha256 { of: inner(of), form: *form },
        Part::HmacSha256 { key, of, form } => {
            Call::Hmac { key: Key::new(inner(key)), of: inner(of), form: *form }
        }
        Part::Time(form) => Call::Time(*form),
        other => {
            let hole = names.holes;
            names.holes += 1;
            match other {
                Part::Random { low, high } => Call::Random { hole, low: *low, high: (*high).max(*low) },
                Part::RandomString(len) => Call::RandomString { hole, len: *len },
                // Not reached: all others are no calls.
                _ => Call::RandomString { hole, len: 0 },
            }
        }
    }
}

impl Values<'_> {
    fn write(&self, value: &Value, escape: Escape, out: &mut Vec<u8>) -> Result<(), Unfilled> {
        match *value {
            Value::Feeder { feeder, column } => {
                let row = self.rows.get(usize::from(feeder)).copied().unwrap_or(0);
                let rows = self.feeders.get(usize::from(feeder));
                escape.write(rows.map_or("", |rows| rows.value(row, column)).as_bytes(), out)
            }
            Value::Extracted(slot) => {
                escape.write(self.extracted.get(slot).ok_or(Unfilled::Missing(slot))?, out)
            }
            Value::Uuid { number, named } => {
                let turn = if named { 0 } else { self.turn };
                let half = |half| {
                    let purpose = Purpose::Uuid(number << 1 | half);
                    u128::from(draw::bits_in(self.uuid_seed, purpose, self.index, turn))
                };
                out.extend_from_slice(&uuid(half(0) << 64 | half(1)));
                Ok(())
            }
            Value::Index => {
                put_decimal(out, self.index);
                Ok(())
            }
            Value::Let(number) => escape.write(self.lets.get(number), out),
            Value::Call(ref call) if escape == Escape::None => call.put(self, out),
            Value::Call(ref call) => {
                let mut value = Vec::new();
                call.put(self, &mut value)?;
                escape.write(&value, out)
            }
        }
    }
}

impl Escape {
    fn write(self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unfilled> {
        match self {
            Self::Field if !is_field_value(value) => return Err(Unfilled::Unfit),
            Self::None | Self::Field => out.extend_from_slice(value),
            Self::Json => value.iter().for_each(|c| json(*c, out)),
            Self::Percent => value.iter().for_each(|c| percent(*c, out)),
        }
        Ok(())
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
pub(crate) mod tests;
