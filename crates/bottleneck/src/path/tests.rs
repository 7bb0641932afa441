use peakdrill_trace_model::SpanKind;
use proptest::prelude::*;

use super::*;
use crate::contribute;

const MS: i64 = 1_000_000;
/// All lengths are multiples of it: larger than what counts as following each other.
const STEP_MS: i64 = 50;

/// Work, or stages one after the other; what is in a stage is begun at once and waited for together.
#[derive(Debug, Clone)]
enum Program {
    Work(i64),
    Stages(Vec<Vec<Program>>),
}

impl Program {
    fn takes(&self) -> i64 {
        match self {
            Self::Work(steps) => steps * STEP_MS * MS,
            Self::Stages(stages) => {
                stages.iter().map(|stage| stage.iter().map(Self::takes).max().unwrap_or(0)).sum()
            }
        }
    }

    /// Its work, in the order of [`Self::spans`].
    fn works(&mut self) -> Vec<&mut i64> {
        match self {
            Self::Work(steps) => vec![steps],
            Self::Stages(stages) => stages.iter_mut().flatten().flat_map(Self::works).collect(),
        }
    }

    /// Its spans, those of its work with the id of their position from 1 on.
    fn spans(&self, parent: u64, start: i64, works: &mut u64, out: &mut Vec<Span>) {
        match self {
            Self::Work(_) => {
                *works += 1;
                out.push(span(*works, parent, start, start + self.takes()));
            }
            Self::Stages(stages) => {
                let id = 1_000 + out.len() as u64;
                out.push(span(id, parent, start, start + self.takes()));
                let mut at = start;
                for stage in stages {
                    stage.iter().for_each(|part| part.spans(id, at, works, out));
                    at += stage.iter().map(Self::takes).max().unwrap_or(0);
                }
            }
        }
    }
}

fn span(id: u64, parent: u64, start_ns: i64, end_ns: i64) -> Span {
    Span { start_ns, end_ns, ..contribute::tests::span(id, parent, SpanKind::Internal, "shop", 0, 0) }
}

/// At most eight pieces of work of at most five steps: two seconds, of which a hundredth is less than a step.
fn any_program() -> impl Strategy<Value = Program> {
    let work = (1..=5_i64).prop_map(Program::Work);
    let nested = work.prop_recursive(2, 8, 2, |inner| {
        prop::collection::vec(prop::collection::vec(inner, 1..=2), 1..=2).prop_map(Program::Stages)
    });
    nested.prop_map(|program| Program::Stages(vec![vec![program]]))
}

proptest! {
    /// The truth is what the request takes without the work.
    #[test]
    fn a_request_is_shorter_by_the_drag_of_what_is_taken_out(program in any_program()) {
        let (mut spans, mut works) = (Vec::new(), 0);
        program.spans(0, MS, &mut works, &mut spans);
        let tree = Tree::new(&spans);
        let top = tree.root_span();
        let pieces = top.map(|at| under(&tree, at)).unwrap_or_default();
        prop_assert_eq!(pieces.iter().map(|piece| piece.ns).sum::<u64>(), program.takes().unsigned_abs());
        for piece in pieces {
            let id = piece.at.map_or(0, |at| tree.nodes[at].span.id);
            prop_assert!((1..=works).contains(&id), "all time is spent in work");
            let mut without = program.clone();
            *without.works()[id as usize - 1] = 0;
            let shorter = (program.takes() - without.takes()).unsigned_abs();
            prop_assert_eq!(piece.drag_ns, shorter, "work {}", id);
        }
    }
}
