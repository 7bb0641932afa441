//! Messages compiled from JSON with holes: pieces of the wire format, and slots whose values are encoded when they come.

mod compile;
mod known;
mod scalar;

pub(crate) use compile::compile;
use scalar::Scalar;

/// Most messages inside of one another.
pub const DEPTH_MAX: usize = 64;

/// A piece of a message's JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Fixed text.
    Literal(&'a str),
    /// A value that comes later, inside of a string or of a key; the n-th hole of the text is hole n, from 0.
    Hole,
}

/// What does not fit the message type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The way to it: places in mappings and lists, from the outermost.
    pub path: Vec<usize>,
    /// Whether it is about the key and not the value there.
    pub at_key: bool,
    /// One line.
    pub message: String,
    /// Names that could have been meant.
    pub known: Vec<String>,
}

/// Why a message could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unrendered<E> {
    /// There is no value for a hole.
    Unfilled(E),
    /// A value is not of the field's type.
    Unfit {
        /// The field.
        field: String,
        /// What would have been.
        expected: &'static str,
    },
}

/// A compiled message.
#[derive(Debug, Clone, Default)]
pub struct Template(Vec<Op>);

#[derive(Debug, Clone)]
enum Op {
    /// Bytes as they are.
    Literal(Vec<u8>),
    /// The length of what comes until the matching end.
    Open,
    Close,
    Slot(Box<Slot>),
}

/// A field's value with holes.
#[derive(Debug, Clone)]
struct Slot {
    /// Field number and wire type, encoded; empty inside of a packed list.
    tag: Vec<u8>,
    scalar: Scalar,
    /// Not written when it has the default: the field does not tell this from not being there.
    implicit: bool,
    text: Vec<Bit>,
    /// The field's full name.
    field: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bit {
    Text(String),
    Hole(usize),
}

impl Template {
    /// The whole message, when it has no holes.
    #[must_use]
    pub fn fixed(&self) -> Option<Vec<u8>> {
        let slot = self.0.iter().any(|op| matches!(op, Op::Slot(_)));
        let mut out = Vec::new();
        let rendered = self.render(&mut |_, _| Err(()), &mut out);
        (!slot && rendered.is_ok()).then_some(out)
    }

    /// Appends the message as a frame. `fill` appends the text of a hole.
    ///
    /// # Errors
    /// When a hole has no value, or one that does not fit.
    pub fn render_frame<E>(
        &self,
        fill: &mut impl FnMut(usize, &mut Vec<u8>) -> Result<(), E>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unrendered<E>> {
        let start = out.len();
        out.extend_from_slice(&[0; crate::frames::FRAME_HEAD_BYTES]);
        let first = out.len();
        self.render(fill, out)?;
        let length = u32::try_from(out.len() - first).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = out.get_mut(start + 1..first) {
            place.copy_from_slice(&length);
        }
        Ok(())
    }

    /// Appends the message. `fill` appends the text of a hole.
    ///
    /// # Errors
    /// When a hole has no value, or one that does not fit.
    pub fn render<E>(
        &self,
        fill: &mut impl FnMut(usize, &mut Vec<u8>) -> Result<(), E>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unrendered<E>> {
        let mut open = [0_usize; DEPTH_MAX];
        let (mut depth, mut room) = (0_usize, Vec::new());
        for op in &self.0 {
            match op {
                Op::Literal(bytes) => out.extend_from_slice(bytes),
                Op::Open => {
                    if let Some(place) = open.get_mut(depth) {
                        *place = out.len();
                    }
                    depth += 1;
                    out.push(0);
                }
                Op::Close => {
                    depth = depth.saturating_sub(1);
                    close(open.get(depth).copied().unwrap_or_default(), out);
                }
                Op::Slot(slot) => slot.render(fill, &mut room, out)?,
            }
        }
        Ok(())
    }
}

impl Slot {
    fn render<E>(
        &self,
        fill: &mut impl FnMut(usize, &mut Vec<u8>) -> Result<(), E>,
        room: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unrendered<E>> {
        room.clear();
        for bit in &self.text {
            match bit {
                Bit::Text(text) => room.extend_from_slice(text.as_bytes()),
                Bit::Hole(hole) => fill(*hole, room).map_err(Unrendered::Unfilled)?,
            }
        }
        let start = out.len();
        out.extend_from_slice(&self.tag);
        let text = std::str::from_utf8(room).ok();
        let default = text.and_then(|text| self.scalar.put(text, out)).ok_or_else(|| Unrendered::Unfit {
            field: self.field.clone(),
            expected: self.scalar.expected(),
        })?;
        if default && self.implicit {
            out.truncate(start);
        }
        Ok(())
    }
}

/// Writes the length of what stands behind a place where one byte was kept free for it.
fn close(place: usize, out: &mut Vec<u8>) {
    let (first, end) = (place + 1, out.len());
    let length = (end - first) as u64;
    let (bytes, count) = varint(length);
    // Most lengths take the one byte.
    out.resize(end + count - 1, 0);
    if count > 1 {
        out.copy_within(first..end, first + count - 1);
    }
    if let (Some(to), Some(from)) = (out.get_mut(place..place + count), bytes.get(..count)) {
        to.copy_from_slice(from);
    }
}

/// A number in the variable-length form: bytes, and how many of them.
fn varint(mut number: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut count) = ([0; 10], 0);
    for byte in &mut bytes {
        count += 1;
        *byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, count)
}

fn put_varint(number: u64, out: &mut Vec<u8>) {
    let (bytes, count) = varint(number);
    out.extend_from_slice(bytes.get(..count).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_any_size_are_put_in_front() {
        for length in [0_usize, 1, 127, 128, 300, 16_383, 16_384, 2_097_152] {
            let mut out = b"before".to_vec();
            let place = out.len();
            out.push(0);
            out.extend(std::iter::repeat_n(b'x', length));
            close(place, &mut out);
            let mut expected = b"before".to_vec();
            put_varint(length as u64, &mut expected);
            expected.extend(std::iter::repeat_n(b'x', length));
            assert!(out == expected, "{length}");
        }
        let mut most = Vec::new();
        put_varint(u64::MAX, &mut most);
        assert_eq!(most, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }
}
