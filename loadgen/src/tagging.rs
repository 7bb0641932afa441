//! Tags: what tells a hop that a request belongs to a drill. In doubt nothing is sent.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use peakdrill_shadow_tag::{MarkKey, Token, TraceId, ack, baggage};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::error::StartError;
use crate::template::HEX;

/// The response header by which the isolation layer says that it refused an operation.
pub const REFUSED_HEADER: &str = "x-peakdrill-refused";

/// How requests are tagged.
#[derive(Debug, Clone)]
pub enum Tagging {
    /// A random `traceparent` alone. The request is live.
    Plain,
    /// As shadow requests of a run.
    Shadow(Arc<ShadowTagging>),
}

/// What shadow requests carry.
#[derive(Debug)]
pub struct ShadowTagging {
    /// Marks the trace ids.
    pub mark: MarkKey,
    /// The current token. Without one, nothing is sent.
    pub token: TokenCell,
    /// The private header's name.
    pub header: String,
    /// The header in which the first hop acknowledges.
    pub ack_header: String,
    /// Whether answers that do not acknowledge are counted.
    pub check_ack: bool,
}

/// The current token, renewed from outside while the engine runs.
#[derive(Debug, Default)]
pub struct TokenCell {
    version: AtomicU64,
    value: RwLock<Option<(Token, u64)>>,
}

impl TokenCell {
    /// A cell without a token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in a token and the Unix second from which it holds no more (the earlier of this and the token's own).
    /// A text that is not a well-formed token empties the cell: the engine then refuses to send.
    pub fn set(&self, token: &str, exp_unix_s: u64) {
        let token = token.parse::<Token>().inspect_err(|why| tracing::error!(%why, "the token is not taken"));
        self.replace(token.ok().map(|token| {
            let exp = token.unverified().exp_unix_s.min(exp_unix_s);
            (token, exp)
        }));
    }

    /// Takes the token out: nothing more is sent.
    pub fn clear(&self) {
        self.replace(None);
    }

    fn replace(&self, value: Option<(Token, u64)>) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value;
        self.version.fetch_add(1, Ordering::Release);
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn get(&self) -> Option<(Token, u64)> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The identity of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

/// There is no valid token: the request must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoToken;

/// Tags the requests of one thread. Reads the shared cell only when its version has changed.
#[derive(Debug)]
pub(crate) struct Stamper {
    mode: Mode,
    random: ChaCha8Rng,
    traceparent: HeaderName,
    baggage: HeaderName,
}

#[derive(Debug)]
enum Mode {
    Plain,
    Shadow(Box<Shadow>),
}

#[derive(Debug)]
struct Shadow {
    tagging: Arc<ShadowTagging>,
    run: String,
    header: HeaderName,
    ack_header: HeaderName,
    seen_version: Option<u64>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    token: Token,
    exp_unix_s: u64,
    header: HeaderValue,
    baggage: HeaderValue,
}

fn header_name(name: &str) -> Result<HeaderName, StartError> {
    name.parse().map_err(|_| StartError::Plan(format!("`{name}` is not a header name")))
}

impl Stamper {
    /// `random` must be seeded by the operating system: its numbers become trace ids.
    pub(crate) fn new(tagging: &Tagging, run: &str, random: ChaCha8Rng) -> Result<Self, StartError> {
        let mode = match tagging {
            Tagging::Plain => Mode::Plain,
            Tagging::Shadow(tagging) => Mode::Shadow(Box::new(Shadow {
                header: header_name(&tagging.header)?,
                ack_header: header_name(&tagging.ack_header)?,
                tagging: Arc::clone(tagging),
                run: run.to_owned(),
                seen_version: None,
                current: None,
            })),
        };
        let (traceparent, baggage) = (header_name("traceparent")?, header_name(baggage::HEADER)?);
        Ok(Self { mode, random, traceparent, baggage })
    }

    /// Fresh random bits for a UUID.
    pub(crate) fn random_u128(&mut self) -> u128 {
        u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64())
    }

    /// Tags a request: ids of its own, and for shadow requests the token in both carriers. Returns the ids and the
    /// Unix second from which the request must not be sent any more.
    pub(crate) fn stamp(&mut self, headers: &mut HeaderMap, now_unix_s: u64) -> Result<(Ids, u64), NoToken> {
        let low = non_zero(&mut self.random);
        let span = non_zero(&mut self.random).get();
        let (trace, not_after) = match &mut self.mode {
            Mode::Plain => (u128::from(self.random.next_u64()) << 64 | u128::from(low.get()), u64::MAX),
            Mode::Shadow(shadow) => {
                let exp = shadow.put(headers, &self.baggage, now_unix_s)?;
                (u128::from_be_bytes(shadow.tagging.mark.trace_id(low).to_bytes()), exp)
            }
        };
        headers.insert(self.traceparent.clone(), traceparent(trace, span));
        Ok((Ids { trace, span }, not_after))
    }

    /// Whether the answer acknowledges the tag; `None` when nothing is to be acknowledged.
    pub(crate) fn acked(&self, answer: &HeaderMap, trace: u128) -> Option<bool> {
        let Mode::Shadow(shadow) = &self.mode else {
            return None;
        };
        let id = TraceId::from_bytes(trace.to_be_bytes())?;
        let value = answer.get(&shadow.ack_header);
        shadow.tagging.check_ack.then(|| value.is_some_and(|value| ack::ack_matches(value.as_bytes(), id)))
    }
}

impl Shadow {
    fn put(&mut self, headers: &mut HeaderMap, name: &HeaderName, now_unix_s: u64) -> Result<u64, NoToken> {
        let version = self.tagging.token.version();
        if self.seen_version != Some(version) {
            self.current =
                self.tagging.token.get().and_then(|(token, exp)| Current::new(token, exp, &self.run));
            self.seen_version = Some(version);
        }
        let current =
            self.current.as_ref().filter(|current| now_unix_s < current.exp_unix_s).ok_or(NoToken)?;
        let value = match headers.get(name) {
            None => current.baggage.clone(),
            Some(users) => baggage::with_token(users.as_bytes(), &current.token)
                .ok()
                .and_then(|bytes| HeaderValue::from_maybe_shared(bytes::Bytes::from(bytes)).ok())
                .ok_or(NoToken)?,
        };
        headers.insert(name.clone(), value);
        headers.insert(self.header.clone(), current.header.clone());
        Ok(current.exp_unix_s)
    }
}

impl Current {
    /// `None` when the token is of another run: what carries it would be refused everywhere.
    fn new(token: Token, exp_unix_s: u64, run: &str) -> Option<Self> {
        if token.unverified().run.as_str() != run {
            tracing::error!("the token is of another run: nothing is sent");
            return None;
        }
        let header = HeaderValue::from_str(token.as_str()).ok()?;
        let baggage =
            HeaderValue::from_maybe_shared(bytes::Bytes::from(baggage::with_token(b"", &token).ok()?));
        Some(Self { exp_unix_s, header, baggage: baggage.ok()?, token })
    }
}

fn non_zero(random: &mut ChaCha8Rng) -> NonZeroU64 {
    NonZeroU64::new(random.next_u64()).unwrap_or(NonZeroU64::MAX)
}

/// `00-<trace>-<span>-01` (W3C Trace Context, version 00, sampled).
fn traceparent(trace: u128, span: u64) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
    for (k, place) in (3..35).rev().enumerate() {
        text[place] = HEX[(trace >> (4 * k) & 15) as usize];
    }
    for (k, place) in (36..52).rev().enumerate() {
        text[place] = HEX[(span >> (4 * k) & 15) as usize];
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
