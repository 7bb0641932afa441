//! The fuzzers' corpus, without a fuzzer.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/check.rs"]
mod check;

fn replay_corpus(name: &str, check: fn(&[u8]), at_least: usize) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= at_least, "{name}: {count} files");
}

#[test]
fn decode() {
    replay_corpus("decode", check::decode, 8);
}

#[test]
fn journal() {
    replay_corpus("journal", check::journal, 4);
}

#[test]
fn assemble() {
    replay_corpus("assemble", check::assemble, 6);
}
