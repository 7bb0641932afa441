//! Keys from the environment, and new ones.

use std::sync::Arc;

use peakdrill_drill_control::Secrets;
use peakdrill_drill_model::exit::Exit;
use peakdrill_shadow_tag::{KeyId, MarkSecret, SigningKey};

use crate::commands::Failure;

/// Holds the mark secret, base64url.
pub(crate) const MARK_SECRET: &str = "PEAKDRILL_MARK_SECRET";
/// Holds the signing key where a scenario names no other: `kid:seed`, the seed base64url.
pub(crate) const SIGNING_KEY: &str = "PEAKDRILL_SIGNING_KEY";

/// Fresh secrets from the system's random source.
pub(crate) fn fresh(kid: KeyId) -> Result<Secrets, Failure> {
    let mut seed = [0_u8; 32];
    let mut mark = [0_u8; 32];
    getrandom::fill(&mut seed)
        .and_then(|()| getrandom::fill(&mut mark))
        .map_err(|error| Failure::new(Exit::Engine, format!("no randomness from the system: {error}")))?;
    Ok(Secrets {
        signing: Arc::new(SigningKey::from_seed(kid, &seed)),
        mark: Arc::new(MarkSecret::from_bytes(mark)),
    })
}

/// The lines that `from_environment` reads.
pub(crate) fn environment_lines(secrets: &Secrets) -> [String; 2] {
    [
        format!("{SIGNING_KEY}={}:{}", secrets.signing.kid(), secrets.signing.seed_base64url()),
        format!("{MARK_SECRET}={}", secrets.mark.to_base64url()),
    ]
}

/// The secrets that a scenario's key names; `None` when the variables are not set.
pub(crate) fn from_environment(key_variable: &str) -> Result<Option<Secrets>, Failure> {
    let (Ok(key), Ok(mark)) = (std::env::var(key_variable), std::env::var(MARK_SECRET)) else {
        return Ok(None);
    };
    let bad = |variable: &str, why: String| {
        Failure::new(Exit::Usage, format!("{variable}: {why}; `peakdrill keys new` makes keys"))
    };
    let (kid, seed) = key.split_once(':').ok_or_else(|| bad(key_variable, "expected KID:SEED".into()))?;
    let kid: KeyId = kid.parse().map_err(|error| bad(key_variable, format!("{error}")))?;
    let signing =
        SigningKey::from_seed_base64url(kid, seed).map_err(|error| bad(key_variable, error.to_string()))?;
    let mark = MarkSecret::from_base64url(&mark).map_err(|error| bad(MARK_SECRET, error.to_string()))?;
    Ok(Some(Secrets { signing: Arc::new(signing), mark: Arc::new(mark) }))
}

/// A fresh run id: eight characters that are easy to say.
pub(crate) fn run_id() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(Exit::Engine, format!("no randomness from the system: {error}")))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect())
}
