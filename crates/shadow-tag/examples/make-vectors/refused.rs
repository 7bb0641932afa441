//! Cases that must be refused, each with the code of the reason. All hold at the clock of the file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Case, Fixture, NOW};

/// The order of the group that Ed25519 signs in, little-endian (RFC 8032).
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn any(name: &'static str, code: &str) -> Case {
    Case::new(name, "any", json!(code))
}

/// All of them.
pub(crate) fn all(f: &Fixture) -> Vec<Case> {
    [forms(f), numbers(f), signatures(f), forgeries(f), leases(f), headers(f), members(f), pairs(f), marks(f)]
        .into_iter()
        .flatten()
        .collect()
}

fn forms(f: &Fixture) -> Vec<Case> {
    let token = f.lease("run-a");
    let (head, _) = token.rsplit_once('.').unwrap_or_default();
    let (from, to) = (NOW - 5, NOW + 60);
    let named = |run: &str| f.signed(&format!("pd1.k1.staging.{run}.{from}.{to}"));
    vec![
        any("header empty", "malformed_token").header(""),
        any("header is a word", "malformed_token").header("true"),
        any("header is the stamp", "malformed_token").header("live"),
        any("token too long", "token_too_long").header(format!("{token}{}", "A".repeat(221 - token.len()))),
        any("version of the future", "unknown_version").header(token.replacen("pd1", "pd2", 1)),
        any("version in upper case", "malformed_token").header(token.replacen("pd1", "PD1", 1)),
        any("version with a leading zero", "malformed_token").header(token.replacen("pd1", "pd01", 1)),
        any("no signature", "malformed_token").header(head),
        any("signature empty", "malformed_token").header(format!("{head}.")),
        any("one field more", "malformed_token").header(format!("{token}.x")),
        any("space inside", "malformed_token").header(token.replacen("run-a", "run a", 1)),
        any("run empty", "malformed_token").header(named("")),
        any("run too long", "malformed_token").header(named(&"r".repeat(25))),
        any("run with a slash", "malformed_token").header(named("run/a")),
        any("run with a bar", "malformed_token").header(named("run|a")),
    ]
}

fn numbers(f: &Fixture) -> Vec<Case> {
    let spelled = |from: &str, to: &str| f.signed(&format!("pd1.k1.staging.run-a.{from}.{to}"));
    let (from, to) = ((NOW - 5).to_string(), (NOW + 60).to_string());
    vec![
        any("nbf with a leading zero", "malformed_token").header(spelled(&format!("0{from}"), &to)),
        any("exp with a plus", "malformed_token").header(spelled(&from, &format!("+{to}"))),
        any("exp negative", "malformed_token").header(spelled(&from, &format!("-{to}"))),
        any("nbf empty", "malformed_token").header(spelled("", &to)),
        any("exp in hex", "malformed_token").header(spelled(&from, "0x684ee1bc")),
        any("exp over 64 bits", "malformed_token").header(spelled(&from, "18446744073709551616")),
        any("lease of no time", "lease_empty").header(spelled(&from, &from)),
        any("lease backward", "lease_empty").header(spelled(&to, &from)),
        any("lease of 301 s", "lease_too_long").header(spelled(&from, &(NOW + 296).to_string())),
        any("lease for ever", "lease_too_long").header(spelled(&from, "18446744073709551615")),
    ]
}

