//! What was received and is not in the ranking yet. Times are those of receipt, Unix nanoseconds.

use peakdrill_collector::{Folded, View};

/// The oldest of what the ranking lacks, by how far it has come.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    /// Of the newest view that was seen.
    newest: Folded,
    /// When what the collector had taken was seen not to be in a view, since the newest view came.
    behind_since_ns: Option<i64>,
    /// In views that nothing was asked about yet.
    in_views: Option<i64>,
    /// In the view that was asked about, and in no ranking.
    in_question: Option<i64>,
    /// The newest in the view that was asked about, and in the ranking.
    asked_to_ns: Option<i64>,
    shown_to_ns: Option<i64>,
    has_spans: bool,
}

impl Unseen {
    /// Looks at the newest view, and at what the collector has taken. At an instant of the clock of receipts.
    pub(super) fn look(&mut self, view: &View, taken_ns: Option<i64>, at_ns: i64) {
        self.has_spans |= view.spans() > 0;
        if view.folded.view != self.newest.view {
            self.in_views = oldest(self.in_views, self.newest.oldest_new_ns(&view.folded));
            (self.newest, self.behind_since_ns) = (view.folded, None);
        }
        // A collector that stands still makes no view that would tell of it.
        let is_behind = taken_ns > view.last_recv_ns;
        self.behind_since_ns = is_behind.then(|| self.behind_since_ns.unwrap_or(at_ns));
    }

    /// The newest view was asked about.
    pub(super) fn asked(&mut self) {
        self.in_question = oldest(self.in_question, self.in_views.take());
        self.asked_to_ns = self.newest.newest_ns;
    }

    /// What was asked about is shown: the oldest that was not before; `None` where that is nothing, or no span is there.
    pub(super) fn shown(&mut self) -> Option<i64> {
        self.shown_to_ns = self.asked_to_ns;
        self.in_question.take().filter(|_| self.has_spans)
    }

    /// The newest that is shown.
    pub(super) fn shown_to_ns(&self) -> Option<i64> {
        self.shown_to_ns.filter(|_| self.has_spans)
    }

    /// The oldest that is not shown; `None` where nothing waits, or no span is there.
    pub(super) fn oldest_ns(&self) -> Option<i64> {
        let in_cells = oldest(self.in_question, self.in_views);
        oldest(oldest(in_cells, self.newest.waiting_ns), self.behind_since_ns).filter(|_| self.has_spans)
    }
}

fn oldest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(number: u64, newest_ns: i64, first_ns: i64) -> View {
        let folded =
            Folded { view: number, newest_ns: Some(newest_ns), first_ns: Some(first_ns), waiting_ns: None };
        View { folded, last_recv_ns: Some(newest_ns), ..View::default() }
    }

    #[test]
    fn what_came_late_into_a_view_that_was_passed_over_is_not_forgotten() {
        let mut unseen = Unseen { has_spans: true, ..Unseen::default() };
        unseen.look(&view(1, 50, 40), Some(50), 60);
        unseen.asked();
        // While that is looked at two views come, of which the first has something that had waited for a decoder.
        unseen.look(&view(2, 70, 10), Some(70), 80);
        unseen.look(&view(3, 90, 80), Some(90), 95);
        assert_eq!((unseen.shown(), unseen.oldest_ns()), (Some(40), Some(10)));
        unseen.asked();
        assert_eq!((unseen.shown(), unseen.oldest_ns()), (Some(10), None));
    }

    #[test]
    fn a_collector_that_stands_still_grows_old() {
        let mut unseen = Unseen { has_spans: true, ..Unseen::default() };
        let still = view(1, 50, 40);
        unseen.look(&still, Some(50), 60);
        unseen.asked();
        unseen.shown();
        assert_eq!(unseen.oldest_ns(), None, "nothing came");
        unseen.look(&still, Some(61), 62);
        unseen.look(&still, Some(900), 910);
        assert_eq!(unseen.oldest_ns(), Some(62));
        unseen.look(&still, Some(50), 915);
        assert_eq!(unseen.oldest_ns(), None, "what came was refused");
        unseen.look(&still, Some(900), 918);
        assert_eq!(unseen.oldest_ns(), Some(918));
        unseen.look(&view(2, 900, 61), Some(905), 920);
        assert_eq!(unseen.oldest_ns(), Some(61), "the view tells of it now");
    }
}
