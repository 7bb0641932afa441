//! Frames that a client sends: each masked (RFC 6455, 5.3).

use crate::frame::{CONTROL_MAX_BYTES, Kind, Opcode};

/// Appends a message, in one frame. `mask` must be drawn anew for each frame, from numbers that nobody can foretell.
pub fn put_message(out: &mut Vec<u8>, kind: Kind, payload: &[u8], mask: [u8; 4]) {
    put(out, Opcode::First(kind), payload, mask);
}

/// Appends the answer to a ping: its payload, of which at most [`CONTROL_MAX_BYTES`] are taken.
pub fn put_pong(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    put(out, Opcode::Pong, payload.get(..CONTROL_MAX_BYTES).unwrap_or(payload), mask);
}

/// Appends a close frame without a reason.
pub fn put_close(out: &mut Vec<u8>, code: u16, mask: [u8; 4]) {
    put(out, Opcode::Close, &code.to_be_bytes(), mask);
}

fn put(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    let (last, masked) = (0x80, 0x80);
    out.push(last | opcode.code());
    let length = payload.len() as u64;
    match (u16::try_from(length), length) {
        (_, 0..126) => out.push(masked | length as u8),
        (Ok(short), _) => {
            out.push(masked | 126);
            out.extend_from_slice(&short.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    for four in out.get_mut(start..).unwrap_or_default().chunks_mut(4) {
        four.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}
