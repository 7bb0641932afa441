use proptest::prelude::*;

use super::kept::{Kept, Pairs};
use super::*;

const LIMITS: NameLimits =
    NameLimits { nodes: 8, calls: 16, edges: 40, entries_each: 6, entries: 12, paths: 64, services: 10 };

fn number(of: u64) -> u64 {
    hash([of.to_string().as_str()])
}

fn any_notes() -> impl Strategy<Value = Vec<(TraceClass, Note)>> {
    let classes = [TraceClass::Mine, TraceClass::Live, TraceClass::OtherRun, TraceClass::Live];
    // Calls come with their node, and some nodes have many more than others.
    let one = (0..24_u64, 0..40_u64, 0..4_u8, 0..4_usize).prop_map(move |(node, call, kind, class)| {
        let (node, call) = (node % (1 + call % 24), number(call));
        let notes = match kind {
            0 => vec![Note::Node(node), Note::Service(number(node))],
            1 => vec![Note::Entry(number(node), call), Note::Alias(call)],
            _ => vec![Note::Node(node), Note::Call(node, call), Note::Caller(call ^ number(node))],
        };
        notes.into_iter().map(|note| (classes[class], note)).collect::<Vec<_>>()
    });
    (proptest::collection::vec(one, 0..160), 1..24_u64).prop_map(|(notes, nodes)| {
        let few = move |(class, note)| match note {
            Note::Node(node) => (class, Note::Node(number(node % nodes))),
            Note::Call(node, call) => (class, Note::Call(number(node % nodes), call)),
            other => (class, other),
        };
        notes.into_iter().flatten().map(few).collect()
    })
}

fn bounds_of(notes: &[(TraceClass, Note)], at_once: usize) -> Bounds {
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
    let pairs = |pairs: &Pairs| {
        let seconds: BTreeMap<u64, _> =
            pairs.seconds.iter().map(|(first, names)| (*first, kept(names))).collect();
        (kept(&pairs.firsts), pairs.each_max, seconds)
    };
    let of = |(class, names): (&TraceClass, &OfClass)| {
        let others = [&names.callers, &names.services, &names.aliases].map(kept);
        (*class, names.is_used, pairs(&names.calls), pairs(&names.entries), others)
    };
    bounds.classes.iter().map(of).collect::<Vec<_>>()
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
        let shuffled: Vec<_> = shuffled.into_iter().flat_map(|(_, (class, note))| match note {
            Note::Call(node, _) => vec![(class, Note::Node(node)), (class, note)],
            _ => vec![(class, note)],
        }).collect();
        prop_assert_eq!(said(&bounds_of(&shuffled, at_once)), said(&bounds_of(&notes, 1)));
        prop_assert_eq!(said(&bounds_of(&shuffled, at_once)), expected);

        let mut sum = Bounds::new(LIMITS);
        for shard in shuffled.chunks(shuffled.len().div_ceil(shards).max(1)) {
            sum.merge(&bounds_of(shard, at_once));
        }
        prop_assert_eq!(said(&sum), said(&bounds_of(&notes, 1)), "merged");

        for names in sum.classes.values() {
            let (calls, entries) = (&names.calls, &names.entries);
            let count = |pairs: &Pairs| pairs.seconds.values().map(|names| names.hashes.len()).sum::<usize>();
            prop_assert!(calls.firsts.hashes.len() <= LIMITS.nodes && count(calls) <= LIMITS.edges);
            prop_assert!(entries.firsts.hashes.len() <= LIMITS.entries && count(entries) <= LIMITS.entries);
            let nodes = calls.firsts.hashes.len();
            prop_assert!(count(entries) * nodes <= LIMITS.paths, "{} of {nodes}", count(entries));
            prop_assert!(names.callers.hashes.len() <= LIMITS.edges);
        }
    }

    #[test]
    fn when_a_class_was_known_makes_no_difference(notes in any_notes(), order in any::<u64>()) {
        // Each was taken for live first, in another order.
        let mut before: Vec<_> = notes.iter().map(|(_, note)| (TraceClass::Live, *note)).collect();
        before.rotate_left(order as usize % notes.len().max(1));
        let before: Vec<_> = before.into_iter().flat_map(|(class, note)| match note {
            Note::Call(node, _) => vec![(class, Note::Node(node)), (class, note)],
            _ => vec![(class, note)],
        }).collect();
        let late = bounds_of(&[before, notes.clone()].concat(), 7);
        prop_assert_eq!(said(&late), said(&bounds_of(&notes, 7)));
    }

    /// Where something belongs does not depend on where it lay while fewer names were left out.
    #[test]
    fn what_was_moved_before_ends_where_it_belongs(
        notes in proptest::collection::vec((0..12_u8, 0..12_u8, 0..9_u8), 0..90),
        until in 0..90_usize,
        // `other` goes last: so many zeros does its hash begin with.
        nodes in prop_oneof![Just(0), Just(6_usize)],
    ) {
        let few = NameLimits { nodes, calls: 4, edges: 9, ..LIMITS };
        let name = |of: u8| match of {
            0 => LOAD.to_owned(),
            1 => OTHER.to_owned(),
            _ => format!("n{of}"),
        };
        let key = |(from, to, op): (u8, u8, u8)| EdgeKey {
            from: name(from).into(),
            to: crate::key::NodeKey {
                name: name(to.max(1)).into(),
                kind: peakdrill_drill_model::verdict::NodeKind::Service,
            },
            op: format!("o{op}").into(),
        };
        let mut bounds = Bounds::new(few);
        let note = |bounds: &mut Bounds, edge: &EdgeKey| {
            let (from, to) = (name_hash(&edge.from), name_hash(&edge.to.name));
            let caller = [Note::Node(from), Note::Caller(caller_hash(&edge.from, &edge.to.name))];
            let of_caller = if is_no_node(&edge.from) { &[][..] } else { &caller };
            let notes = [of_caller, &[Note::Node(to), Note::Call(to, call_hash(&edge.from, &edge.op))]].concat();
            bounds.note(&notes.into_iter().map(|note| (TraceClass::Live, note)).collect::<Vec<_>>());
        };
        let edges: Vec<EdgeKey> = notes.into_iter().map(key).collect();
        let place = |bounds: &Bounds, edge: &EdgeKey| {
            let moved = bounds.of(TraceClass::Live).and_then(|names| names.moved(edge));
            moved.unwrap_or_else(|| edge.clone())
        };
        let until = until.min(edges.len());
        edges[..until].iter().for_each(|edge| note(&mut bounds, edge));
        let before: Vec<EdgeKey> = edges[..until].iter().map(|edge| place(&bounds, edge)).collect();
        edges[until..].iter().for_each(|edge| note(&mut bounds, edge));
        for (edge, before) in edges.iter().zip(before) {
            prop_assert_eq!(place(&bounds, &before), place(&bounds, edge), "{:?} by way of {:?}", edge, before);
        }
        for edge in &edges {
            let placed = place(&bounds, edge);
            prop_assert_eq!(&place(&bounds, &placed), &placed, "it stays there");
            // Where the called node is kept, and the caller, the call is still one of theirs.
            let names = &bounds.classes[&TraceClass::Live];
            let is_kept = names.keeps_called(&edge.to.name);
            // Calls into one that is really called `other` are not told from those of many.
            let is_many = &*edge.to.name == OTHER;
            if is_kept && !is_many && names.keeps_caller(&edge.from, &edge.to.name) {
                prop_assert_eq!((&placed.from, &placed.to), (&edge.from, &edge.to));
            }
            prop_assert!(is_kept || &*placed.op == OTHER, "its operations are not bounded");
        }
    }
}

