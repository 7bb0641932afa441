use super::{BaggageFull, Fields, MADE_MAX_BYTES, READ_MAX_BYTES, find, strip, with_live};
use crate::Refusal;

fn one(field: &str) -> Result<Option<Vec<u8>>, Refusal> {
    let fields = Fields::from(Some(field.as_bytes()));
    find(&fields).map(|member| member.map(|member| member.value().to_vec()))
}

#[test]
fn finds_one_member_among_others() {
    for field in [
        "peakdrill=abc",
        "a=1,peakdrill=abc",
        "a=1 ,\tpeakdrill = abc ;p=q, b=2",
        "peakdrill=a%62c",
        "a=peakdrill=x,peakdrill=abc",
        ",,peakdrill=abc,,",
    ] {
        assert_eq!(one(field), Ok(Some(b"abc".to_vec())), "{field}");
    }
    for field in ["", "a=1", "peakdrill2=x", "a=1;peakdrill=x", "a=peakdrill", "xpeakdrill=1"] {
        assert_eq!(one(field), Ok(None), "{field}");
    }
}

#[test]
fn refuses_what_readers_could_differ_on() {
    let long = "%41".repeat(221);
    for (field, expected) in [
        ("peakdrill=a,peakdrill=a", Refusal::DuplicateMember),
        ("peakdrill=a,Peakdrill=a", Refusal::DuplicateMember),
        ("PeakDrill=a", Refusal::MalformedMember),
        ("%70eakdrill=a", Refusal::MalformedMember),
        ("peakdrill", Refusal::MalformedMember),
        ("peakdrill=", Refusal::MalformedMember),
        ("peakdrill;p=1", Refusal::MalformedMember),
        ("peakdrill=%4", Refusal::MalformedMember),
        ("peakdrill=%zz", Refusal::MalformedMember),
        (&format!("peakdrill={long}"), Refusal::TokenTooLong),
    ] {
        assert_eq!(one(field), Err(expected), "{field}");
    }
}

#[test]
fn all_fields_count() {
    let fields: Fields<'_> = [&b"a=1"[..], b"peakdrill=x", b"peakdrill=x"].into_iter().collect();
    assert_eq!(find(&fields).err(), Some(Refusal::DuplicateMember));
    let fields: Fields<'_> = [&b"a=1"[..]; 5].into_iter().collect();
    assert_eq!(find(&fields).err(), Some(Refusal::TooManyFields));
    let long = vec![b'a'; READ_MAX_BYTES + 1];
    assert_eq!(find(&Fields::from(Some(&long[..]))).err(), Some(Refusal::BaggageTooLong));
}

#[test]
fn others_keep_their_bytes() {
    for (field, expected) in [
        ("a=1", "a=1"),
        ("peakdrill=x", ""),
        (" a = 1 ;p ,peakdrill=x, b=%20 ", " a = 1 ;p , b=%20 "),
        ("peakdrill=x,a=1,PEAKDRILL=y,peakdrill;q", "a=1"),
        ("a=1,,b=2", "a=1,,b=2"),
    ] {
        assert_eq!(strip(field.as_bytes()).as_ref(), expected.as_bytes(), "{field}");
    }
    assert_eq!(with_live(b"").unwrap(), b"peakdrill=live");
    assert_eq!(with_live(b" a=1").unwrap(), b"peakdrill=live, a=1");
    assert_eq!(with_live(b"a=1,peakdrill=x").unwrap(), b"peakdrill=live,a=1");
    assert_eq!(with_live(&vec![b'a'; MADE_MAX_BYTES]), Err(BaggageFull));
}
