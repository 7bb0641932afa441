//! Frames: their nine bytes of header (RFC 9113, 4.1 and 6).

/// Length of a frame's header, in bytes.
pub(crate) const HEADER_BYTES: usize = 9;
/// Longest payload that a peer may send, in bytes: what the protocol begins with, and nothing larger is asked for.
pub(crate) const PAYLOAD_MAX_BYTES: usize = 16_384;
/// What a client's side begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(crate) mod flag {
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Of the payload, in bytes.
    pub(crate) length: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// 0: the connection.
    pub(crate) stream: u32,
}

impl Header {
    /// Reads the header at the beginning of some bytes; `None`: there are too few.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s @ .., d] = bytes.first_chunk::<HEADER_BYTES>()?;
        let [e, f, g] = s;
        Some(Self {
            length: u32::from_be_bytes([0, *a, *b, *c]) as usize,
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes([*e, *f, *g, *d]) & 0x7fff_ffff,
        })
    }

    /// Appends the header.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        let [_, a, b, c] = (self.length as u32).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        out.extend_from_slice(&[a, b, c, self.kind, self.flags, d, e, f, g]);
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Appends a frame that consists of one number of 32 bits.
pub(crate) fn put_number(out: &mut Vec<u8>, kind: u8, stream: u32, number: u32) {
    Header { length: 4, kind, flags: 0, stream }.put(out);
    out.extend_from_slice(&number.to_be_bytes());
}

/// The payload of a frame that may be padded, without its padding; `None`: there is more padding than payload.
pub(crate) fn unpadded(header: Header, payload: &[u8]) -> Option<&[u8]> {
    if !header.has(flag::PADDED) {
        return Some(payload);
    }
    let (padding, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(*padding))?)
}

/// The number of 32 bits that some bytes are, or begin with.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back() {
        let header = Header { length: 0x12345, kind: 9, flags: 4, stream: 0x7fff_fffe };
        let mut out = Vec::new();
        header.put(&mut out);
        assert_eq!(Header::read(&out), Some(header));
        assert_eq!(Header::read(&out[..8]), None);
        // The first bit of the stream is not a part of its number.
        out[5] |= 0x80;
        assert_eq!(Header::read(&out), Some(header));
    }

    #[test]
    fn padding_is_taken_off() {
        let header = |flags| Header { length: 0, kind: kind::DATA, flags, stream: 1 };
        assert_eq!(unpadded(header(0), b"ab"), Some(&b"ab"[..]));
        assert_eq!(unpadded(header(flag::PADDED), b"\x02abcc"), Some(&b"ab"[..]));
        assert_eq!(unpadded(header(flag::PADDED), b"\x02cc"), Some(&b""[..]));
        for bad in [&b""[..], b"\x02c", b"\x01"] {
            assert_eq!(unpadded(header(flag::PADDED), bad), None);
        }
    }
}
