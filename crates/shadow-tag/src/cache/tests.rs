use super::{CACHE_ENTRIES_PER_SHARD, Cache, Proof};
use crate::SigningKey;

fn tokens(count: u64) -> Vec<(String, Proof)> {
    let key = SigningKey::from_seed("k1".parse().unwrap(), &[1; 32]);
    let mint = |i| {
        let token = key.mint("e".parse().unwrap(), "r".parse().unwrap(), i, i + 60).unwrap();
        (token.as_str().to_owned(), Proof { lease: *token.unverified(), run_index: None })
    };
    (0..count).map(mint).collect()
}

#[test]
fn remembers_the_whole_text_only() {
    let mut cache = Cache::new();
    let (text, proof) = tokens(1).remove(0);
    assert!(cache.get(text.as_bytes()).is_none());
    cache.put(text.as_bytes(), proof);
    assert_eq!(cache.get(text.as_bytes()).unwrap().lease, proof.lease);
    assert!(cache.get(&text.as_bytes()[1..]).is_none());
    let changed = text.replacen("pd1.k1", "pd1.k2", 1);
    assert!(
        cache.get(changed.as_bytes()).is_none(),
        "the place is found by the tail, the token by all of it"
    );
    cache.clear();
    assert!(cache.get(text.as_bytes()).is_none());
}

#[test]
fn stays_bounded_and_keeps_the_newest() {
    let mut cache = Cache::new();
    let tokens = tokens(1000);
    for (text, proof) in &tokens {
        cache.put(text.as_bytes(), *proof);
        assert!(cache.get(text.as_bytes()).is_some());
    }
    let kept = tokens.iter().filter(|(text, _)| cache.get(text.as_bytes()).is_some()).count();
    assert_eq!(kept, CACHE_ENTRIES_PER_SHARD, "1000 tokens fill every set");
    cache.put(tokens[0].0.as_bytes(), tokens[0].1);
    assert!(cache.get(tokens[999].0.as_bytes()).is_some());
}
