//! Tags: what tells a hop that a request belongs to a drill. In doubt nothing is sent.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::header::HeaderName;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Telemetry;
use peakdrill_shadow_tag::{MarkKey, Token, TraceId, ack, baggage};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::answer::Heads;
use crate::error::StartError;
use crate::extract::Fault;
use crate::form::Form;
use crate::template::hex;

/// The response header by which the isolation layer says that it refused an operation.
pub const REFUSED_HEADER: &str = "x-peakdrill-refused";

/// That the isolation layer refused, whatever else the answer says.
pub(crate) fn refusal(answer: Heads<'_>) -> Option<Fault> {
    let detail = String::from_utf8_lossy(answer.get(REFUSED_HEADER)?).into_owned();
    Some(Fault { class: ErrorClass::IsolationRefused, detail })
}

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

    /// Takes the token out: no further request is tagged, and so none is sent. One that was tagged and waits for a
    /// connection may still go out until its token ends.
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
    /// Whether services are asked for spans.
    pub(crate) sampled: bool,
}

impl Ids {
    /// Of what has not been written.
    pub(crate) const NONE: Self = Self { trace: 0, span: 0, sampled: false };
}

/// There is no valid token: the request must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoToken;

/// Tags the requests of one thread. Reads the shared cell only when its version has changed.
#[derive(Debug)]
pub(crate) struct Stamper {
    mode: Mode,
    random: ChaCha8Rng,
    telemetry: Telemetry,
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
    /// The private header's name.
    header: String,
    ack_header: String,
    seen_version: Option<u64>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    token: Token,
    exp_unix_s: u64,
    /// The fields of both carriers, where a request has no baggage of its own, in both forms.
    lines: Vec<u8>,
    block: Vec<u8>,
}

fn header_name(name: &str) -> Result<String, StartError> {
    let known: HeaderName =
        name.parse().map_err(|_| StartError::Plan(format!("`{name}` is not a header name")))?;
    Ok(known.as_str().to_owned())
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
        Ok(Self { mode, random, telemetry: Telemetry::default() })
    }

    /// Asks services for the spans of those requests alone that are to be sampled; without it, of all.
    pub(crate) fn sampling(mut self, telemetry: &Telemetry) -> Self {
        self.telemetry.traces_ppm = telemetry.traces_ppm;
        self
    }

    /// Appends the fields that tag a request: ids of its own, and for shadow requests the token in both carriers.
    /// `own` is the baggage that the request has anyway. Returns the ids and the Unix second from which the request
    /// must not be sent any more.
    pub(crate) fn stamp(
        &mut self,
        form: Form,
        head: &mut Vec<u8>,
        own: Option<&[u8]>,
        now_unix_s: u64,
    ) -> Result<(Ids, u64), NoToken> {
        let low = non_zero(&mut self.random);
        let span = non_zero(&mut self.random).get();
        let (trace, not_after) = match &mut self.mode {
            Mode::Plain => {
                if let Some(own) = own {
                    form.put(head, baggage::HEADER, own, false);
                }
                (u128::from(self.random.next_u64()) << 64 | u128::from(low.get()), u64::MAX)
            }
            Mode::Shadow(shadow) => {
                let exp = shadow.put(form, head, own, now_unix_s)?;
                (u128::from_be_bytes(shadow.tagging.mark.trace_id(low).to_bytes()), exp)
            }
        };
        let ids = Ids { trace, span, sampled: self.telemetry.is_sampled(trace) };
        put_traceparent(form, head, ids);
        Ok((ids, not_after))
    }

    /// 128 random bits.
    pub(crate) fn nonce(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// Ids of what carries no tag and no trace: they are never sent.
    pub(crate) fn unsent_ids(&mut self) -> Ids {
        let trace = u128::from(self.random.next_u64()) << 64 | u128::from(non_zero(&mut self.random).get());
        Ids { trace, span: non_zero(&mut self.random).get(), sampled: false }
    }

    /// Whether a request could be tagged now. What was tagged before may not be added to without that.
    pub(crate) fn may_send(&mut self, now_unix_s: u64) -> Result<(), NoToken> {
        match &mut self.mode {
            Mode::Plain => Ok(()),
            Mode::Shadow(shadow) => shadow.current(now_unix_s).map(|_| ()),
        }
    }

    /// Whether the answer acknowledges the tag; `None` when nothing is to be acknowledged.
    pub(crate) fn acked(&self, answer: Heads<'_>, trace: u128) -> Option<bool> {
        let Mode::Shadow(shadow) = &self.mode else {
            return None;
        };
        let id = TraceId::from_bytes(trace.to_be_bytes())?;
        let acked = || answer.get(&shadow.ack_header).is_some_and(|value| ack::ack_matches(value, id));
        shadow.tagging.check_ack.then(acked)
    }
}