fn signatures(f: &Fixture) -> Vec<Case> {
    let token = f.lease("run-a");
    let (head, text) = token.rsplit_once('.').unwrap_or_default();
    let with = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        change(&mut bytes);
        format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes))
    };
    let stray = |text: &str| {
        let (start, last) = text.split_at(text.len() - 1);
        let next = match last {
            "A" => "B",
            "Q" => "R",
            "g" => "h",
            _ => "x",
        };
        format!("{head}.{start}{next}")
    };
    vec![
        any("signature padded", "malformed_token").header(format!("{token}==")),
        any("signature in the standard alphabet", "malformed_token")
            .header(format!("{head}.+{}", &text[1..])),
        any("signature one character short", "malformed_token").header(&token[..token.len() - 1]),
        any("signature with stray bits", "malformed_token").header(stray(text)),
        any("first bit of the signature flipped", "bad_signature").header(with(&|bytes| bytes[0] ^= 0x80)),
        any("a bit of its scalar flipped", "bad_signature").header(with(&|bytes| bytes[32] ^= 1)),
        any("signature of zeros", "bad_signature").header(with(&|bytes| bytes.fill(0))),
        any("scalar not reduced", "bad_signature").header(with(&|bytes| add_order(&mut bytes[32..]))),
        any("point of small order", "bad_signature").header(with(&|bytes| {
            bytes.fill(0);
            bytes[0] = 1;
        })),
    ]
}

fn add_order(scalar: &mut [u8]) {
    let mut carry = 0;
    for (byte, order) in scalar.iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}

fn forgeries(f: &Fixture) -> Vec<Case> {
    let token = f.lease("run-a");
    let foreign = format!("pd1.k9.staging.run-a.{}.{}", NOW - 5, NOW + 60);
    let claimed = format!("pd1.k1.staging.run-a.{}.{}", NOW - 5, NOW + 60);
    let later = token.replacen(&(NOW + 60).to_string(), &(NOW + 90).to_string(), 1);
    let moved = f.token("production", "run-a", NOW - 5, NOW + 60).replacen("production", "staging", 1);
    vec![
        any("key not known", "unknown_key").header(f.signed_with([0x99; 32], &foreign)),
        any("key name in another case", "unknown_key").header(token.replacen("k1", "K1", 1)),
        any("signed by another key than named", "bad_signature").header(f.signed_with([0x22; 32], &claimed)),
        any("run changed", "bad_signature").header(token.replacen("run-a", "run-b", 1)),
        any("end moved", "bad_signature").header(later),
        any("environment changed", "bad_signature").header(moved),
        any("forged token in a marked trace", "bad_signature")
            .header(token.replacen("run-a", "run-b", 1))
            .traceparent(f.marked_traceparent("staging", "run-b")),
        any("forged token in the baggage", "bad_signature")
            .baggage(format!("a=1,peakdrill={}", token.replacen("run-a", "run-b", 1))),
    ]
}

fn leases(f: &Fixture) -> Vec<Case> {
    vec![
        any("other environment", "other_environment").header(f.token(
            "production",
            "run-prod",
            NOW - 5,
            NOW + 60,
        )),
        any("not yet valid", "not_yet_valid").header(f.token("staging", "run-a", NOW + 1, NOW + 60)),
        any("expired this second", "expired").header(f.token("staging", "run-a", NOW - 60, NOW)),
        any("expired yesterday", "expired").header(f.token("staging", "run-a", NOW - 86_400, NOW - 86_340)),
        any("expired, in a marked trace", "expired")
            .header(f.token("staging", "run-a", NOW - 60, NOW))
            .traceparent(f.marked_traceparent("staging", "run-a")),
        any("run not known", "run_unknown").header(f.lease("run-x")),
        any("run known in another environment only", "run_unknown").header(f.lease("run-prod")),
        any("run closed", "run_closed").header(f.lease("run-closed")),
        any("run closed, in the baggage", "run_closed")
            .baggage(format!("peakdrill={}", f.lease("run-closed"))),
    ]
}

fn headers(f: &Fixture) -> Vec<Case> {
    let (token, other) = (f.lease("run-a"), f.lease("run-b"));
    vec![
        any("header twice, joined", "duplicate_header").header(format!("{token}, {token}")),
        any("two tokens joined", "duplicate_header").header(format!("{token},{other}")),
        any("header twice, and baggage", "duplicate_header")
            .header(format!("{token}, {token}"))
            .baggage(format!("peakdrill={token}")),
        any("header in quotes", "malformed_token").header(format!("\"{token}\"")),
        any("header percent-encoded", "malformed_token").header(token.replace('.', "%2E")),
    ]
}

