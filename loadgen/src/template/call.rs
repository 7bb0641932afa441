//! Values that are computed: draws, times, encodings and signatures.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use peakdrill_drill_model::plan::{DigestForm, TimeForm};
use sha2::{Digest as _, Sha256};

use super::{HEX, Text, Unfilled, Values};
use crate::draw::{self, Purpose};

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Letters that one draw of 64 bits gives.
const LETTERS_A_DRAW: usize = 4;

/// A computed value.
#[derive(Debug)]
pub(super) enum Call {
    Random { hole: u32, low: i64, high: i64 },
    RandomString { hole: u32, len: u16 },
    Time(TimeForm),
    Base64(Text),
    Sha256 { of: Text, form: DigestForm },
    Hmac { key: Key, of: Text, form: DigestForm },
}

/// The key of a signature: one that never changes is prepared.
#[derive(Debug)]
pub(super) enum Key {
    Fixed(Box<Hmac<Sha256>>),
    Computed(Text),
}

impl Key {
    pub(super) fn new(text: Text) -> Self {
        match text.fixed().and_then(signer) {
            Some(signer) => Self::Fixed(Box::new(signer)),
            None => Self::Computed(text),
        }
    }
}

/// Keys of every length are keys.
fn signer(key: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key).ok()
}

impl Call {
    /// Appends the value.
    pub(super) fn put(&self, values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), Unfilled> {
        let drawn = |hole| draw::bits_in(values.seed, Purpose::Hole(hole), values.index, values.turn);
        match self {
            Self::Random { hole, low, high } => {
                let range = high.wrapping_sub(*low) as u64;
                let above = match range.checked_add(1) {
                    Some(range) => draw::scale(drawn(*hole), range),
                    None => drawn(*hole),
                };
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{}", low.wrapping_add(above as i64));
            }
            Self::RandomString { hole, len } => letters(drawn(*hole), usize::from(*len), out),
            Self::Time(form) => time(*form, values.now_ns, out),
            Self::Base64(text) => {
                let mut bytes = Vec::new();
                text.render(values, &mut bytes)?;
                out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            }
            Self::Sha256 { of, form } => {
                let mut bytes = Vec::new();
                of.render(values, &mut bytes)?;
                digest(&Sha256::digest(&bytes), *form, out);
            }
            Self::Hmac { key, of, form } => {
                let mut bytes = Vec::new();
                let signer = match key {
                    Key::Fixed(signer) => Some(signer.as_ref().clone()),
                    Key::Computed(key) => {
                        key.render(values, &mut bytes)?;
                        signer(&std::mem::take(&mut bytes))
                    }
                };
                of.render(values, &mut bytes)?;
                let mut signer = signer.ok_or(Unfilled::Unfit)?;
                signer.update(&bytes);
                digest(&signer.finalize().into_bytes(), *form, out);
            }
        }
        Ok(())
    }
}

fn letters(first: u64, len: usize, out: &mut Vec<u8>) {
    for at in 0..len {
        let bits = draw::chain(first, (at / LETTERS_A_DRAW) as u64);
        let part = bits >> (16 * (at % LETTERS_A_DRAW)) & 0xffff;
        // 65,536 is no multiple of 62: some letters are drawn by a thousandth more often.
        out.push(LETTERS.get(part as usize % LETTERS.len()).copied().unwrap_or(b'A'));
    }
}

fn time(form: TimeForm, now_ns: i64, out: &mut Vec<u8>) {
    let _ = match form {
        TimeForm::Seconds => write!(out, "{}", now_ns.div_euclid(1_000_000_000)),
        TimeForm::Millis => write!(out, "{}", now_ns.div_euclid(1_000_000)),
        TimeForm::Rfc3339 => match jiff::Timestamp::from_nanosecond(i128::from(now_ns)) {
            Ok(time) => write!(out, "{time:.3}"),
            Err(_) => Ok(()),
        },
    };
}

fn digest(bytes: &[u8], form: DigestForm, out: &mut Vec<u8>) {
    match form {
        DigestForm::Base64 => out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
        DigestForm::Hex => {
            for byte in bytes {
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
}
