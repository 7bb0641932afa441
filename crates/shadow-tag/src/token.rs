//! The signed token: a lease on one run in one environment.

use std::fmt;
use std::str::FromStr;

use crate::{EnvId, KeyId, Refusal, RunId, base64url};

/// Longest token, in bytes.
pub const TOKEN_MAX_BYTES: usize = 220;
/// How long a lease lives from its minting, in seconds.
pub const LEASE_S: u64 = 60;
/// How often drill control renews the lease, in seconds.
pub const LEASE_RENEW_S: u64 = 20;
/// How far `nbf` is set back at minting, in seconds, so that a hop whose clock is behind accepts the lease.
pub const LEASE_BACKDATE_S: u64 = 5;
/// Longest span from `nbf` to `exp` that any verifier accepts, in seconds.
pub const LEASE_MAX_S: u64 = 300;

const VERSION: &[u8] = b"pd1";
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// What a verified token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The key that signed it.
    pub kid: KeyId,
    /// The environment that it holds in.
    pub env: EnvId,
    /// The run that it holds for.
    pub run: RunId,
    /// First second that it holds, Unix time.
    pub nbf_unix_s: u64,
    /// First second that it holds no more, Unix time.
    pub exp_unix_s: u64,
}

impl Lease {
    /// Whether the span is one that a lease may have.
    pub(crate) fn check_span(&self) -> Result<(), Refusal> {
        match self.exp_unix_s.checked_sub(self.nbf_unix_s) {
            None | Some(0) => Err(Refusal::LeaseEmpty),
            Some(span) if span > LEASE_MAX_S => Err(Refusal::LeaseTooLong),
            Some(_) => Ok(()),
        }
    }
}

/// The text of a token, well-formed. It is not thereby verified: only
/// [`VerifyingKeys::verify`](crate::VerifyingKeys::verify) and [`classify`](crate::classify()) tell that.
///
/// There is no `Display`, and `Debug` leaves the signature out, so that a token does not get into a log by
/// accident; [`as_str`](Self::as_str) is what a carrier wants.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: Box<str>,
    lease: Lease,
}

impl Token {
    pub(crate) fn assemble(lease: Lease, sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES]) -> Self {
        let Lease { kid, env, run, nbf_unix_s, exp_unix_s } = lease;
        let mut text = format!("pd1.{kid}.{env}.{run}.{nbf_unix_s}.{exp_unix_s}");
        let signature = sign(text.as_bytes());
        text.push('.');
        text.push_str(&base64url::encode(&signature));
        Self { text: text.into_boxed_str(), lease }
    }

    /// The token as it stands in a carrier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The token as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What the token says, whether or not its signature holds.
    #[must_use]
    pub fn unverified(&self) -> &Lease {
        &self.lease
    }
}

impl FromStr for Token {
    type Err = Refusal;

    /// Reads the form alone; the signature is not checked.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let Parts { lease, .. } = parse(text.as_bytes())?;
        Ok(Self { text: text.into(), lease })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// A token taken apart, not verified.
pub(crate) struct Parts<'a> {
    pub(crate) lease: Lease,
    /// What the signature is over: every byte before the last dot.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: [u8; SIGNATURE_BYTES],
}

/// Takes a token apart, accepting one spelling of each value only.
pub(crate) fn parse(text: &[u8]) -> Result<Parts<'_>, Refusal> {
    if text.len() > TOKEN_MAX_BYTES {
        return Err(Refusal::TokenTooLong);
    }
    let mut fields = text.split(|b| *b == b'.');
    check_version(fields.next().unwrap_or_default())?;
    let mut field = || fields.next().ok_or(Refusal::MalformedToken);
    let (kid, env, run, nbf, exp, sig) = (field()?, field()?, field()?, field()?, field()?, field()?);
    if fields.next().is_some() {
        return Err(Refusal::MalformedToken);
    }
    let lease = Lease {
        kid: KeyId::from_bytes(kid).map_err(|_| Refusal::MalformedToken)?,
        env: EnvId::from_bytes(env).map_err(|_| Refusal::MalformedToken)?,
        run: RunId::from_bytes(run).map_err(|_| Refusal::MalformedToken)?,
        nbf_unix_s: decimal(nbf).ok_or(Refusal::MalformedToken)?,
        exp_unix_s: decimal(exp).ok_or(Refusal::MalformedToken)?,
    };
    let signature = base64url::decode(sig).ok_or(Refusal::MalformedToken)?;
    lease.check_span()?;
    let signed = text.get(..text.len() - sig.len() - 1).unwrap_or_default();
    Ok(Parts { lease, signed, signature })
}

fn check_version(field: &[u8]) -> Result<(), Refusal> {
    match field.strip_prefix(b"pd") {
        _ if field == VERSION => Ok(()),
        Some(number) if decimal(number).is_some() => Err(Refusal::UnknownVersion),
        _ => Err(Refusal::MalformedToken),
    }
}

/// Digits only, no leading zero, no sign, within 64 bits.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || (text.len() > 1 && text.starts_with(b"0")) {
        return None;
    }
    text.iter().try_fold(0_u64, |number, c| {
        let digit = c.is_ascii_digit().then(|| u64::from(c - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1.0", "18446744073709551616"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad}");
        }
    }
}
