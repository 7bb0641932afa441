//! Writing header blocks. Nothing is put into the peer's dynamic table, so a block, or a piece of one, is right on every
//! connection and can be prepared; and names and values are not Huffman-coded.

use super::fixed;

/// Whether a field may be kept by whoever passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// It may enter tables further on.
    Open,
    /// It must never enter one (RFC 7541, 7.1.3).
    Secret,
}

impl Secrecy {
    fn pattern(self) -> u8 {
        match self {
            Self::Open => 0x00,
            Self::Secret => 0x10,
        }
    }
}

/// Appends a field. The name is in lower case.
pub fn put_field(out: &mut Vec<u8>, name: &[u8], value: &[u8], secrecy: Secrecy) {
    if let (Some(index), _) = fixed::find(name, value)
        && secrecy == Secrecy::Open
    {
        return put_integer(out, 0x80, 7, index);
    }
    put_name(out, name, secrecy);
    put_string(out, value);
}

/// Appends the beginning of a field, to which its value is still to be added by [`put_value_of`].
pub fn put_name(out: &mut Vec<u8>, name: &[u8], secrecy: Secrecy) {
    match fixed::find(name, b"").1 {
        Some(index) => put_integer(out, secrecy.pattern(), 4, index),
        None => {
            out.push(secrecy.pattern());
            put_string(out, name);
        }
    }
}

/// Appends a value that is written in place: its length is put before it when it is known.
///
/// # Errors
/// What the writer says. What was appended then makes no sense.
pub fn put_value_of<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let at = out.len();
    out.push(0);
    write(out)?;
    let length = out.len().saturating_sub(at + 1);
    if length < 0x7f {
        if let Some(place) = out.get_mut(at) {
            *place = length as u8;
        }
    } else {
        let mut prefix = Vec::new();
        put_integer(&mut prefix, 0, 7, length);
        out.splice(at..=at, prefix);
    }
    Ok(())
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    put_integer(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

/// Appends a number behind a pattern of bits, of which so many are the number's (RFC 7541, 5.1).
pub(super) fn put_integer(out: &mut Vec<u8>, pattern: u8, bits: u32, number: usize) {
    let most = (1_usize << bits) - 1;
    if number < most {
        return out.push(pattern | number as u8);
    }
    out.push(pattern | most as u8);
    let mut rest = number - most;
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}