fn members(f: &Fixture) -> Vec<Case> {
    let token = f.lease("run-a");
    vec![
        any("member twice", "duplicate_member").baggage(format!("peakdrill={token},peakdrill={token}")),
        any("member twice, one a stamp", "duplicate_member")
            .baggage(format!("peakdrill=live, peakdrill={token}")),
        any("member twice, one in disguise", "duplicate_member")
            .baggage(format!("peakdrill=live,PeakDrill={token}")),
        any("key in another case", "malformed_member").baggage(format!("Peakdrill={token}")),
        any("key percent-encoded", "malformed_member").baggage(format!("%70eakdrill={token}")),
        any("member without value", "malformed_member").baggage("a=1,peakdrill,b=2"),
        any("member with an empty value", "malformed_member").baggage("peakdrill="),
        any("member with properties only", "malformed_member").baggage("peakdrill;p=1"),
        any("percent-encoding broken", "malformed_member").baggage(format!("peakdrill={token}%2")),
        any("percent-encoded and too long", "token_too_long")
            .baggage(format!("peakdrill={}", "%41".repeat(221))),
        any("stamp in upper case", "malformed_token").baggage("peakdrill=LIVE"),
        any("member in quotes", "malformed_token").baggage(format!("peakdrill=\"{token}\"")),
    ]
}

fn pairs(f: &Fixture) -> Vec<Case> {
    let (token, other) = (f.lease("run-a"), f.lease("run-b"));
    let renewed = f.token("staging", "run-a", NOW - 4, NOW + 61);
    vec![
        any("two leases of one run", "tokens_differ")
            .header(token.clone())
            .baggage(format!("peakdrill={renewed}")),
        any("tokens of two runs", "tokens_differ")
            .header(token.clone())
            .baggage(format!("peakdrill={other}")),
        any("token and forged token", "tokens_differ")
            .header(token.clone())
            .baggage(format!("peakdrill={}", token.replacen("run-a", "run-b", 1))),
        any("stamp and token", "live_and_drill").header(token.clone()).baggage("peakdrill=live"),
        any("stamp and broken token", "live_and_drill").header("pd1.").baggage("peakdrill=live"),
        any("token of one run, mark of another", "token_and_mark_differ")
            .header(token.clone())
            .traceparent(f.marked_traceparent("staging", "run-b")),
        any("token of one run, mark of a closed one", "token_and_mark_differ")
            .baggage(format!("peakdrill={token}"))
            .traceparent(f.marked_traceparent("staging", "run-closed")),
        any("stamp and mark", "live_and_drill")
            .baggage("peakdrill=live")
            .traceparent(f.marked_traceparent("staging", "run-a")),
    ]
}

fn marks(f: &Fixture) -> Vec<Case> {
    let at = |position, name, code: &str, env, run| {
        Case::new(name, position, json!(code)).traceparent(f.marked_traceparent(env, run))
    };
    let marked = f.marked_traceparent("staging", "run-a");
    vec![
        at("edge", "mark alone", "mark_alone_at_edge", "staging", "run-a"),
        at("edge", "mark of a closed run alone", "mark_alone_at_edge", "staging", "run-closed"),
        at("inner", "mark of a closed run", "run_closed", "staging", "run-closed"),
        at("inner", "mark of another environment", "other_environment", "production", "run-prod"),
        any("marked traceparent in upper case", "malformed_traceparent").traceparent(marked.to_uppercase()),
        any("marked traceparent without a span", "malformed_traceparent").traceparent(marked.replacen(
            "00f067aa0ba902b7",
            "0000000000000000",
            1,
        )),
        any("marked traceparent of version ff", "malformed_traceparent")
            .traceparent(marked.replacen("00", "ff", 1)),
        any("marked traceparent cut short", "malformed_traceparent").traceparent(&marked[..40]),
        any("marked traceparent in a list", "malformed_traceparent")
            .traceparent(format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, {marked}")),
    ]
}
