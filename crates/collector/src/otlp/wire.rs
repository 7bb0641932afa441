//! Protocol buffers, read in place: the fields of a message one by one, no copy and no tree.

use super::Malformed;

/// Longest integer, in bytes.
const VARINT_BYTES_MAX: usize = 10;
/// Groups within groups, an old form that nothing of OTLP uses: they are passed over.
const GROUP_DEPTH_MAX: usize = 100;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken(&'static str);

impl From<Broken> for Malformed {
    fn from(Broken(why): Broken) -> Self {
        Self::new(why.to_owned())
    }
}

const CUT_SHORT: Broken = Broken("a message ends within a field");
const BAD_INTEGER: Broken = Broken("an integer is longer than 64 bits");
const BAD_KEY: Broken = Broken("a field has no number, or a type that there is not");
const BAD_GROUP: Broken = Broken("a group does not end, or ends without a beginning");
const OTHER_TYPE: Broken = Broken("a field is of another type than its number says");
const NOT_UTF8: Broken = Broken("a text is not UTF-8");

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
    Group,
}

impl<'a> Field<'a> {
    pub(super) fn varint(self) -> Result<u64, Broken> {
        if let Self::Varint(value) = self { Ok(value) } else { Err(OTHER_TYPE) }
    }

    pub(super) fn fixed64(self) -> Result<u64, Broken> {
        if let Self::Fixed64(value) = self { Ok(value) } else { Err(OTHER_TYPE) }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Broken> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(OTHER_TYPE) }
    }

    pub(super) fn text(self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NOT_UTF8)
    }
}

/// The fields of a message, in the order in which they stand.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Number and content of the next field; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.key()?;
        let field = match kind {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.slice(usize::try_from(length).map_err(|_| CUT_SHORT)?)?)
            }
            3 => {
                self.pass_group(number)?;
                Field::Group
            }
            5 => {
                self.array::<4>()?;
                Field::Fixed32
            }
            4 => return Err(BAD_GROUP),
            _ => return Err(BAD_KEY),
        };
        Ok(Some((number, field)))
    }

    #[inline]
    fn key(&mut self) -> Result<(u32, u32), Broken> {
        let key = u32::try_from(self.varint()?).map_err(|_| BAD_KEY)?;
        if key >> 3 == 0 { Err(BAD_KEY) } else { Ok((key >> 3, key & 7)) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Broken> {
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for (at, byte) in self.0.iter().take(VARINT_BYTES_MAX).enumerate() {
            // The last of ten bytes has room for one bit.
            if at + 1 == VARINT_BYTES_MAX && *byte > 1 {
                return Err(BAD_INTEGER);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(CUT_SHORT)
    }

    #[inline]
    fn slice(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn pass_group(&mut self, number: u32) -> Result<(), Broken> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            let (number, kind) = self.key()?;
            match kind {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => {
                    let length = self.varint()?;
                    self.slice(usize::try_from(length).map_err(|_| CUT_SHORT)?)?;
                }
                3 if open.len() < GROUP_DEPTH_MAX => open.push(number),
                4 if number == innermost => drop(open.pop()),
                5 => drop(self.array::<4>()?),
                3 | 4 => return Err(BAD_GROUP),
                _ => return Err(BAD_KEY),
            }
        }
        Ok(())
    }
}
