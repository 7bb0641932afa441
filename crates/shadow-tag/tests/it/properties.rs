//! Properties of tokens, marks, carriers and classes.

use std::num::NonZeroU64;

use peakdrill_shadow_tag::{
    By, Claims, Class, EnvId, Fields, KeyId, LEASE_MAX_S, MarkKey, MarkSecret, Position, Refusal, RunEntry,
    RunId, RunState, RunTable, SigningKey, Token, TraceId, Traceparent, Verifier, VerifyingKeys, baggage,
    classify, redact, sql,
};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;
const NAME: &str = "[A-Za-z0-9_-]{1,24}";

fn signing_key() -> SigningKey {
    SigningKey::from_seed("k1".parse().unwrap(), &[7; 32])
}

fn keys() -> VerifyingKeys {
    let mut keys = VerifyingKeys::default();
    keys.add(signing_key().kid(), signing_key().public()).unwrap();
    keys
}

fn mark_key(run: &str) -> MarkKey {
    MarkKey::derive(&MarkSecret::from_bytes([9; 32]), "test".parse().unwrap(), run.parse().unwrap())
}

fn verifier() -> Verifier {
    let env: EnvId = "test".parse().unwrap();
    let mut runs = RunTable::new(NOW);
    for run in ["run-1", "run-2"] {
        let entry =
            RunEntry { run: run.parse().unwrap(), env, state: RunState::Running, mark_key: mark_key(run) };
        runs.insert(entry).unwrap();
    }
    Verifier::new(env, keys(), runs)
}

fn lease(run: &str) -> Token {
    signing_key().mint_lease("test".parse().unwrap(), run.parse().unwrap(), NOW).unwrap()
}

/// Members that are not ours, with whatever whitespace and properties.
fn others() -> impl Strategy<Value = Vec<String>> {
    let member = "[ \t]{0,2}[a-oq-z][a-z0-9._-]{0,8}[ \t]{0,2}=[ \t]{0,2}[!-+./-:<-~]{0,12}(;[a-z]{1,4}(=[a-z0-9]{0,4})?)?[ \t]{0,2}";
    prop::collection::vec(member, 0..5)
}

