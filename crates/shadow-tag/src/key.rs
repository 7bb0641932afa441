//! Signing and verifying keys, and their files.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};

use crate::token::{LEASE_BACKDATE_S, LEASE_S, Lease, Token, parse};
use crate::{EnvId, KeyId, Refusal, RunId, base64url};

/// Most public keys that a verifier holds.
pub const KEYS_MAX: usize = 64;
/// Longest key file that is read, in bytes.
pub const KEYS_FILE_MAX_BYTES: usize = 16 * 1024;

/// Why a key, or a file of keys, is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not 32 bytes in canonical base64url without padding.
    #[error("a key is 32 bytes in canonical base64url without padding")]
    Encoding,
    /// The bytes are not a point on the curve, or one of small order, for which signatures prove nothing.
    #[error("the public key is not usable")]
    Unusable,
    /// The id is already taken by another key.
    #[error("two different keys have the id {0}")]
    Duplicate(KeyId),
    /// There are more than [`KEYS_MAX`] keys.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
    /// The file is longer than [`KEYS_FILE_MAX_BYTES`].
    #[error("the key file is longer than {KEYS_FILE_MAX_BYTES} bytes")]
    TooLong,
    /// The file is not `{"keys":[{"kid":"…","public":"…"}]}`.
    #[error("the key file cannot be read: {0}")]
    Json(String),
}

/// Why a token is not minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no verifier would take this token: {0}")]
pub struct MintError(Refusal);

/// The private half, with its id. Drill control alone holds it.
#[derive(Clone)]
pub struct SigningKey {
    kid: KeyId,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes the key of a seed: 32 bytes, which must come from the operating system's generator.
    #[must_use]
    pub fn from_seed(kid: KeyId, seed: &[u8; 32]) -> Self {
        Self { kid, key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    /// Reads the seed that [`seed_base64url`](Self::seed_base64url) writes.
    ///
    /// # Errors
    /// [`KeyError::Encoding`] when the text is not 32 bytes in canonical base64url.
    pub fn from_seed_base64url(kid: KeyId, text: &str) -> Result<Self, KeyError> {
        let seed = base64url::decode(text.as_bytes()).ok_or(KeyError::Encoding)?;
        Ok(Self::from_seed(kid, &seed))
    }

    /// The seed as text, for the file that keeps it.
    #[must_use]
    pub fn seed_base64url(&self) -> String {
        base64url::encode(self.key.as_bytes())
    }

    /// The id of the key.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.kid
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }

    /// Mints a token that holds from `nbf_unix_s` until just before `exp_unix_s`.
    ///
    /// # Errors
    /// [`MintError`] when the span is empty or longer than [`LEASE_MAX_S`](crate::LEASE_MAX_S).
    pub fn mint(&self, env: EnvId, run: RunId, nbf_unix_s: u64, exp_unix_s: u64) -> Result<Token, MintError> {
        let lease = Lease { kid: self.kid, env, run, nbf_unix_s, exp_unix_s };
        lease.check_span().map_err(MintError)?;
        Ok(self.mint_unchecked(lease))
    }

    /// Mints the usual lease: [`LEASE_S`] from now, set back by [`LEASE_BACKDATE_S`].
    ///
    /// # Errors
    /// [`MintError`] only when `now_unix_s` is at the end of the number range.
    pub fn mint_lease(&self, env: EnvId, run: RunId, now_unix_s: u64) -> Result<Token, MintError> {
        let nbf = now_unix_s.saturating_sub(LEASE_BACKDATE_S);
        self.mint(env, run, nbf, now_unix_s.saturating_add(LEASE_S))
    }

    fn mint_unchecked(&self, lease: Lease) -> Token {
        Token::assemble(lease, |signed| self.key.sign(signed).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A public key that may be used: on the curve, and not of small order. As text, 32 bytes in base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when they are no point of the curve, or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Unusable)?;
        if key.is_weak() { Err(KeyError::Unusable) } else { Ok(Self(key)) }
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&base64url::decode(text.as_bytes()).ok_or(KeyError::Encoding)?)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    keys: Vec<KeyLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine {
    kid: KeyId,
    public: String,
}

/// The public keys that a hop trusts, by id. Rotation is: add the new one everywhere, sign with it, remove the
/// old one a lease later.
#[derive(Clone, Debug, Default)]
pub struct VerifyingKeys(BTreeMap<KeyId, PublicKey>);

impl VerifyingKeys {
    /// Reads `{"keys":[{"kid":"…","public":"<base64url>"}]}`.
    ///
    /// # Errors
    /// [`KeyError`] when the form, a key or the number of keys is not allowed; nothing is taken then.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEYS_FILE_MAX_BYTES {
            return Err(KeyError::TooLong);
        }
        let file: KeysFile = serde_json::from_str(text).map_err(|error| KeyError::Json(error.to_string()))?;
        let mut keys = Self::default();
        for KeyLine { kid, public } in file.keys {
            keys.add(kid, public.parse()?)?;
        }
        Ok(keys)
    }

    /// Writes the form that [`from_json`](Self::from_json) reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let line = |(kid, public): (&KeyId, &PublicKey)| KeyLine { kid: *kid, public: public.to_string() };
        let file = KeysFile { keys: self.0.iter().map(line).collect() };
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Trusts a key. The same key under the same id again is fine.
    ///
    /// # Errors
    /// [`KeyError::Duplicate`] when another key has the id, [`KeyError::TooMany`] at [`KEYS_MAX`].
    pub fn add(&mut self, kid: KeyId, public: PublicKey) -> Result<(), KeyError> {
        match self.0.get(&kid) {
            Some(known) if *known == public => return Ok(()),
            Some(_) => return Err(KeyError::Duplicate(kid)),
            None if self.0.len() >= KEYS_MAX => return Err(KeyError::TooMany),
            None => {}
        }
        self.0.insert(kid, public);
        Ok(())
    }

    /// Trusts the key no more; tells whether it was there.
    pub fn remove(&mut self, kid: KeyId) -> bool {
        self.0.remove(&kid).is_some()
    }

    /// The ids of all keys, in order.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.keys().copied()
    }

    /// Checks form and signature of a token. What it says about environment, time and run is not judged.
    ///
    /// # Errors
    /// The [`Refusal`] that names what is wrong.
    pub fn verify(&self, token: &[u8]) -> Result<Lease, Refusal> {
        let parts = parse(token)?;
        let PublicKey(key) = self.0.get(&parts.lease.kid).ok_or(Refusal::UnknownKey)?;
        let signature = ed25519_dalek::Signature::from_bytes(&parts.signature);
        key.verify_strict(parts.signed, &signature).map_err(|_| Refusal::BadSignature)?;
        Ok(parts.lease)
    }
}

#[cfg(test)]
mod tests;
