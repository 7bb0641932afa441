//! Rows of the generator, on their way to the collector.
//!
//! Each row opens a trace there, which costs as much as the request itself did. While no service has sent a span there is
//! nothing that it could be joined with, so rows are held, up to a limit. When spans come, what is held is pushed. At the
//! end so it is without any, if they are few and nothing had to be let go: the record of a small run holds all rows, and
//! no record holds an arbitrary part of them.

use std::collections::VecDeque;

use peakdrill_drill_model::frame::RootRow;

/// Rows that are held, at most, but for the newest batch: some 8 MiB. The collector takes so many at once without
/// refusing what services send.
const HELD_MAX: usize = 96 * 1024;
/// Of more than [`KEPT_MAX`], so long after the request ended, nanoseconds: services send what they have every few seconds, so
/// that the first of their spans are here much sooner, if any ever are. A long run without spans holds no more than a short one.
const HELD_NS: i64 = 40_000_000_000;
/// Rows that the record of a run keeps of which no service has spoken, at most: each opens a trace of about a KiB.
const KEPT_MAX: usize = 16 * 1024;

/// The rows that are held.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    held: VecDeque<Vec<RootRow>>,
    len: usize,
    /// Rows that were let go.
    let_go: u64,
}

impl Roots {
    /// Takes a batch of rows. `heard` tells whether any span has come; from then on all rows are pushed.
    pub(crate) fn take(&mut self, rows: Vec<RootRow>, heard: bool, push: impl Fn(&[RootRow])) {
        if heard {
            self.push_held(&push);
            push(&rows);
            return;
        }
        let ended = |rows: &[RootRow]| rows.iter().map(|row| row.done_ns).max();
        let Some(now) = ended(&rows) else { return };
        self.len += rows.len();
        self.held.push_back(rows);
        let long_ago =
            |rows: &Vec<RootRow>| ended(rows).is_some_and(|then| now.saturating_sub(then) > HELD_NS);
        while self.held.len() > 1
            && (self.len > HELD_MAX || self.len > KEPT_MAX && self.held.front().is_some_and(long_ago))
            && let Some(oldest) = self.held.pop_front()
        {
            self.len -= oldest.len();
            self.let_go += oldest.len() as u64;
        }
    }

    /// Spans have come: pushes what is held. Whether there was any.
    pub(crate) fn push_held(&mut self, push: impl Fn(&[RootRow])) -> bool {
        let any = self.len > 0;
        for rows in self.held.drain(..) {
            push(&rows);
        }
        self.len = 0;
        any
    }

    /// The run is over: pushes what is held, if that is all there was and not too much, or spans have come.
    pub(crate) fn end(&mut self, heard: bool, push: impl Fn(&[RootRow])) {
        if heard || self.let_go == 0 && self.len <= KEPT_MAX {
            self.push_held(push);
        }
    }

    /// Rows that were not pushed: if there are spans, they are missing from their traces.
    pub(crate) fn missing(&self) -> u64 {
        self.let_go + self.len as u64
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn rows(first: u64, count: u64) -> Vec<RootRow> {
        let row = |span| RootRow {
            trace: 1,
            span,
            step: 0,
            phase: 0,
            intended_ns: 0,
            sent_ns: 0,
            done_ns: 0,
            error: None,
            status: 200,
            sampled: true,
        };
        (first..first + count).map(row).collect()
    }

    /// What is pushed when these batches come, and how many rows are not. The second value of each tells whether a span
    /// has come.
    fn pushed(batches: &[(Vec<RootRow>, bool)]) -> (Vec<u64>, u64) {
        let (mut roots, spans) = (Roots::default(), RefCell::new(Vec::new()));
        let push = |rows: &[RootRow]| spans.borrow_mut().extend(rows.iter().map(|row| row.span));
        for (rows, heard) in batches {
            roots.take(rows.clone(), *heard, push);
        }
        roots.end(batches.last().is_some_and(|(_, heard)| *heard), push);
        (spans.into_inner(), roots.missing())
    }

    #[test]
    fn rows_are_pushed_once_and_in_order() {
        let all = |n: u64| (0..n).collect::<Vec<_>>();
        assert_eq!(pushed(&[(rows(0, 3), true), (rows(3, 2), true)]), (all(5), 0));
        assert_eq!(pushed(&[(rows(0, 3), false), (rows(3, 2), true), (rows(5, 1), true)]), (all(6), 0));
        assert_eq!(pushed(&[(rows(0, 3), false), (rows(3, 2), false)]), (all(5), 0));
    }

    #[test]
    fn of_many_what_ended_long_before_the_first_span_is_let_go() {
        let at = |first: u64, count: u64, ns: i64| {
            let mut rows = rows(first, count);
            rows.iter_mut().for_each(|row| row.done_ns = ns);
            (rows, false)
        };
        let many = KEPT_MAX as u64;
        let last = |first: u64| (rows(first, 1), true);
        let in_time = [at(0, 2, 1), at(2, many, HELD_NS + 1), last(many + 2)];
        assert_eq!(pushed(&in_time), ((0..many + 3).collect(), 0));
        let late = [at(0, 2, 1), (vec![], false), at(2, many, HELD_NS + 2), last(many + 2)];
        assert_eq!(pushed(&late), ((2..many + 3).collect(), 2));
        let few = [at(0, 2, 1), at(2, many - 2, HELD_NS + 2), last(many)];
        assert_eq!(pushed(&few), ((0..=many).collect(), 0));
    }

    #[test]
    fn without_spans_a_limited_number_is_held_and_no_part_is_pushed() {
        let most = HELD_MAX as u64;
        let late = [(rows(0, most), false), (rows(most, 10), false), (rows(most + 10, 1), true)];
        assert_eq!(pushed(&late), ((most..most + 11).collect(), most));
        let never = [(rows(0, 5), false), (rows(5, most), false)];
        assert_eq!(pushed(&never), (vec![], most + 5));
        let few = KEPT_MAX as u64;
        assert_eq!(pushed(&[(rows(0, few), false)]), ((0..few).collect(), 0));
        assert_eq!(pushed(&[(rows(0, few + 1), false)]), (vec![], few + 1));
    }
}
