use peakdrill_drill_model::plan::{Part, Template};
use proptest::prelude::*;

use super::{Escape, Lets, Names, Text, Unfilled, Values, hex, uuid};
use crate::kept::Kept;

pub(crate) fn kept(values: &[Option<String>]) -> Kept {
    let mut kept = Kept::default();
    kept.reset(values.len());
    for (number, value) in values.iter().enumerate() {
        value.iter().for_each(|value| kept.set(number as u16, value.as_bytes()).unwrap());
    }
    kept
}

fn render(parts: Vec<Part>, escape: Escape, extracted: &[Option<String>]) -> Result<String, Unfilled> {
    let mut names = Names::default();
    let text = Text::compile(&Template(parts), escape, "run-1", &mut names);
    let extracted = kept(extracted);
    let (rows, feeders) = (&[], &[]);
    let (turn, now_ns, lets) = (0, 0, &Lets::new());
    let extracted = &extracted;
    let values = Values { feeders, rows, extracted, index: 1_234, turn, uuid_seed: 1, seed: 1, now_ns, lets };
    let mut out = Vec::new();
    text.render(&values, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn holes_are_filled() {
    let parts = vec![
        Part::Literal("/a/".into()),
        Part::RunId,
        Part::Literal("/".into()),
        Part::Index,
        Part::Literal("/".into()),
        Part::Extracted("id".into()),
    ];
    let got = render(parts.clone(), Escape::Percent, &[Some("x y/é".into())]).unwrap();
    assert_eq!(got, "/a/run-1/1234/x%20y%2F%C3%A9");
    assert_eq!(render(parts, Escape::None, &[None]), Err(Unfilled::Missing(0)));
}

/// A text of one part, for the journey and turn.
fn drawn(part: &Part, count: usize, index: u64, turn: u32) -> String {
    let mut names = Names::default();
    let parts = vec![part.clone(); count];
    let text = Text::compile(&Template(parts), Escape::None, "r", &mut names);
    let (extracted, lets) = (&kept(&[]), &Lets::new());
    let (feeders, rows) = (&[], &[]);
    let values = Values { feeders, rows, extracted, index, turn, uuid_seed: 5, seed: 1, now_ns: 0, lets };
    let mut out = Vec::new();
    text.render(&values, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn uuids_without_a_name_are_fresh_each_time() {
    let halves = |part: &Part, turn| {
        let text = drawn(part, 2, 7, turn);
        (text[..36].to_owned(), text[36..].to_owned())
    };
    let (fresh, named) = (Part::Uuid(String::new()), Part::Uuid("order".into()));
    let (one, two) = halves(&fresh, 0);
    assert_ne!(one, two);
    assert_ne!(one, halves(&fresh, 1).0, "a turn of a loop is another pass");
    assert_eq!((one, two), halves(&fresh, 0), "the same for the same journey");
    let (one, two) = halves(&named, 0);
    assert_eq!(one, two);
    assert_eq!(one, halves(&named, 3).0);
    assert_ne!(one, drawn(&named, 1, 8, 0));
}

#[test]
fn draws_fill_their_range() {
    let die = Part::Random { low: 1, high: 6 };
    let mut counts = [0; 7];
    (0..6_000).for_each(|index| counts[drawn(&die, 1, index, 0).parse::<usize>().unwrap()] += 1);
    assert!(counts[0] == 0 && counts[1..].iter().all(|n| (850..1_150).contains(n)), "{counts:?}");
    let all = Part::Random { low: i64::MIN, high: i64::MAX };
    assert!(drawn(&all, 1, 1, 0).parse::<i64>().is_ok());
    let text = drawn(&Part::RandomString(1_000), 1, 1, 0);
    assert!(text.len() == 1_000 && text.bytes().all(|c| c.is_ascii_alphanumeric()));
    assert!((b'A'..=b'Z').all(|c| text.as_bytes().contains(&c)), "{text}");
}

#[test]
fn fixed_text_is_known_to_be() {
    let mut names = Names::default();
    let parts = vec![Part::Literal("/".into()), Part::RunId, Part::Literal("?x".into())];
    let mut text = Text::default();
    text.literal(b"/base");
    text.append(Text::compile(&Template(parts), Escape::Percent, "r", &mut names));
    assert_eq!(text.fixed(), Some(b"/base/r?x".as_slice()));
    text.append(Text::compile(&Template(vec![Part::Index]), Escape::None, "r", &mut names));
    assert_eq!((text.fixed(), text.sample().as_slice()), (None, b"/base/r?xx".as_slice()));
}

#[test]
fn nothing_is_smuggled_into_a_header() {
    let parts = vec![Part::Extracted("v".into())];
    let value = |text: &str| render(parts.clone(), Escape::Field, &[Some(text.into())]);
    assert_eq!(value("a b\t\u{e9}").unwrap(), "a b\t\u{e9}");
    assert_eq!(value("a\r\nx-peakdrill: b"), Err(Unfilled::Unfit));
}

proptest! {
    #[test]
    fn digits_are_those_of_the_number(number: u64, shift in 0..64_u32) {
        for number in [number, number >> shift] {
            prop_assert_eq!(hex(number).to_vec(), format!("{number:016x}").into_bytes());
        }
    }

    #[test]
    fn a_uuid_is_of_version_four(random: u128) {
        let text = String::from_utf8(uuid(random).to_vec()).unwrap();
        let digits = text.replace('-', "");
        prop_assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        let bits = u128::from_str_radix(&digits, 16).unwrap();
        prop_assert_eq!((bits >> 76 & 0xf, bits >> 62 & 0x3), (4, 2));
        prop_assert_eq!((bits ^ random) & !(0xf << 76) & !(0x3 << 62), 0);
    }

    #[test]
    fn what_goes_into_json_comes_out_again(value in "\\PC{0,20}[\u{0}-\u{1f}\"\\\\]{0,5}") {
        let parts = vec![Part::Literal("\"".into()), Part::Extracted("v".into()), Part::Literal("\"".into())];
        let text = render(parts, Escape::Json, &[Some(value.clone())]).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
    }

    #[test]
    fn a_path_stays_a_path(value in "\\PC{0,40}") {
        let parts = vec![Part::Literal("/p/".into()), Part::Extracted("v".into())];
        let text = render(parts, Escape::Percent, &[Some(value)]).unwrap();
        prop_assert!(text.parse::<http::Uri>().is_ok(), "{}", text);
        prop_assert!(!text[3..].contains(['/', '?', '#']));
    }
}
