//! Tokens whose signature was checked before.

use crate::TOKEN_MAX_BYTES;
use crate::token::Lease;

const WAYS: usize = 4;
const SETS: usize = 16;

/// How many verified tokens each shard of a [`Verifier`](crate::Verifier) remembers.
pub const CACHE_ENTRIES_PER_SHARD: usize = WAYS * SETS;

/// What is known of a token whose signature holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) lease: Lease,
    /// Where its run stands in the run table that the proof was made under.
    pub(crate) run_index: Option<usize>,
}

#[derive(Clone)]
struct Entry {
    text: [u8; TOKEN_MAX_BYTES],
    len: u8,
    proof: Proof,
}

impl Entry {
    #[inline]
    fn text(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A small set-associative map from the whole text of a token to what it proves. Only tokens that verified are
/// put in, so that nobody without the private key can push one out.
pub(crate) struct Cache(Box<[Option<Entry>]>);

impl Cache {
    pub(crate) fn new() -> Self {
        Self(vec![None; CACHE_ENTRIES_PER_SHARD].into_boxed_slice())
    }

    #[inline]
    pub(crate) fn get(&self, text: &[u8]) -> Option<&Proof> {
        let start = set_start(text);
        let set = self.0.get(start..start + WAYS)?;
        set.iter().flatten().find(|entry| entry.text() == text).map(|entry| &entry.proof)
    }

    /// Remembers a verified token, in place of the one of its set that ends first.
    pub(crate) fn put(&mut self, text: &[u8], proof: Proof) {
        let mut entry = Entry { text: [0; TOKEN_MAX_BYTES], len: 0, proof };
        let (Some(room), Ok(len)) = (entry.text.get_mut(..text.len()), u8::try_from(text.len())) else {
            return;
        };
        room.copy_from_slice(text);
        entry.len = len;
        let start = set_start(text);
        let Some(set) = self.0.get_mut(start..start + WAYS) else { return };
        let ends = |place: &&mut Option<Entry>| place.as_ref().map(|entry| entry.proof.lease.exp_unix_s);
        let known = set.iter().position(|place| place.as_ref().is_some_and(|entry| entry.text() == text));
        let place = match known {
            Some(index) => set.get_mut(index),
            None => set.iter_mut().min_by_key(ends),
        };
        if let Some(place) = place {
            *place = Some(entry);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(None);
    }
}

/// The last bytes are of the signature, and so spread evenly among tokens that verify.
#[inline]
fn set_start(text: &[u8]) -> usize {
    let tail = text.last_chunk::<9>().and_then(|tail| tail.first_chunk::<8>());
    let mixed = u64::from_le_bytes(tail.copied().unwrap_or_default()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 60) as usize % SETS * WAYS
}

#[cfg(test)]
mod tests;
