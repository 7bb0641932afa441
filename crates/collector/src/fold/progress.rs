//! What of the records that were received is in the cells.

use crate::view::Folded;

/// When the oldest and the newest of some records were received, Unix nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Received {
    oldest_ns: i64,
    newest_ns: i64,
}

impl Received {
    fn with(known: Option<Self>, recv_ns: i64) -> Self {
        known.map_or(Self { oldest_ns: recv_ns, newest_ns: recv_ns }, |known| Self {
            oldest_ns: known.oldest_ns.min(recv_ns),
            newest_ns: known.newest_ns.max(recv_ns),
        })
    }

    fn and(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        Some(Self { oldest_ns: a.oldest_ns.min(b.oldest_ns), newest_ns: a.newest_ns.max(b.newest_ns) })
    }
}

/// Records by how far they have come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Of those in the cells, receipt of the newest.
    newest_ns: Option<i64>,
    /// Of those that the last step put into them, receipt of the oldest.
    first_ns: Option<i64>,
    /// Those that the last step has left for the next one.
    left: Option<Received>,
    /// Those since the last step.
    new: Option<Received>,
}

impl Progress {
    /// A record came.
    pub(super) fn take(&mut self, recv_ns: i64) {
        self.new = Some(Received::with(self.new, recv_ns));
    }

    /// All that came is in the cells.
    pub(super) fn all_folded(&mut self) {
        let (left, new) = (self.left.take(), self.new.take());
        self.step(Received::and(left, new));
    }

    /// What the step before had left is in the cells; what came since is left for the next.
    pub(super) fn left_folded(&mut self) {
        let left = std::mem::replace(&mut self.left, self.new.take());
        self.step(left);
    }

    fn step(&mut self, folded: Option<Received>) {
        self.first_ns = folded.map(|folded| folded.oldest_ns);
        self.newest_ns = self.newest_ns.max(folded.map(|folded| folded.newest_ns));
    }

    /// As of the last step; the view's number is not known here.
    pub(super) fn folded(&self) -> Folded {
        let waiting = Received::and(self.left, self.new);
        Folded {
            view: 0,
            newest_ns: self.newest_ns,
            first_ns: self.first_ns,
            waiting_ns: waiting.map(|waiting| waiting.oldest_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(progress: &Progress) -> [Option<i64>; 3] {
        let folded = progress.folded();
        [folded.newest_ns, folded.first_ns, folded.waiting_ns]
    }

    #[test]
    fn what_is_left_for_the_next_step_waits_until_then() {
        let mut progress = Progress::default();
        assert_eq!(told(&progress), [None; 3]);
        [5, 3].into_iter().for_each(|at| progress.take(at));
        assert_eq!(told(&progress), [None, None, Some(3)]);
        progress.left_folded();
        assert_eq!(told(&progress), [None, None, Some(3)], "nothing had been left before");
        [9, 8].into_iter().for_each(|at| progress.take(at));
        progress.left_folded();
        assert_eq!(told(&progress), [Some(5), Some(3), Some(8)]);
        progress.take(11);
        progress.all_folded();
        assert_eq!(told(&progress), [Some(11), Some(8), None]);
        progress.all_folded();
        assert_eq!(told(&progress), [Some(11), None, None], "nothing came");
    }

    #[test]
    fn what_was_received_before_and_came_later_is_told() {
        let mut progress = Progress::default();
        progress.take(20);
        progress.all_folded();
        progress.take(12);
        progress.all_folded();
        assert_eq!(told(&progress), [Some(20), Some(12), None]);
    }
}
