//! Rows of the generator, on their way to the collector.
//!
//! Each row opens a trace there, which costs as much as the request itself did. While no service has sent a span there is
//! nothing that it could be joined with, so rows are held: for longer than exporters hold spans back (by default five
//! seconds), and up to a limit. When spans come, what is held is pushed. When none ever come, nothing is.

use std::collections::VecDeque;

use peakdrill_drill_model::frame::RootRow;
use peakdrill_timebase::{MonoNs, NS_PER_S};

/// How long rows are held, in nanoseconds.
const HELD_MAX_NS: u64 = 20 * NS_PER_S;
/// Rows that are held, at most, but for the newest batch: some 40 MiB.
const HELD_MAX: usize = 512 * 1024;

/// The rows that are held.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// Batches, and when each came.
    held: VecDeque<(MonoNs, Vec<RootRow>)>,
    len: usize,
    /// Rows that were let go.
    let_go: u64,
}

impl Roots {
    /// Takes a batch of rows. `heard` tells whether any span has come; from then on all rows are pushed.
    pub(crate) fn take(&mut self, at: MonoNs, rows: Vec<RootRow>, heard: bool, push: impl Fn(&[RootRow])) {
        if heard {
            self.push_held(&push);
            push(&rows);
            return;
        }
        self.len += rows.len();
        self.held.push_back((at, rows));
        let over = |held: &VecDeque<(MonoNs, Vec<RootRow>)>, len| {
            let oldest = held.front().map_or(at, |(came, _)| *came);
            held.len() > 1 && (len > HELD_MAX || at.since(oldest) > HELD_MAX_NS)
        };
        while over(&self.held, self.len)
            && let Some((_, oldest)) = self.held.pop_front()
        {
            self.len -= oldest.len();
            self.let_go += oldest.len() as u64;
        }
    }

    /// Spans have come: pushes what is held. Whether there was any.
    pub(crate) fn push_held(&mut self, push: impl Fn(&[RootRow])) -> bool {
        let any = self.len > 0;
        for (_, rows) in self.held.drain(..) {
            push(&rows);
        }
        self.len = 0;
        any
    }

    /// Rows that were let go: they are missing from their traces, if those have spans.
    pub(crate) fn let_go(&self) -> u64 {
        self.let_go
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
        };
        (first..first + count).map(row).collect()
    }

    /// What is pushed when these batches come at these seconds, and how many rows were let go. The last value of each
    /// tells whether a span has come.
    fn pushed(batches: &[(u64, Vec<RootRow>, bool)]) -> (Vec<u64>, u64) {
        let (mut roots, spans) = (Roots::default(), RefCell::new(Vec::new()));
        let push = |rows: &[RootRow]| spans.borrow_mut().extend(rows.iter().map(|row| row.span));
        for (second, rows, heard) in batches {
            roots.take(MonoNs(second * NS_PER_S), rows.clone(), *heard, push);
        }
        (spans.into_inner(), roots.let_go())
    }

    #[test]
    fn rows_are_pushed_once_and_in_order() {
        let all = |n: u64| (0..n).collect::<Vec<_>>();
        assert_eq!(pushed(&[(0, rows(0, 3), true), (1, rows(3, 2), true)]), (all(5), 0));
        let late = [(0, rows(0, 3), false), (20, rows(3, 2), false), (20, rows(5, 1), true)];
        assert_eq!(pushed(&late), (all(6), 0));
        assert_eq!(pushed(&[(0, rows(0, 3), false), (1, rows(3, 2), false)]), (vec![], 0));
    }

    #[test]
    fn what_is_held_is_bounded_in_time_and_number() {
        let old = [(0, rows(0, 3), false), (21, rows(3, 2), false), (21, rows(5, 1), true)];
        assert_eq!(pushed(&old), ((3..6).collect(), 3));
        let most = HELD_MAX as u64;
        let many = [(0, rows(0, most), false), (0, rows(most, 10), false), (0, rows(most + 10, 1), true)];
        assert_eq!(pushed(&many), ((most..most + 11).collect(), most));
    }
}
