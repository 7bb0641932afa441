//! Reading header blocks.

use super::dynamic::Dynamic;
use super::{fixed, huffman};

/// Largest dynamic table that a peer may use, in bytes: what the protocol begins with, and nothing larger is offered.
pub const TABLE_MAX_BYTES: usize = 4096;
/// Longest representation of a number, in bytes behind the first.
const INTEGER_MAX_BYTES: usize = 4;
/// Changes of the table's size at the beginning of a block, at most: the smallest and the last (RFC 7541, 4.2).
const SIZE_UPDATES_MAX: u32 = 2;

/// A header block is none. The tables are out of step, so the connection is of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HpackError(pub &'static str);

/// Reads the header blocks of one connection, in order.
#[derive(Debug)]
pub struct Decoder {
    table: Dynamic,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    /// For a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self { table: Dynamic::new(TABLE_MAX_BYTES), name: Vec::new(), value: Vec::new() }
    }

    /// Takes a whole block, and tells its fields, names and values.
    ///
    /// # Errors
    /// When it is no block.
    pub fn decode(&mut self, block: &[u8], mut tell: impl FnMut(&[u8], &[u8])) -> Result<(), HpackError> {
        let (mut rest, mut updates, mut fields) = (block, 0, false);
        while let Some(first) = rest.first().copied() {
            match first {
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    let (name, value) = entry(&self.table, index)?;
                    tell(name, value);
                    fields = true;
                }
                0x40.. => {
                    self.literal(&mut rest, 6)?;
                    tell(&self.name, &self.value);
                    self.table.insert(&self.name, &self.value);
                    fields = true;
                }
                0x20.. => {
                    let size = integer(&mut rest, 5)?;
                    updates += 1;
                    if fields || updates > SIZE_UPDATES_MAX {
                        return Err(HpackError("the table's size changes within a block"));
                    }
                    if size > TABLE_MAX_BYTES {
                        return Err(HpackError("the table is to be larger than allowed"));
                    }
                    self.table.set_max(size);
                }
                _ => {
                    self.literal(&mut rest, 4)?;
                    tell(&self.name, &self.value);
                    fields = true;
                }
            }
        }
        Ok(())
    }

    /// Reads a literal field, whose name may be that of an entry.
    fn literal(&mut self, rest: &mut &[u8], bits: u32) -> Result<(), HpackError> {
        let index = integer(rest, bits)?;
        self.name.clear();
        if index == 0 {
            string(rest, &mut self.name)?;
        } else {
            let (name, _) = entry(&self.table, index)?;
            self.name.extend_from_slice(name);
        }
        self.value.clear();
        string(rest, &mut self.value)
    }
}

fn entry(table: &Dynamic, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
    let entry = match index.checked_sub(fixed::ENTRIES + 1) {
        None => fixed::entry(index),
        Some(place) => table.entry(place),
    };
    entry.ok_or(HpackError("an index without an entry"))
}

fn integer(rest: &mut &[u8], bits: u32) -> Result<usize, HpackError> {
    let cut = HpackError("it is cut off");
    let (first, behind) = rest.split_first().ok_or(cut)?;
    *rest = behind;
    let most = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & most;
    if number < most {
        return Ok(number);
    }
    for place in 0..INTEGER_MAX_BYTES {
        let (byte, behind) = rest.split_first().ok_or(cut)?;
        *rest = behind;
        number += (usize::from(*byte) & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(HpackError("a number is too large"))
}

fn string(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    let coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)?;
    let (text, behind) = rest.split_at_checked(length).ok_or(HpackError("a string is cut off"))?;
    *rest = behind;
    if !coded {
        out.extend_from_slice(text);
    } else if !huffman::decode(text, out) {
        return Err(HpackError("a string is not Huffman-coded"));
    }
    Ok(())
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
