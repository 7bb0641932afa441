//! The vectors are what the generator prints, and this implementation agrees with each of them.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use peakdrill_shadow_tag::{
    By, Claims, Class, MarkKey, MarkSecret, MessageClass, Position, Refusal, RunTable, Shadow, SigningKey,
    TraceId, VECTORS_V1, Verifier, VerifyingKeys, classify, classify_message,
};
use serde_json::{Value, json};

fn file() -> Value {
    serde_json::from_str(VECTORS_V1).unwrap()
}

fn verifier(file: &Value) -> Verifier {
    let keys = VerifyingKeys::from_json(&file["keys"].to_string()).unwrap();
    let runs = RunTable::from_json(&file["run_table"].to_string()).unwrap();
    Verifier::new(text(&file["env"]).parse().unwrap(), keys, runs)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn cases<'a>(file: &'a Value, list: &str) -> &'a [Value] {
    file[list].as_array().unwrap()
}

fn claims(case: &Value) -> Claims<'_> {
    let field = |name: &str| case[name].as_str().map(str::as_bytes);
    Claims::new(field("header"), field("baggage"), field("traceparent"))
}

fn positions(case: &Value) -> &'static [Position] {
    match text(&case["position"]) {
        "edge" => &[Position::Edge],
        "inner" => &[Position::Inner],
        "any" => &[Position::Edge, Position::Inner],
        other => panic!("position {other}"),
    }
}

fn shadow(shadow: Shadow) -> Value {
    let by = match shadow.by {
        By::Token => "token",
        By::Mark => "mark",
    };
    json!({ "class": "shadow", "run": shadow.run, "env": shadow.env, "state": shadow.state, "by": by })
}

fn class(class: Class) -> Value {
    match class {
        Class::Live => json!({ "class": "live" }),
        Class::Unknown => json!({ "class": "unknown" }),
        Class::Shadow(found) => shadow(found),
    }
}

#[test]
fn file_is_what_the_generator_prints() {
    assert!(crate::build::vectors() == VECTORS_V1, "run the example make-vectors into vectors/v1.json");
}

#[test]
fn tokens_are_minted_and_verified() {
    let file = file();
    let keys = VerifyingKeys::from_json(&file["keys"].to_string()).unwrap();
    for case in cases(&file, "tokens") {
        let seed = cases(&file, "signing_keys").iter().find(|key| key["kid"] == case["kid"]).unwrap();
        let key = SigningKey::from_seed_base64url(text(&seed["kid"]).parse().unwrap(), text(&seed["seed"]))
            .unwrap();
        let (nbf, exp) = (case["nbf"].as_u64().unwrap(), case["exp"].as_u64().unwrap());
        let (env, run) = (text(&case["env"]).parse().unwrap(), text(&case["run"]).parse().unwrap());
        let token = key.mint(env, run, nbf, exp).unwrap();
        assert_eq!(token.as_str(), text(&case["token"]));
        assert_eq!(keys.verify(token.as_bytes()).unwrap(), *token.unverified());
    }
}

#[test]
fn marks_are_made_and_recognised() {
    let file = file();
    let secret = MarkSecret::from_base64url(text(&file["mark_secret"])).unwrap();
    for case in cases(&file, "marks") {
        let key = MarkKey::derive(
            &secret,
            text(&case["env"]).parse().unwrap(),
            text(&case["run"]).parse().unwrap(),
        );
        assert_eq!(key.to_base64url(), text(&case["mark_key"]));
        let low = NonZeroU64::new(u64::from_str_radix(text(&case["low"]), 16).unwrap()).unwrap();
        let id: TraceId = text(&case["trace_id"]).parse().unwrap();
        assert_eq!(key.trace_id(low), id);
        assert!(key.is_marked(id));
    }
}

#[test]
fn accepted_cases_have_their_class() {
    let file = file();
    let verifier = verifier(&file);
    for case in cases(&file, "accepted") {
        for position in positions(case) {
            // Twice: the second answer comes from the cache.
            for _ in 0..2 {
                let now = case["now"].as_u64().unwrap();
                let found = classify(&verifier, &claims(case), *position, now).map(class);
                assert_eq!(found.as_ref(), Ok(&case["expect"]), "{} {position:?}", case["name"]);
            }
        }
    }
}

#[test]
fn refused_cases_name_their_reason() {
    let file = file();
    let verifier = verifier(&file);
    assert!(cases(&file, "refused").len() >= 36);
    for case in cases(&file, "refused") {
        assert_eq!(case["now"], file["now"], "one clock serves all");
        for position in positions(case) {
            for _ in 0..2 {
                let found = classify(&verifier, &claims(case), *position, case["now"].as_u64().unwrap());
                let code = found.map_err(Refusal::code);
                assert_eq!(code, Err(text(&case["expect"])), "{} {position:?}", case["name"]);
            }
        }
    }
}

#[test]
fn messages_have_their_fate() {
    let file = file();
    let verifier = verifier(&file);
    for case in cases(&file, "messages") {
        let found = match classify_message(&verifier, &claims(case), case["now"].as_u64().unwrap()) {
            Ok(MessageClass::Process(found)) => json!({ "process": class(found) }),
            Ok(MessageClass::Quarantine(found)) => json!({ "quarantine": shadow(found) }),
            Err(refusal) => json!(refusal.code()),
        };
        assert_eq!(found, case["expect"], "{}", case["name"]);
    }
}

#[test]
fn every_reason_of_one_request_has_a_vector() {
    let file = file();
    let covered: BTreeSet<_> = cases(&file, "refused").iter().map(|case| text(&case["expect"])).collect();
    // These want repeated fields, SQL, or more bytes than a server reads.
    let elsewhere = ["duplicate_traceparent", "malformed_comment", "too_many_fields", "baggage_too_long"];
    for refusal in Refusal::ALL {
        assert_ne!(
            covered.contains(refusal.code()),
            elsewhere.contains(&refusal.code()),
            "{}",
            refusal.code()
        );
    }
}

#[test]
fn every_value_can_be_sent() {
    let file = file();
    let lists = ["accepted", "refused", "messages"];
    for case in lists.iter().flat_map(|list| cases(&file, list)) {
        for field in ["header", "baggage", "traceparent"] {
            let value = case[field].as_str().unwrap_or_default();
            assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')), "{}", case["name"]);
            assert_eq!(value.trim(), value, "{}", case["name"]);
        }
    }
}
