use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn address(k: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, k], 80))
}

fn book(of: impl IntoIterator<Item = u8>) -> Book {
    Book::fixed(of.into_iter().map(address))
}

fn first(book: &mut Book, at_s: u64) -> SocketAddr {
    book.turn(MonoNs(at_s * NS_PER_S))[0]
}

#[test]
fn every_address_has_its_turn_and_the_next_ones_stand_in() {
    let mut book = book([1, 2, 3, 4]);
    let turns: Vec<Vec<SocketAddr>> = (0..5).map(|_| book.turn(MonoNs(0))).collect();
    assert_eq!(turns[0], [1, 2, 3].map(address));
    assert_eq!(turns[2], [3, 4, 1].map(address));
    assert_eq!(turns[4], turns[0]);
}

#[test]
fn an_address_that_fails_is_skipped_for_a_while_and_then_tried_again() {
    let mut book = book([1, 2, 3]);
    book.avoid(address(2), MonoNs(0));
    let seen: Vec<SocketAddr> = (0..4).map(|_| first(&mut book, 1)).collect();
    assert_eq!(seen, [1, 3, 1, 3].map(address), "the others share its turns evenly");
    assert_eq!(book.turn(MonoNs(NS_PER_S)), [1, 3, 2].map(address), "it is the last to be tried");
    let later: Vec<SocketAddr> = (0..3).map(|_| first(&mut book, AVOIDED_S)).collect();
    assert!(later.contains(&address(2)), "{later:?}");
}

#[test]
fn where_all_fail_all_are_tried() {
    let mut book = book([1, 2]);
    [1, 2].into_iter().for_each(|k| book.avoid(address(k), MonoNs(0)));
    assert_eq!(book.turn(MonoNs(1)).len(), 2);
    assert!(Book::default().turn(MonoNs(1)).is_empty());
}

#[test]
fn what_is_found_replaces_what_was_known_unless_it_is_nothing() {
    let mut book = book([1, 2, 3]);
    let _ = book.turn(MonoNs(0));
    assert!(!book.learn([3, 2, 1, 4, 4].map(address), MonoNs(1)), "none is gone");
    assert_eq!(book.turn(MonoNs(1)), [2, 3, 4].map(address), "turns go on, whatever the order of the answer");
    assert!(book.learn([4, 5].map(address), MonoNs(2)));
    assert!(!book.holds(address(1)) && book.holds(address(5)));
    assert!(!book.learn([], MonoNs(3)));
    assert_eq!(book.turn(MonoNs(3)).len(), 2);
    let many = (0..=u16::MAX).map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    let _ = book.learn(many, MonoNs(4));
    assert_eq!(book.entries.len(), ADDRESSES_MAX);
}

#[test]
fn one_looks_up_what_is_old() {
    let mut book = Book::default();
    assert!(book.asks(MonoNs(0), 10), "nothing is known");
    assert!(!book.asks(MonoNs(5), 10), "somebody is at it");
    let _ = book.learn([address(1)], MonoNs(7));
    assert!(!book.asks(MonoNs(16), 10));
    assert!(book.asks(MonoNs(17), 10));
    book.learned_nothing(MonoNs(18));
    assert!(!book.asks(MonoNs(27), 10) && book.asks(MonoNs(28), 10));
    assert!(!self::book([1]).asks(MonoNs(u64::MAX), 1), "what is given is never looked up");
}

proptest! {
    /// Over any changes, turns stay as even as they can: between two changes no address is used twice more than another.
    #[test]
    fn turns_are_even(changes in prop::collection::vec((prop::collection::btree_set(1..20_u8, 1..10), 1..60_usize), 1..10)) {
        let mut book = Book::default();
        for (k, (found, turns)) in changes.into_iter().enumerate() {
            let _ = book.learn(found.iter().copied().map(address), MonoNs(k as u64));
            let mut used: BTreeMap<SocketAddr, usize> = found.iter().map(|k| (address(*k), 0)).collect();
            for _ in 0..turns {
                let order = book.turn(MonoNs(0));
                prop_assert_eq!(order.len(), found.len().min(TRIES_MAX));
                *used.get_mut(&order[0]).unwrap() += 1;
            }
            let (least, most) = (used.values().min().unwrap(), used.values().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", used);
        }
    }
}
