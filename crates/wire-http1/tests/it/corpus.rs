//! The fuzzer's corpus, without a fuzzer; and the same check on random bytes.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../../fuzz/check.rs"]
mod check;

#[test]
fn response() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/response");
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        check::response(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} files");
}

proptest! {
    #[test]
    fn wherever_it_is_cut(mode in any::<u8>(), bytes in crate::differential::any_response()) {
        check::response(&[&[mode], bytes.as_slice()].concat());
    }
}
