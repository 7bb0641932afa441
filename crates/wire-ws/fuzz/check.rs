//! What must hold for every input.

use peakdrill_wire_ws::{CONTROL_MAX_BYTES, Close, Decoder, Error, Kind, Sink};

/// Longest message: small enough that inputs reach it.
const LIMIT: usize = 512;

/// All that a decoder told, in order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told(Vec<(String, Vec<u8>)>);

impl Sink for Told {
    fn message(&mut self, kind: Kind, payload: &[u8]) {
        assert!(payload.len() <= LIMIT);
        assert!(kind == Kind::Binary || std::str::from_utf8(payload).is_ok());
        self.0.push((format!("{kind:?}"), payload.to_vec()));
    }

    fn ping(&mut self, payload: &[u8]) {
        assert!(payload.len() <= CONTROL_MAX_BYTES);
        self.0.push(("ping".to_owned(), payload.to_vec()));
    }

    fn close(&mut self, close: Close<'_>) {
        self.0.push((format!("close {:?}", close.code), close.reason.as_bytes().to_vec()));
    }
}

fn decode(input: &[u8], size: usize) -> (Told, Result<(), Error>) {
    let (mut decoder, mut told) = (Decoder::new(LIMIT), Told::default());
    for part in input.chunks(size) {
        if let Err(error) = decoder.feed(part, &mut told) {
            return (told, Err(error));
        }
    }
    (told, Ok(()))
}

/// The result does not depend on where the bytes were cut. The first byte of the input says how.
pub(crate) fn frames(data: &[u8]) {
    let Some((size, input)) = data.split_first() else {
        return;
    };
    let whole = decode(input, input.len().max(1));
    assert_eq!(decode(input, usize::from(*size) + 1), whole);
}
