//! Heads of frames (RFC 6455, 5.2).

use crate::error::Error;

/// Longest payload of a control frame, in bytes (RFC 6455, 5.5).
pub const CONTROL_MAX_BYTES: usize = 125;
/// Longest head of a frame that a server sends, in bytes: without a mask.
pub(crate) const HEAD_MAX_BYTES: usize = 10;

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    First(Kind),
    Close,
    Ping,
    Pong,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) opcode: Opcode,
    /// Whether it ends its message.
    pub(crate) last: bool,
    /// Length of the payload, in bytes.
    pub(crate) length: u64,
}

impl Opcode {
    fn read(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Continuation,
            1 => Self::First(Kind::Text),
            2 => Self::First(Kind::Binary),
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::First(Kind::Text) => 1,
            Self::First(Kind::Binary) => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The length of a head that begins with these two bytes.
pub(crate) fn head_length(second: u8) -> usize {
    match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// Reads a whole head of a frame that a server sent.
pub(crate) fn read_head(bytes: &[u8]) -> Result<Head, Error> {
    let (Some([first, second]), rest) = (bytes.first_chunk::<2>(), bytes.get(2..).unwrap_or_default()) else {
        return Err(Error::Frame("its head is cut off"));
    };
    if first & 0x70 != 0 {
        return Err(Error::Frame("it uses an extension that was not agreed on"));
    }
    if second & 0x80 != 0 {
        return Err(Error::Frame("a server's frame is masked"));
    }
    let opcode = Opcode::read(first & 0x0f).ok_or(Error::Frame("its opcode is not known"))?;
    let last = first & 0x80 != 0;
    let length = match (second & 0x7f, rest) {
        (126, [a, b]) => u64::from(u16::from_be_bytes([*a, *b])),
        (127, [a, b, c, d, e, f, g, h]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        (length, _) => u64::from(length),
    };
    // The highest bit must be 0, and the shortest form is to be used (RFC 6455, 5.2).
    let long_form = match second & 0x7f {
        126 => length < 126,
        127 => length <= u64::from(u16::MAX) || length >> 63 == 1,
        _ => false,
    };
    if long_form {
        return Err(Error::Frame("its length is not written as it must be"));
    }
    if opcode.is_control() && (!last || length > CONTROL_MAX_BYTES as u64) {
        return Err(Error::Frame("a control frame is in parts or too long"));
    }
    Ok(Head { opcode, last, length })
}
