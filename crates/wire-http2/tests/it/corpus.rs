//! The fuzzer's corpus, without a fuzzer; and the same check on frames by chance.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::check;
use crate::peer::{END_HEADERS, LAST_HEAD, data, frame, go_away, head, number, settings};

#[test]
fn frames() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/frames");
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        check::frames(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} files");
}

fn any_head() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let field = prop_oneof![
        4 => Just((":status", "200")),
        1 => Just((":status", "103")),
        1 => Just((":status", "304")),
        1 => Just(("content-length", "5")),
        1 => Just(("content-length", "0")),
        1 => Just(("server", "x")),
        1 => Just(("Upper", "x")),
        1 => Just(("connection", "close")),
        1 => Just(("a", "line\r\nbreak")),
        1 => Just((":path", "/")),
    ];
    prop::collection::vec(field, 0..4)
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![6 => prop_oneof![Just(1_u32), Just(3), Just(5)], 1 => 0..12_u32];
    let flags = prop_oneof![4 => Just(END_HEADERS), 4 => Just(LAST_HEAD), 1 => any::<u8>()];
    let heads =
        (flags, stream.clone(), any_head()).prop_map(|(flags, stream, fields)| head(flags, stream, &fields));
    let flags = prop_oneof![4 => Just(0_u8), 4 => Just(1), 1 => any::<u8>()];
    let bodies = (flags, stream.clone(), prop::collection::vec(any::<u8>(), 0..700))
        .prop_map(|(flags, stream, payload)| data(flags, stream, &payload));
    let numbers = (prop_oneof![Just(3_u8), Just(8)], stream.clone(), prop_oneof![Just(7_u32), 0..90_000_u32])
        .prop_map(|(kind, stream, value)| number(kind, stream, value));
    let setting = (0..8_u16, prop_oneof![0..5_u32, Just(65_535), Just(100_000)]);
    let controls = prop_oneof![
        prop::collection::vec(setting, 0..3).prop_map(|parameters| settings(&parameters)),
        Just(frame(6, 0, 0, b"12345678")),
        (0..9_u32, 0..14_u32).prop_map(|(last, code)| go_away(last, code)),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(|payload| frame(9, END_HEADERS, 1, &payload)),
    ];
    let random = (any::<u8>(), any::<u8>(), stream, prop::collection::vec(any::<u8>(), 0..20))
        .prop_map(|(kind, flags, stream, payload)| frame(kind % 12, flags, stream, &payload));
    prop_oneof![6 => heads, 6 => bodies, 3 => numbers, 2 => controls, 1 => random]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn wherever_it_is_cut(mode in any::<u8>(), frames in prop::collection::vec(any_frame(), 0..14)) {
        check::frames(&[&[mode][..], &settings(&[]), &frames.concat()].concat());
    }

    #[test]
    fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check::frames(&bytes);
        check::frames(&[&[7][..], &settings(&[]), &bytes].concat());
    }
}
