//! The marked trace id: a keyed hash in the trace id itself, for where only `traceparent` survives.

use std::fmt;
use std::num::NonZeroU64;

use hkdf::Hkdf;
use sha2::Sha256;
use siphasher::sip::SipHasher24;

use crate::{EnvId, RunId, TraceId, base64url};

/// A text or byte string is not a secret of the right size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected_bytes} bytes in canonical base64url without padding")]
pub struct SecretError {
    expected_bytes: usize,
}

/// The mark secret of an environment, 32 bytes. Drill control holds it; hops get derived [`MarkKey`]s only.
#[derive(Clone)]
pub struct MarkSecret([u8; 32]);

impl MarkSecret {
    /// Takes 32 bytes, which must come from the operating system's generator.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the form that [`to_base64url`](Self::to_base64url) writes.
    ///
    /// # Errors
    /// [`SecretError`] when the text is not 32 bytes in canonical base64url.
    pub fn from_base64url(text: &str) -> Result<Self, SecretError> {
        base64url::decode(text.as_bytes()).map(Self).ok_or(SecretError { expected_bytes: 32 })
    }

    /// The secret as text, for the file that keeps it.
    #[must_use]
    pub fn to_base64url(&self) -> String {
        base64url::encode(&self.0)
    }
}

impl fmt::Debug for MarkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkSecret([redacted])")
    }
}

/// The key that marks, and recognises, the trace ids of one run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarkKey([u8; 16]);

impl MarkKey {
    /// Derives the key of a run: HKDF-SHA-256 (RFC 5869) without salt, the secret as input keying material,
    /// info `peakdrill mark v1|<env>|<run>`, 16 bytes.
    #[must_use]
    pub fn derive(secret: &MarkSecret, env: EnvId, run: RunId) -> Self {
        let mut key = [0; 16];
        let info = [b"peakdrill mark v1|", env.as_bytes(), b"|", run.as_bytes()];
        let expanded = Hkdf::<Sha256>::new(None, &secret.0).expand_multi_info(&info, &mut key);
        // 16 bytes are far below the 255 blocks at which expansion fails.
        debug_assert!(expanded.is_ok(), "HKDF expands 16 bytes");
        Self(key)
    }

    /// Takes a derived key, as the run registry carries it.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads a derived key from base64url.
    ///
    /// # Errors
    /// [`SecretError`] when the text is not 16 bytes in canonical base64url.
    pub fn from_base64url(text: &str) -> Result<Self, SecretError> {
        base64url::decode(text.as_bytes()).map(Self).ok_or(SecretError { expected_bytes: 16 })
    }

    /// The derived key as base64url text.
    #[must_use]
    pub fn to_base64url(&self) -> String {
        base64url::encode(&self.0)
    }

    /// The marked trace id with `low` as its last eight bytes (big-endian): the first eight are SipHash-2-4 of
    /// those, big-endian too. `low` must be random, one per request.
    #[must_use]
    pub fn trace_id(&self, low: NonZeroU64) -> TraceId {
        TraceId::from_halves(self.hash(low.get()), low)
    }

    /// Whether this key marked the trace id. A random id passes with probability 2^-64.
    #[must_use]
    #[inline]
    pub fn is_marked(&self, id: TraceId) -> bool {
        let low = id.low();
        low != 0 && self.hash(low) == id.high()
    }

    #[inline]
    fn hash(&self, low: u64) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(&low.to_be_bytes())
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkKey([redacted])")
    }
}
