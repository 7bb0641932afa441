//! Sets of numbers of records.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Numbers, as ranges that are apart: their ends by their starts.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranges {
    ends: BTreeMap<u32, u32>,
    count: u64,
}

impl Ranges {
    /// How many numbers there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        self.ends.range(..=number).next_back().is_some_and(|(_, end)| *end >= number)
    }

    /// Whether so many more would have room for these.
    pub(super) fn has_room(&self, range: RangeInclusive<u32>, room: u64) -> bool {
        let (start, end) = range.into_inner();
        if count(start, end) > room.saturating_add(self.count) {
            return false;
        }
        // From the end on: how many are new, and the first that was looked at.
        let (mut new, mut first) = (0, u64::from(end) + 1);
        for (from, to) in self.ends.range(..=end).rev().take_while(|(_, to)| **to >= start) {
            new += first.saturating_sub(u64::from(*to) + 1);
            if new > room {
                return false;
            }
            first = u64::from(*from);
        }
        new + first.saturating_sub(u64::from(start)) <= room
    }

    pub(super) fn add(&mut self, range: RangeInclusive<u32>) {
        let (mut start, mut end) = range.into_inner();
        // Those that it meets become one with it.
        while let Some((from, to)) = self.ends.range(..=end.saturating_add(1)).next_back()
            && to.saturating_add(1) >= start
        {
            let (from, to) = (*from, *to);
            self.ends.remove(&from);
            self.count -= count(from, to);
            (start, end) = (start.min(from), end.max(to));
        }
        self.ends.insert(start, end);
        self.count += count(start, end);
    }
}

fn count(start: u32, end: u32) -> u64 {
    u64::from(end) - u64::from(start) + 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_meet_are_one() {
        let mut ranges = Ranges::default();
        [7..=9, 1..=2, 3..=3, 8..=20, 12..=13, 30..=30].into_iter().for_each(|range| ranges.add(range));
        assert_eq!(ranges.ends, BTreeMap::from([(1, 3), (7, 20), (30, 30)]));
        [5..=u32::MAX, 1..=u32::MAX].into_iter().for_each(|range| ranges.add(range));
        assert_eq!((&ranges.ends, ranges.count()), (&BTreeMap::from([(1, u32::MAX)]), u64::from(u32::MAX)));
        assert!(ranges.has_room(u32::MAX..=u32::MAX, 0) && !ranges.has_room(0..=3, 0));
    }

    proptest! {
        #[test]
        fn they_are_the_set_of_their_numbers(
            adds in proptest::collection::vec((0..60_u32, 0..9_u32), 0..20),
            (start, length, room) in (0..60_u32, 0..30_u32, 0..30_u64),
        ) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (start, length) in adds {
                ranges.add(start..=start + length);
                set.extend(start..=start + length);
            }
            prop_assert_eq!(ranges.count(), set.len() as u64);
            (0..80).try_for_each(|number| {
                prop_assert_eq!(ranges.contains(number), set.contains(&number), "{}", number);
                Ok(())
            })?;
            let new = (start..=start + length).filter(|number| !set.contains(number)).count() as u64;
            prop_assert_eq!(ranges.has_room(start..=start + length, room), new <= room);
        }
    }
}
