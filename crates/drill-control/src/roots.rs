//! Rows of the generator, on their way to the collector.
//!
//! Each row opens a trace there, which costs as much as the request itself did. While no service has sent a span there is
//! nothing that it could be joined with: the newest rows are held, since spans come seconds after their requests, and
//! older ones are let go.

use std::collections::VecDeque;

use peakdrill_drill_model::frame::RootRow;

/// Rows that are held, at most, but for the newest batch: some 2 MiB.
const HELD_MAX: usize = 16 * 1024;

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
            self.end(&push);
            push(&rows);
            return;
        }
        self.len += rows.len();
        self.held.push_back(rows);
        while self.len > HELD_MAX
            && self.held.len() > 1
            && let Some(oldest) = self.held.pop_front()
        {
            self.len -= oldest.len();
            self.let_go += oldest.len() as u64;
        }
    }

    /// Nothing more comes, or spans have: pushes what is held.
    pub(crate) fn end(&mut self, push: impl Fn(&[RootRow])) {
        for rows in self.held.drain(..) {
            push(&rows);
        }
        self.len = 0;
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

    /// What is pushed when these batches come, the second value of each telling whether a span has come.
    fn pushed(batches: &[(Vec<RootRow>, bool)]) -> (Vec<u64>, u64) {
        let (mut roots, spans) = (Roots::default(), RefCell::new(Vec::new()));
        let push = |rows: &[RootRow]| spans.borrow_mut().extend(rows.iter().map(|row| row.span));
        for (rows, heard) in batches {
            roots.take(rows.clone(), *heard, push);
        }
        roots.end(push);
        (spans.into_inner(), roots.let_go())
    }

    #[test]
    fn rows_are_pushed_once_and_in_order() {
        let all = |n: u64| (0..n).collect::<Vec<_>>();
        assert_eq!(pushed(&[(rows(0, 3), true), (rows(3, 2), true)]), (all(5), 0));
        assert_eq!(pushed(&[(rows(0, 3), false), (rows(3, 2), true), (rows(5, 1), true)]), (all(6), 0));
        assert_eq!(pushed(&[(rows(0, 3), false), (rows(3, 2), false)]), (all(5), 0));
    }

    #[test]
    fn without_spans_only_the_newest_are_held() {
        let most = HELD_MAX as u64;
        let late = [(rows(0, most), false), (rows(most, 10), false), (rows(most + 10, 1), true)];
        assert_eq!(pushed(&late), ((most..most + 11).collect(), most));
        let never = [(rows(0, 5), false), (rows(5, most + 1), false)];
        assert_eq!(pushed(&never), ((5..most + 6).collect(), 5), "a batch is never cut");
    }
}
