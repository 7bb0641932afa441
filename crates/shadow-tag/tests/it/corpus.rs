//! The corpus of the fuzz target, replayed, and bent a little.

use std::path::Path;

use proptest::prelude::*;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/claims");
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn replays() {
    let corpus = corpus();
    assert!(corpus.len() >= 40, "{} files", corpus.len());
    for data in corpus {
        crate::check::check(&data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn holds_for_mutants(
        (one, other) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b','), Just(b'=')], 0..4),
        at in any::<prop::sample::Index>(),
    ) {
        let corpus = corpus();
        let (one, other) = (one.get(&corpus), other.get(&corpus));
        let mut data = one[..cut.index(one.len() + 1)].to_vec();
        data.push(b'\n');
        data.extend_from_slice(other);
        let at = at.index(data.len());
        data.splice(at..(at + noise.len() / 2).min(data.len()), noise);
        crate::check::check(&data);
    }

    #[test]
    fn holds_for_any_bytes(data in prop::collection::vec(any::<u8>(), 0..600)) {
        crate::check::check(&data);
    }
}
