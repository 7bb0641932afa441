//! Builds the vectors from fixed seeds. The example prints them; a test compares them with the file.

use std::num::NonZeroU64;

use ed25519_dalek::Signer as _;
use peakdrill_shadow_tag::{
    EnvId, KeyId, MarkKey, MarkSecret, RunEntry, RunId, RunState, RunTable, SigningKey, Token, TraceId,
    VerifyingKeys,
};
use serde_json::{Value, json};

#[path = "accepted.rs"]
mod accepted;
#[path = "refused.rs"]
mod refused;

/// The clock of the vectors.
pub(crate) const NOW: u64 = 1_750_000_000;
const PARENT: &str = "00f067aa0ba902b7";
const LONGEST: &str = "the-longest-id-there-is_";

/// A name that is known to be one.
pub(crate) fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap_or_else(|error| unreachable!("{text} is a valid name: {error:?}"))
}

/// Keys, runs and marks that the cases are made of.
pub(crate) struct Fixture {
    pub(crate) secret: MarkSecret,
    keys: [(SigningKey, [u8; 32]); 3],
}

impl Fixture {
    fn new() -> Self {
        let key = |name: &str, byte: u8| (SigningKey::from_seed(id(name), &[byte; 32]), [byte; 32]);
        let secret: [u8; 32] = std::array::from_fn(|i| i as u8);
        let keys = [key("k1", 0x11), key("k2", 0x22), key(LONGEST, 0x33)];
        Self { secret: MarkSecret::from_bytes(secret), keys }
    }

    /// A token of key k1, well made.
    pub(crate) fn token(&self, env: &str, run: &str, nbf: u64, exp: u64) -> String {
        self.token_by(0, env, run, nbf, exp)
    }