impl Shadow {
    /// The token that holds now.
    fn current(&mut self, now_unix_s: u64) -> Result<&Current, NoToken> {
        let version = self.tagging.token.version();
        if self.seen_version != Some(version) {
            let token = self.tagging.token.get();
            self.current = token.and_then(|(token, exp)| Current::new(token, exp, &self.run, &self.header));
            self.seen_version = Some(version);
        }
        self.current.as_ref().filter(|current| now_unix_s < current.exp_unix_s).ok_or(NoToken)
    }

    fn put(
        &mut self,
        form: Form,
        head: &mut Vec<u8>,
        own: Option<&[u8]>,
        now_unix_s: u64,
    ) -> Result<u64, NoToken> {
        self.current(now_unix_s)?;
        // Looked up again: the borrow of it must not hold the header's name.
        let Some(current) = &self.current else { return Err(NoToken) };
        match own {
            None => head.extend_from_slice(match form {
                Form::Lines => &current.lines,
                Form::Block => &current.block,
            }),
            Some(own) => {
                let joined = baggage::with_token(own, &current.token).map_err(|_| NoToken)?;
                form.put(head, baggage::HEADER, &joined, true);
                form.put(head, &self.header, current.token.as_str().as_bytes(), true);
            }
        }
        Ok(current.exp_unix_s)
    }
}

impl Current {
    /// `None` when the token is of another run: what carries it would be refused everywhere.
    fn new(token: Token, exp_unix_s: u64, run: &str, header: &str) -> Option<Self> {
        if token.unverified().run.as_str() != run {
            tracing::error!("the token is of another run: nothing is sent");
            return None;
        }
        let joined = baggage::with_token(b"", &token).ok()?;
        let write = |form: Form| {
            let mut out = Vec::new();
            form.put(&mut out, baggage::HEADER, &joined, true);
            form.put(&mut out, header, token.as_str().as_bytes(), true);
            out
        };
        let (lines, block) = (write(Form::Lines), write(Form::Block));
        Some(Self { token, exp_unix_s, lines, block })
    }
}

fn non_zero(random: &mut ChaCha8Rng) -> NonZeroU64 {
    NonZeroU64::new(random.next_u64()).unwrap_or(NonZeroU64::MAX)
}

/// Appends the field `traceparent`.
fn put_traceparent(form: Form, head: &mut Vec<u8>, ids: Ids) {
    let line = traceparent(ids);
    match form {
        Form::Lines => head.extend_from_slice(&line),
        Form::Block => form.put(head, "traceparent", line.get(13..68).unwrap_or_default(), false),
    }
}

/// The field `00-<trace>-<span>-<flags>` (W3C Trace Context, version 00): flag 1 asks for spans. Services that sample by
/// what their caller says, as OpenTelemetry's do, make none without it, and pass the trace on all the same.
fn traceparent(ids: Ids) -> [u8; 70] {
    let mut line = *b"traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n";
    for (number, first) in [((ids.trace >> 64) as u64, 16), (ids.trace as u64, 32), (ids.span, 49)] {
        if let Some(places) = line.get_mut(first..first + 16) {
            places.copy_from_slice(&hex(number));
        }
    }
    line[67] = if ids.sampled { b'1' } else { b'0' };
    line
}

#[cfg(test)]
mod tests;
