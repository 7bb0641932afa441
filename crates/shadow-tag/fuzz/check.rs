//! What must hold for whatever bytes come. Shared by the fuzz target and by the test that replays its corpus.

use std::sync::OnceLock;

use peakdrill_shadow_tag::{
    By, Claims, Class, Fields, MessageClass, Position, RunTable, Token, Traceparent, VECTORS_V1, Verifier,
    VerifyingKeys, baggage, classify, classify_message, redact, sql,
};

struct Fixture {
    verifier: Verifier,
    runs: RunTable,
    now: u64,
    /// Every token of the vectors: nobody without a key makes another one.
    text: String,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let file: serde_json::Value = serde_json::from_str(VECTORS_V1).expect("the vectors are JSON");
        let keys = VerifyingKeys::from_json(&file["keys"].to_string()).expect("keys");
        let runs = RunTable::from_json(&file["run_table"].to_string()).expect("runs");
        let env = file["env"].as_str().expect("env").parse().expect("a name");
        let now = file["now"].as_u64().expect("now");
        Fixture { verifier: Verifier::new(env, keys, runs.clone()), runs, now, text: VECTORS_V1.to_owned() }
    })
}

/// Takes the bytes as lines: `h`, `b` or `t` and a value of header, baggage or traceparent; `s` and an SQL
/// statement; anything else goes to the readers of files and texts.
pub(crate) fn check(data: &[u8]) {
    let mut claims = Claims::default();
    for line in data.split(|b| *b == b'\n') {
        match line {
            [b'h', value @ ..] => claims.header.push(value),
            [b'b', value @ ..] => claims.baggage.push(value),
            [b't', value @ ..] => claims.traceparent.push(value),
            [b's', statement @ ..] => statement_holds(statement),
            _ => {}
        }
    }
    claims_hold(&claims);
    for value in [data].iter().chain(claims.baggage.values()) {
        baggage_holds(value);
    }
    for value in claims.traceparent.values() {
        if let Ok(parsed) = Traceparent::parse(value) {
            let shown = parsed.to_string();
            assert_eq!(Traceparent::parse(shown.as_bytes()).map(|again| again.trace_id), Ok(parsed.trace_id));
        }
    }
    text_holds(&String::from_utf8_lossy(data));
}

fn claims_hold(claims: &Claims<'_>) {
    let Fixture { verifier, now, .. } = fixture();
    for position in [Position::Edge, Position::Inner] {
        if let Ok(class) = classify(verifier, claims, position, *now) {
            class_holds(claims, class);
        }
    }
    match classify_message(verifier, claims, *now) {
        Ok(MessageClass::Process(class)) => class_holds(claims, class),
        Ok(MessageClass::Quarantine(shadow)) => class_holds(claims, Class::Shadow(shadow)),
        Err(_) => {}
    }
}

/// Live and unknown have no drill claim at all; shadow by token has a token that a key holder minted.
fn class_holds(claims: &Claims<'_>, class: Class) {
    let Fixture { runs, text, .. } = fixture();
    let member = baggage::find(&claims.baggage).expect("what cannot be read is refused");
    match class {
        Class::Shadow(shadow) if shadow.by == By::Token => {
            let token = claims.header.values().first().copied();
            let token = member.as_ref().map_or(token.unwrap_or_default(), baggage::Member::value);
            let token = String::from_utf8_lossy(token);
            assert!(text.contains(token.trim()), "verified, and never minted: {token}");
        }
        Class::Shadow(_) => {}
        Class::Live | Class::Unknown => {
            assert!(claims.header.values().is_empty());
            assert!(member.is_none_or(|member| member.is_live()));
            let parsed =
                claims.traceparent.values().iter().filter_map(|value| Traceparent::parse(value).ok());
            assert!(parsed.map(|parsed| parsed.trace_id).all(|id| runs.find_mark(id).is_none()));
        }
    }
}

fn statement_holds(statement: &[u8]) {
    if let Ok(carried) = sql::extract(statement) {
        claims_hold(&carried.claims());
    }
}

fn baggage_holds(value: &[u8]) {
    let stripped = baggage::strip(value);
    assert!(matches!(baggage::find(&Fields::from(Some(&*stripped))), Ok(None)) || stripped.len() > 65_536);
    if let Ok(made) = baggage::with_live(value) {
        let found = baggage::find(&Fields::from(Some(&made[..])));
        assert!(found.is_ok_and(|member| member.is_some_and(|member| member.is_live())));
    }
}

fn text_holds(text: &str) {
    let clean = redact(text);
    assert_eq!(redact(&clean), clean);
    if let Ok(token) = text.parse::<Token>() {
        assert!(!redact(text).contains(token.as_str().rsplit('.').next().unwrap_or_default()));
    }
    if let Ok(table) = RunTable::from_json(text) {
        assert_eq!(RunTable::from_json(&table.to_json()), Ok(table));
    }
    if let Ok(keys) = VerifyingKeys::from_json(text) {
        assert!(VerifyingKeys::from_json(&keys.to_json()).is_ok());
    }
}