#[test]
fn a_service_with_ids_in_its_operations_costs_its_own_entries_alone() {
    let mut bounds = Bounds::new(NameLimits::default());
    let entry = |service: &str, op: u64| {
        let (of, entry) = entry_hashes(&format!("{service} GET /{op}"));
        (TraceClass::Live, Note::Entry(of, entry))
    };
    let flood: Vec<_> = (0..100_000).map(|op| entry("bad", op)).collect();
    let others: Vec<_> = (0..100).flat_map(|at| (0..9).map(move |op| (at, op))).collect();
    bounds.note(&flood);
    bounds.note(&others.iter().map(|(at, op)| entry(&format!("s{at}"), *op)).collect::<Vec<_>>());
    let names = bounds.of(TraceClass::Live).unwrap();
    assert!(others.iter().all(|(at, op)| names.keeps_entry(&format!("s{at} GET /{op}"))));
    let left = (0..100_000).filter(|op| names.keeps_entry(&format!("bad GET /{op}"))).count();
    assert!((100..=256).contains(&left), "{left}");
}

#[test]
fn hashes_are_the_same_for_ever_and_spread() {
    // Counted by another program. Cells of two versions are added only where both keep the same names.
    let pinned = [
        (name_hash("order"), 0xc171_73e6_7c52_6e80),
        (name_hash(OTHER), 0x01b7_e9aa_5d00_1340),
        (call_hash(LOAD, "GET /a"), 0xe271_5a4b_a483_b038),
        (call_hash("order", "GET /a"), 0x2a2e_8925_e7df_3200),
        (caller_hash("gateway", "order"), 0xf828_eb51_eadd_ece3),
        (alias_hash("gateway", "order"), 0xf828_eb51_eadd_ece3),
        (entry_hashes("order GET /a").1, 0x2a95_c7ff_ae33_9617),
    ];
    for (is, was) in pinned {
        assert_eq!(is, was, "{is:x} {was:x}");
    }
    assert_ne!(hash(["a", "b"]), hash(["ab"]));
    assert_eq!(call_hash(LOAD, "op"), call_hash(UNKNOWN, "op"));
    assert_eq!(entry_hashes("order GET /a"), (name_hash("order"), name_hash("order GET /a")));
    let half = (0..10_000).filter(|at| name_hash(&format!("name {at}")).leading_zeros() > 0).count();
    assert!((4_700..5_300).contains(&half), "{half}");
}
