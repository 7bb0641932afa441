use std::num::NonZeroU64;

use super::Verifier;
use crate::{
    Claims, Class, MarkKey, MarkSecret, Position, Refusal, RunEntry, RunState, RunTable, SigningKey,
    VerifyingKeys, classify,
};

const NOW: u64 = 1_800_000_000;

fn key(kid: &str, byte: u8) -> SigningKey {
    SigningKey::from_seed(kid.parse().unwrap(), &[byte; 32])
}

fn keys(of: &[&SigningKey]) -> VerifyingKeys {
    let mut keys = VerifyingKeys::default();
    of.iter().for_each(|key| keys.add(key.kid(), key.public()).unwrap());
    keys
}

fn runs(names: &[(&str, RunState)]) -> RunTable {
    let mut table = RunTable::new(NOW);
    let env = "e".parse().unwrap();
    for (run, state) in names {
        let run = run.parse().unwrap();
        let mark_key = MarkKey::derive(&MarkSecret::from_bytes([1; 32]), env, run);
        table.insert(RunEntry { run, env, state: *state, mark_key }).unwrap();
    }
    table
}

fn state_of(verifier: &Verifier, token: &str, now: u64) -> Result<RunState, Refusal> {
    let claims = Claims::new(Some(token.as_bytes()), None, None);
    match classify(verifier, &claims, Position::Edge, now)? {
        Class::Shadow(shadow) => Ok(shadow.state),
        class => panic!("{class:?}"),
    }
}

#[test]
fn a_seen_token_is_judged_anew_each_time() {
    let k1 = key("k1", 1);
    let verifier = Verifier::new("e".parse().unwrap(), keys(&[&k1]), runs(&[("r", RunState::Running)]));
    let token = k1.mint_lease("e".parse().unwrap(), "r".parse().unwrap(), NOW).unwrap();
    let token = token.as_str();
    assert_eq!(state_of(&verifier, token, NOW), Ok(RunState::Running));
    assert_eq!(state_of(&verifier, token, NOW - 6), Err(Refusal::NotYetValid));
    assert_eq!(state_of(&verifier, token, NOW + 60), Err(Refusal::Expired));
    // Another run takes the place of the first in the table.
    verifier.replace_runs(runs(&[("q", RunState::Running), ("r", RunState::Draining)]));
    assert_eq!(state_of(&verifier, token, NOW), Ok(RunState::Draining));
    verifier.replace_runs(runs(&[("r", RunState::Closed)]));
    assert_eq!(state_of(&verifier, token, NOW), Err(Refusal::RunClosed));
    verifier.replace_runs(runs(&[("q", RunState::Running)]));
    assert_eq!(state_of(&verifier, token, NOW), Err(Refusal::RunUnknown));
}

#[test]
fn keys_rotate_and_a_removed_key_is_trusted_no_more() {
    let (k1, k2) = (key("k1", 1), key("k2", 2));
    let verifier = Verifier::new("e".parse().unwrap(), keys(&[&k1]), runs(&[("r", RunState::Running)]));
    let mint = |key: &SigningKey| key.mint_lease("e".parse().unwrap(), "r".parse().unwrap(), NOW).unwrap();
    let (old, new) = (mint(&k1), mint(&k2));
    assert!(state_of(&verifier, old.as_str(), NOW).is_ok());
    assert_eq!(state_of(&verifier, new.as_str(), NOW), Err(Refusal::UnknownKey));
    verifier.replace_keys(keys(&[&k1, &k2]));
    assert!(state_of(&verifier, old.as_str(), NOW).is_ok());
    assert!(state_of(&verifier, new.as_str(), NOW).is_ok());
    verifier.replace_keys(keys(&[&k2]));
    assert_eq!(state_of(&verifier, old.as_str(), NOW), Err(Refusal::UnknownKey));
    // The old name with another key behind it.
    verifier.replace_keys(keys(&[&key("k1", 3)]));
    assert_eq!(state_of(&verifier, old.as_str(), NOW), Err(Refusal::BadSignature));
}

#[test]
fn threads_agree_while_keys_and_runs_are_replaced() {
    let k1 = key("k1", 1);
    let table = || runs(&[("r", RunState::Running)]);
    let verifier = Verifier::new("e".parse().unwrap(), keys(&[&k1]), table());
    let token = k1.mint_lease("e".parse().unwrap(), "r".parse().unwrap(), NOW).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let found = state_of(&verifier, token.as_str(), NOW);
                    assert!(matches!(found, Ok(RunState::Running) | Err(Refusal::UnknownKey)), "{found:?}");
                }
            });
        }
        for turn in 0..100 {
            verifier.replace_runs(table());
            verifier.replace_keys(if turn % 2 == 0 { keys(&[]) } else { keys(&[&k1]) });
        }
    });
    verifier.replace_keys(keys(&[]));
    // Whatever was proved just before is remembered by no shard.
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(state_of(&verifier, token.as_str(), NOW), Err(Refusal::UnknownKey)));
        }
    });
}

#[test]
fn repeated_fields() {
    let verifier = Verifier::new("e".parse().unwrap(), keys(&[]), runs(&[("r", RunState::Running)]));
    let mark = runs(&[("r", RunState::Running)]).iter().next().unwrap().mark_key.trace_id(NonZeroU64::MIN);
    let marked = format!("00-{mark}-00f067aa0ba902b7-01");
    let plain = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let of = |headers: &[&str], parents: &[&str]| {
        let mut claims = Claims::default();
        headers.iter().for_each(|value| claims.header.push(value.as_bytes()));
        parents.iter().for_each(|value| claims.traceparent.push(value.as_bytes()));
        classify(&verifier, &claims, Position::Inner, NOW)
    };
    assert_eq!(of(&["x", "x"], &[]), Err(Refusal::DuplicateHeader));
    assert_eq!(of(&["x"; 9], &[]), Err(Refusal::DuplicateHeader));
    assert_eq!(of(&[], &[plain, plain]), Ok(Class::Unknown));
    assert_eq!(of(&[], &[plain, &marked]), Err(Refusal::DuplicateTraceparent));
    assert_eq!(of(&[], &[plain; 5]), Err(Refusal::TooManyFields));
}
