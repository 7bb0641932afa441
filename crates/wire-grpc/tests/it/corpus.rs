//! The fuzzer's corpus, without a fuzzer; and the same check on random bytes.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../../fuzz/check.rs"]
mod check;

#[test]
fn answer() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/answer");
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        check::answer(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 8, "{count} files");
}

proptest! {
    #[test]
    fn whatever_comes(bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..80)) {
        check::answer(&bytes);
    }
}
