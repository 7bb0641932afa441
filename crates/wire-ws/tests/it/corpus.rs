//! The fuzzer's corpus, without a fuzzer; and the same check on random bytes.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../../fuzz/check.rs"]
mod check;

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

/// Bytes that often are a frame.
fn some_frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop::sample::select(vec![0_u8, 0x80, 1, 0x81, 2, 0x82, 0x88, 0x89, 0x8a, 0x83, 0xc1]);
    (opcode, prop::collection::vec(any::<u8>(), 0..130)).prop_map(|(opcode, payload)| {
        let length = payload.len() as u8;
        let mut frame = vec![opcode];
        match length {
            0..126 => frame.push(length),
            _ => frame.extend([126, 0, length]),
        }
        frame.extend(payload);
        frame
    })
}

proptest! {
    #[test]
    fn wherever_they_are_cut(size in any::<u8>(), frames in prop::collection::vec(some_frame(), 0..8)) {
        check::frames(&[&[size], frames.concat().as_slice()].concat());
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check::frames(&bytes);
    }
}