    /// The same by another key of the fixture.
    pub(crate) fn token_by(&self, key: usize, env: &str, run: &str, nbf: u64, exp: u64) -> String {
        let minted = self.keys[key].0.mint(id(env), id(run), nbf, exp);
        minted.map(|token: Token| token.as_str().to_owned()).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// The usual lease of a run in this environment.
    pub(crate) fn lease(&self, run: &str) -> String {
        self.token("staging", run, NOW - 5, NOW + 60)
    }

    /// Any text, rightly signed by k1: for what the mint would not make.
    pub(crate) fn signed(&self, text: &str) -> String {
        self.signed_with([0x11; 32], text)
    }

    /// Any text, rightly signed with a seed.
    pub(crate) fn signed_with(&self, seed: [u8; 32], text: &str) -> String {
        use base64::Engine as _;
        let signature = ed25519_dalek::SigningKey::from_bytes(&seed).sign(text.as_bytes()).to_bytes();
        format!("{text}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn mark_key(&self, env: &str, run: &str) -> MarkKey {
        MarkKey::derive(&self.secret, id(env), id(run))
    }

    fn marked(&self, env: &str, run: &str, low: u64) -> TraceId {
        self.mark_key(env, run).trace_id(NonZeroU64::new(low).unwrap_or(NonZeroU64::MIN))
    }

    /// A traceparent marked for a run.
    pub(crate) fn marked_traceparent(&self, env: &str, run: &str) -> String {
        format!("00-{}-{PARENT}-01", self.marked(env, run, 0x0123_4567_89ab_cdef))
    }

    fn runs(&self) -> RunTable {
        let mut table = RunTable::new(NOW);
        for (env, run, state) in [
            ("staging", "run-a", RunState::Running),
            ("staging", "run-b", RunState::Running),
            ("staging", "run-draining", RunState::Draining),
            ("staging", "run-closed", RunState::Closed),
            ("staging", LONGEST, RunState::Running),
            ("production", "run-prod", RunState::Running),
        ] {
            let (env, run): (EnvId, RunId) = (id(env), id(run));
            let mark_key = MarkKey::derive(&self.secret, env, run);
            let inserted = table.insert(RunEntry { run, env, state, mark_key });
            inserted.unwrap_or_else(|error| unreachable!("{error}"));
        }
        table
    }

    fn public_keys(&self) -> VerifyingKeys {
        let mut keys = VerifyingKeys::default();
        for (key, _) in &self.keys {
            keys.add(key.kid(), key.public()).unwrap_or_else(|error| unreachable!("{error}"));
        }
        keys
    }
}

/// One case.
pub(crate) struct Case {
    name: &'static str,
    position: &'static str,
    header: Option<String>,
    baggage: Option<String>,
    traceparent: Option<String>,
    now: u64,
    expect: Value,
}

impl Case {
    /// A case without any field.
    pub(crate) fn new(name: &'static str, position: &'static str, expect: Value) -> Self {
        Self { name, position, header: None, baggage: None, traceparent: None, now: NOW, expect }
    }

    pub(crate) fn header(mut self, value: impl Into<String>) -> Self {
        self.header = Some(value.into());
        self
    }

    pub(crate) fn baggage(mut self, value: impl Into<String>) -> Self {
        self.baggage = Some(value.into());
        self
    }

    pub(crate) fn traceparent(mut self, value: impl Into<String>) -> Self {
        self.traceparent = Some(value.into());
        self
    }

    pub(crate) fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    fn json(self) -> Value {
        let mut case = json!({ "name": self.name, "position": self.position });
        for (key, value) in
            [("header", self.header), ("baggage", self.baggage), ("traceparent", self.traceparent)]
        {
            if let Some(value) = value {
                case[key] = value.into();
            }
        }
        case["now"] = self.now.into();
        case["expect"] = self.expect;
        case
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| unreachable!("{error}"))
}

fn tokens(fixture: &Fixture) -> Vec<Value> {
    let span = (NOW - 5, NOW + 60);
    [(0, "staging", "run-a"), (1, "staging", "run-b"), (0, "production", "run-prod"), (2, "staging", LONGEST)]
        .into_iter()
        .map(|(key, env, run)| {
            let kid: KeyId = fixture.keys[key].0.kid();
            let token = fixture.token_by(key, env, run, span.0, span.1);
            json!({ "kid": kid, "env": env, "run": run, "nbf": span.0, "exp": span.1, "token": token })
        })
        .collect()
}

fn marks(fixture: &Fixture) -> Vec<Value> {
    let lows = [1, 0x0123_4567_89ab_cdef, 0x8000_0000_0000_0000, u64::MAX];
    let runs = [("staging", "run-a"), ("staging", "run-closed"), ("production", "run-prod")];
    runs.into_iter()
        .flat_map(|(env, run)| lows.map(|low| (env, run, low)))
        .map(|(env, run, low)| {
            let key = fixture.mark_key(env, run).to_base64url();
            let trace_id = fixture.marked(env, run, low);
            json!({ "env": env, "run": run, "mark_key": key, "low": format!("{low:016x}"), "trace_id": trace_id })
        })
        .collect()
}

/// The whole file.
pub(crate) fn vectors() -> String {
    let fixture = Fixture::new();
    let signing: Vec<Value> = fixture
        .keys
        .iter()
        .map(|(key, _)| json!({ "kid": key.kid(), "seed": key.seed_base64url() }))
        .collect();
    let cases = |cases: Vec<Case>| cases.into_iter().map(Case::json).collect::<Vec<_>>();
    let file = json!({
        "format": "peakdrill shadow tag v1: test vectors",
        "note": "The keys and the secret are for tests alone. position \"any\": at the edge and at inner hops. A \
                 missing field is a header that is not there.",
        "env": "staging",
        "now": NOW,
        "signing_keys": signing,
        "keys": parsed(&fixture.public_keys().to_json()),
        "mark_secret": fixture.secret.to_base64url(),
        "run_table": parsed(&fixture.runs().to_json()),
        "tokens": tokens(&fixture),
        "marks": marks(&fixture),
        "accepted": cases(accepted::requests(&fixture)),
        "refused": cases(refused::all(&fixture)),
        "messages": cases(accepted::messages(&fixture)),
    });
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    text
}