proptest! {
    #[test]
    fn minted_tokens_verify(
        (kid, env, run) in (NAME, NAME, NAME),
        seed in any::<[u8; 32]>(),
        nbf in prop_oneof![any::<u64>(), 0..2_000_000_000_u64],
        span in 1..=LEASE_MAX_S,
    ) {
        let (kid, env, run): (KeyId, EnvId, RunId) = (kid.parse().unwrap(), env.parse().unwrap(), run.parse().unwrap());
        let nbf = nbf.min(u64::MAX - span);
        let key = SigningKey::from_seed(kid, &seed);
        let token = key.mint(env, run, nbf, nbf + span).unwrap();
        prop_assert_eq!(token.as_str().parse::<Token>(), Ok(token.clone()));
        let mut keys = VerifyingKeys::default();
        prop_assert_eq!(keys.verify(token.as_bytes()), Err(Refusal::UnknownKey));
        keys.add(kid, key.public()).unwrap();
        let lease = keys.verify(token.as_bytes()).unwrap();
        prop_assert_eq!((lease.kid, lease.env, lease.run), (kid, env, run));
        prop_assert_eq!((lease.nbf_unix_s, lease.exp_unix_s), (nbf, nbf + span));
        let signature = token.as_str().rsplit('.').next().unwrap();
        let (log, debug) = (format!("got {} at {nbf}", token.as_str()), format!("{token:?}"));
        prop_assert!(!redact(&log).contains(signature));
        prop_assert!(!debug.contains(signature));
    }

    #[test]
    fn spans_that_no_verifier_takes_are_not_minted(nbf in any::<u64>(), exp in any::<u64>()) {
        let minted = signing_key().mint("test".parse().unwrap(), "run-1".parse().unwrap(), nbf, exp);
        let allowed = exp > nbf && exp - nbf <= LEASE_MAX_S;
        prop_assert_eq!(minted.is_ok(), allowed);
    }

    #[test]
    fn one_byte_changed_is_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut token = lease("run-1").as_bytes().to_vec();
        let at = at.index(token.len());
        prop_assume!(token[at] != byte);
        token[at] = byte;
        prop_assert!(keys().verify(&token).is_err());
    }

    #[test]
    fn random_bytes_never_verify(bytes in prop::collection::vec(any::<u8>(), 0..260)) {
        prop_assert!(keys().verify(&bytes).is_err());
        for position in [Position::Edge, Position::Inner] {
            let claims = Claims::new(Some(&bytes), None, None);
            prop_assert!(classify(&verifier(), &claims, position, NOW).is_err());
        }
    }

    #[test]
    fn marks_round_trip(low in any::<NonZeroU64>(), secret in any::<[u8; 32]>(), flip in 0..128_u32) {
        let key = MarkKey::derive(&MarkSecret::from_bytes(secret), "test".parse().unwrap(), "run-1".parse().unwrap());
        let id = key.trace_id(low);
        prop_assert!(key.is_marked(id));
        prop_assert_eq!(id.low(), low.get());
        prop_assert!(!mark_key("run-1").is_marked(id));
        if let Some(bent) = TraceId::from_bytes((u128::from_be_bytes(id.to_bytes()) ^ 1 << flip).to_be_bytes()) {
            prop_assert!(!key.is_marked(bent));
        }
    }

    #[test]
    fn random_trace_ids_are_not_marked(bytes in any::<[u8; 16]>()) {
        if let Some(id) = TraceId::from_bytes(bytes) {
            prop_assert!(verifier().runs().find_mark(id).is_none());
        }
    }

    #[test]
    fn other_members_keep_their_bytes(others in others(), at in any::<prop::sample::Index>()) {
        let plain = others.join(",");
        let mut with = others.clone();
        with.insert(at.index(others.len() + 1), format!(" peakdrill = {} ;p=1", lease("run-1").as_str()));
        let with = with.join(",");
        prop_assert_eq!(&*baggage::strip(plain.as_bytes()), plain.as_bytes());
        prop_assert_eq!(&*baggage::strip(with.as_bytes()), plain.as_bytes());
        let token = lease("run-2");
        let made = baggage::with_token(with.as_bytes(), &token).unwrap();
        let found = baggage::find(&Fields::from(Some(&made[..]))).unwrap().unwrap();
        prop_assert_eq!(found.value(), token.as_bytes());
        if !plain.trim().is_empty() {
            let end = format!(",{plain}");
            prop_assert!(made.ends_with(end.as_bytes()));
        }
        prop_assert_eq!(&*baggage::strip(&made), if plain.trim().is_empty() { b"" } else { plain.as_bytes() });
    }

    #[test]
    fn sql_comments_round_trip(
        statement in "[a-zA-Z0-9 ='(),\n-]{0,40}",
        end in prop_oneof![Just(""), Just(";"), Just(" ; \n")],
        others in others(),
        low in any::<NonZeroU64>(),
    ) {
        let token = lease("run-1");
        let value = String::from_utf8(baggage::with_token(others.join(",").as_bytes(), &token).unwrap()).unwrap();
        let parent = Traceparent {
            trace_id: mark_key("run-1").trace_id(low),
            parent_id: "00f067aa0ba902b7".parse().unwrap(),
            flags: 1,
        };
        let tagged = sql::append(&format!("{statement}{end}"), &sql::comment(Some(&value), Some(&parent)));
        let carried = sql::extract(tagged.as_bytes()).unwrap();
        let claims = carried.claims();
        prop_assert_eq!(claims.baggage.values(), &[value.as_bytes()][..]);
        let shown = parent.to_string();
        prop_assert_eq!(claims.traceparent.values(), &[shown.as_bytes()][..]);
        let class = classify(&verifier(), &claims, Position::Inner, NOW).unwrap();
        prop_assert!(matches!(class, Class::Shadow(shadow) if shadow.by == By::Token));
    }

    #[test]
    fn a_drill_claim_is_never_live(
        header in prop::option::of(prop_oneof![Just(lease("run-1").as_str().to_owned()), ".{0,30}", Just(String::new())]),
        member in prop::option::of(prop_oneof![Just(lease("run-1").as_str().to_owned()), "[a-z0-9.%]{0,30}"]),
        stamp in any::<bool>(),
        mark in prop::option::of(prop_oneof![Just("run-1"), Just("run-2")]),
        others in others(),
        edge in any::<bool>(),
        late in 0..200_u64,
    ) {
        let mut list = others;
        list.extend(member.iter().map(|value| format!("peakdrill={value}")));
        list.extend(stamp.then(|| "peakdrill=live".to_owned()));
        let list = list.join(",");
        let low = NonZeroU64::new(77).unwrap();
        let parent = mark.map(|run| format!("00-{}-00f067aa0ba902b7-00", mark_key(run).trace_id(low)));
        let claims = Claims::new(
            header.as_deref().map(str::as_bytes),
            Some(list.as_bytes()),
            parent.as_deref().map(str::as_bytes),
        );
        let position = if edge { Position::Edge } else { Position::Inner };
        let found = classify(&verifier(), &claims, position, NOW + late);
        let drill = header.is_some() || member.as_deref().is_some_and(|value| value != "live") || mark.is_some();
        if drill {
            prop_assert!(matches!(found, Err(_) | Ok(Class::Shadow(_))), "{:?}", found);
        }
        if drill && stamp {
            prop_assert!(found.is_err());
        }
        if edge && header.is_none() && member.is_none() {
            prop_assert!(!matches!(found, Ok(Class::Shadow(_))), "a mark alone is nothing at the edge");
        }
    }
}
