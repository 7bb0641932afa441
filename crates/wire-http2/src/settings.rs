//! The parameters of a connection (RFC 9113, 6.5).

use crate::error::Error;

pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const ENABLE_PUSH: u16 = 2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(crate) const MAX_FRAME_SIZE: u16 = 5;
pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;

/// Largest window there can be, in bytes.
pub(crate) const WINDOW_MAX: i64 = 0x7fff_ffff;
/// What windows begin with, in bytes.
pub(crate) const WINDOW_AT_FIRST: i64 = 65_535;

/// What a peer has set. Only what matters to a sender that uses no dynamic table and the smallest largest frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Bytes of our dynamic table that it would keep.
    pub(crate) table: u32,
    pub(crate) streams: u32,
    pub(crate) window: i64,
}

impl Default for Peer {
    fn default() -> Self {
        Self { table: 4096, streams: u32::MAX, window: WINDOW_AT_FIRST }
    }
}

impl Peer {
    /// Takes the payload of a SETTINGS frame.
    pub(crate) fn take(&mut self, payload: &[u8]) -> Result<(), Error> {
        let (parameters, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Error::size("SETTINGS of a length that is none"));
        }
        for [a, b, value @ ..] in parameters {
            let value = u32::from_be_bytes(*value);
            match u16::from_be_bytes([*a, *b]) {
                HEADER_TABLE_SIZE => self.table = value,
                // A server has nothing to allow here (RFC 9113, 6.5.2).
                ENABLE_PUSH if value != 0 => return Err(Error::protocol("a server that would be pushed to")),
                MAX_CONCURRENT_STREAMS => self.streams = value,
                INITIAL_WINDOW_SIZE if i64::from(value) > WINDOW_MAX => {
                    return Err(Error::flow("an initial window that is too large"));
                }
                INITIAL_WINDOW_SIZE => self.window = i64::from(value),
                MAX_FRAME_SIZE if !(16_384..=16_777_215).contains(&value) => {
                    return Err(Error::protocol("a largest frame out of range"));
                }
                // Others are to be ignored.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Appends parameters, as they stand in a frame.
pub(crate) fn put(out: &mut Vec<u8>, parameters: &[(u16, u32)]) {
    for (name, value) in parameters {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(parameters: &[(u16, u32)]) -> Result<Peer, Error> {
        let (mut payload, mut peer) = (Vec::new(), Peer::default());
        put(&mut payload, parameters);
        peer.take(&payload).map(|()| peer)
    }

    #[test]
    fn what_matters_is_kept() {
        let peer = taken(&[(1, 0), (3, 7), (4, 9), (0xff, 1), (2, 0), (5, 20_000), (4, 10)]);
        assert_eq!(peer, Ok(Peer { table: 0, streams: 7, window: 10 }));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for bad in [(2, 1), (4, 0x8000_0000), (5, 16_383), (5, 16_777_216)] {
            assert!(taken(&[bad]).is_err(), "{bad:?}");
        }
        assert!(Peer::default().take(&[0; 5]).is_err());
    }
}
