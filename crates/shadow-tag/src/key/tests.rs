use super::{KEYS_MAX, KeyError, PublicKey, SigningKey, VerifyingKeys};

fn key(kid: &str, byte: u8) -> SigningKey {
    SigningKey::from_seed(kid.parse().unwrap(), &[byte; 32])
}

#[test]
fn file_form_is_exact() {
    let mut keys = VerifyingKeys::default();
    keys.add("b".parse().unwrap(), key("b", 2).public()).unwrap();
    keys.add("a".parse().unwrap(), key("a", 1).public()).unwrap();
    let (a, b) = (key("a", 1).public(), key("b", 2).public());
    let text =
        format!("{{\"keys\":[{{\"kid\":\"a\",\"public\":\"{a}\"}},{{\"kid\":\"b\",\"public\":\"{b}\"}}]}}");
    assert_eq!(keys.to_json(), text);
    let read = VerifyingKeys::from_json(&text).unwrap();
    assert_eq!(read.to_json(), text);
    assert_eq!(read.ids().map(|id| id.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    let bad = |from: &str, to: &str| VerifyingKeys::from_json(&text.replacen(from, to, 1)).unwrap_err();
    assert!(matches!(bad("\"kid\":\"b\"", "\"kid\":\"a\""), KeyError::Duplicate(_)));
    assert!(matches!(bad("\"kid\"", "\"id\""), KeyError::Json(_)));
    assert!(matches!(bad("\"keys\"", "\"use\":1,\"keys\""), KeyError::Json(_)));
    assert_eq!(bad(&a.to_string(), "AAAA"), KeyError::Encoding);
    assert_eq!(VerifyingKeys::from_json(&" ".repeat(20_000)).unwrap_err(), KeyError::TooLong);
}

#[test]
fn number_of_keys_is_bounded() {
    let mut keys = VerifyingKeys::default();
    for i in 0..KEYS_MAX {
        keys.add(format!("k{i}").parse().unwrap(), key("k", u8::try_from(i).unwrap()).public()).unwrap();
    }
    assert!(VerifyingKeys::from_json(&keys.to_json()).is_ok());
    assert_eq!(keys.add("one-more".parse().unwrap(), key("k", 200).public()), Err(KeyError::TooMany));
    assert!(keys.remove("k0".parse().unwrap()));
    assert!(!keys.remove("k0".parse().unwrap()));
    assert!(keys.add("one-more".parse().unwrap(), key("k", 200).public()).is_ok());
}

#[test]
fn unusable_public_keys_are_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::Unusable), "small order");
    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Unusable), "small order");
    let mut none = [0; 32];
    none[0] = 2;
    assert_eq!(PublicKey::from_bytes(&none), Err(KeyError::Unusable), "no point of the curve");
}

#[test]
fn seeds_round_trip_and_are_not_shown() {
    let one = key("a", 7);
    let again = SigningKey::from_seed_base64url("a".parse().unwrap(), &one.seed_base64url()).unwrap();
    assert_eq!(again.public(), one.public());
    assert!(!format!("{one:?}").contains(&one.seed_base64url()));
    assert_eq!(
        SigningKey::from_seed_base64url("a".parse().unwrap(), "short").unwrap_err(),
        KeyError::Encoding
    );
}
