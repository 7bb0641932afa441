use proptest::prelude::*;

use super::*;

const LIMITS: NameLimits = NameLimits { nodes: 8, calls: 16, edges: 40, entries: 8, paths: 32, services: 10 };
const CLASS: TraceClass = TraceClass::Live;

fn any_notes() -> impl Strategy<Value = Vec<Note>> {
    // Calls come with their node, and some nodes have many more than others.
    let one = (0..24_u64, 0..40_u64, 0..4_u8).prop_map(|(node, call, kind)| {
        let (node, call) = (node % (1 + call % 24), hash([call.to_string().as_str()]));
        let node = hash([node.to_string().as_str()]);
        match kind {
            0 => vec![Note::Node(CLASS, node), Note::Service(node)],
            1 => vec![Note::Entry(call), Note::Alias(call)],
            _ => vec![Note::Node(CLASS, node), Note::Call(CLASS, node, call)],
        }
    });
    (proptest::collection::vec(one, 0..160), 1..24_u64).prop_map(|(notes, nodes)| {
        let few = move |note: Note| match note {
            Note::Node(class, node) => Note::Node(class, hash([(node % nodes).to_string().as_str()])),
            Note::Call(class, node, call) => {
                Note::Call(class, hash([(node % nodes).to_string().as_str()]), call)
            }
            other => other,
        };
        notes.into_iter().flatten().map(few).collect()
    })
}

fn bounds_of(notes: &[Note], at_once: usize) -> Bounds {
    let mut bounds = Bounds::new(LIMITS);
    for notes in notes.chunks(at_once) {
        bounds.note(notes);
    }
    bounds
}

/// All that decides where something is filed, and all names that are kept.
fn said(bounds: &Bounds) -> impl PartialEq + std::fmt::Debug + use<> {
    let kept = |kept: &Kept| {
        let mut hashes: Vec<u64> = kept.hashes.iter().copied().collect();
        hashes.sort_unstable();
        (kept.zeros, hashes)
    };
    let of = |names: &OfClass| {
        let calls: BTreeMap<u64, _> = names.calls.iter().map(|(node, calls)| (*node, kept(calls))).collect();
        (kept(&names.nodes), names.calls_max, calls)
    };
    let classes: Vec<_> = bounds.classes.values().map(of).collect();
    let others = [&bounds.entries, &bounds.services, &bounds.aliases].map(kept);
    (bounds.used, classes, others)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_kept_depends_on_the_set_of_names(
        notes in any_notes(),
        order in any::<u64>(),
        at_once in 1..9_usize,
        shards in 1..4_usize,
    ) {
        let expected = said(&bounds_of(&notes, notes.len().max(1)));
        let mut shuffled: Vec<_> = notes.iter().copied().enumerate().collect();
        shuffled.sort_by_key(|(at, _)| (*at as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // A node before the calls into it, as traces note them.
        let shuffled: Vec<_> = shuffled.into_iter().flat_map(|(_, note)| match note {
            Note::Call(class, node, _) => vec![Note::Node(class, node), note],
            _ => vec![note],
        }).collect();
        prop_assert_eq!(said(&bounds_of(&shuffled, at_once)), said(&bounds_of(&notes, 1)));
        prop_assert_eq!(said(&bounds_of(&shuffled, at_once)), expected);

        let mut sum = Bounds::new(LIMITS);
        for shard in shuffled.chunks(shuffled.len().div_ceil(shards).max(1)) {
            sum.merge(&bounds_of(shard, at_once));
        }
        prop_assert_eq!(said(&sum), said(&bounds_of(&notes, 1)), "merged");

        for names in sum.classes.values() {
            prop_assert!(names.nodes.hashes.len() <= LIMITS.nodes);
            let calls: usize = names.calls.values().map(|calls| calls.hashes.len()).sum();
            prop_assert!(calls <= LIMITS.edges, "{calls}");
        }
        prop_assert!(sum.entries.hashes.len() <= LIMITS.entries);
    }
}

#[test]
fn hashes_are_the_same_for_ever_and_spread() {
    assert_eq!(name_hash(""), name_hash(""));
    assert_ne!(hash(["a", "b"]), hash(["ab"]));
    assert_eq!(call_hash(LOAD, "op"), call_hash(UNKNOWN, "op"));
    assert_eq!(entry_hash("order", "GET /a"), name_hash("order GET /a"));
    let half = (0..10_000).filter(|at| name_hash(&format!("name {at}")).leading_zeros() > 0).count();
    assert!((4_700..5_300).contains(&half), "{half}");
}
