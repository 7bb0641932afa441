//! The parts of a load that are compared each by itself: a phase, or what of it has one rate.

use std::ops::Range;

use peakdrill_bottleneck::baseline::WINDOWS_MIN;
use peakdrill_drill_model::plan::Phase;
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::timeline::{Laid, Timeline};

use crate::numbers::rate;

/// So many seconds of a new rate are left out, where the part is long enough: the system is on its way.
const SETTLE_S: u32 = 5;
/// A phase with more rates than this is compared as one.
const RATES_MAX: usize = 64;
/// Windows of a part, at most: in longer ones a window is several seconds.
const WINDOWS_MAX: u32 = 1_200;
const S: u64 = 1_000_000_000;

/// A part of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its name: of the phase, with the rate where there are several.
    pub(super) name: String,
    /// Index of the phase.
    pub(super) phase: u16,
    /// Whole seconds since the start of the load, ascending.
    ranges: Vec<Range<u32>>,
    /// Seconds of a window.
    pub(super) width_s: u32,
    /// Whether it is nowhere above the rates that are held before and behind it.
    is_way: bool,
}

impl Part {
    fn new(name: String, phase: u16, ranges: Vec<Range<u32>>) -> Self {
        let seconds: u32 = ranges.iter().map(|range| range.end - range.start).sum();
        Self { name, phase, ranges, width_s: seconds.div_ceil(WINDOWS_MAX).max(1), is_way: false }
    }

    /// Whether it can be laid beside another.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.width_s == other.width_s
    }

    /// Whether it is on the way to a rate that is held, or from it, and too short to be judged by itself. A short peak above
    /// what is held beside it is what was asked for, and no way.
    pub(super) fn is_passing(&self) -> bool {
        self.is_way && self.windows() < WINDOWS_MIN
    }

    /// Windows that it has in all.
    pub(super) fn windows(&self) -> usize {
        self.windows_before(u32::MAX)
    }

    /// The window in which a second is.
    pub(super) fn window(&self, second: u32) -> Option<usize> {
        let range = self.ranges.iter().find(|range| range.contains(&second))?;
        let offset = self.seconds_before(range.start) + (second - range.start);
        usize::try_from(offset / self.width_s).ok()
    }

    /// Windows that are over before a second.
    pub(super) fn windows_before(&self, second: u32) -> usize {
        usize::try_from(self.seconds_before(second) / self.width_s).unwrap_or(0)
    }

    /// Seconds of it before one of the load.
    pub(super) fn seconds_before(&self, second: u32) -> u32 {
        self.ranges.iter().map(|range| range.end.min(second).saturating_sub(range.start)).sum()
    }
}

/// Whether it is measured and chooses its own rates: what two runs of it did is not the same load.
pub(super) fn is_search(phase: &Phase) -> bool {
    phase.measure && matches!(phase.shape, Shape::Search { .. })
}

/// The parts of all measured phases that are no search, in order.
pub(super) fn parts(phases: &[Phase], timeline: &Timeline) -> Vec<Part> {
    let laid = phases.iter().zip(timeline.phases()).zip(0_u16..);
    let measured = laid.filter(|((phase, _), _)| phase.measure && !is_search(phase));
    measured.flat_map(|((phase, laid), index)| of_phase(&phase.name, index, laid)).collect()
}

/// A stretch of a phase, and its rate where it has one.
struct Stretch {
    from_ns: u64,
    to_ns: u64,
    rate: Option<f64>,
    /// The highest rate in it.
    most: f64,
}

/// Whole seconds between two times.
fn seconds(from_ns: u64, to_ns: u64) -> Range<u32> {
    let second = |s: u64| u32::try_from(s).unwrap_or(u32::MAX);
    let start = second(from_ns.div_ceil(S));
    start..second(to_ns / S).max(start)
}

impl Stretch {
    fn seconds(&self) -> Range<u32> {
        seconds(self.from_ns, self.to_ns)
    }

    fn is_long(&self) -> bool {
        self.rate.is_some() && self.seconds().len() >= WINDOWS_MIN
    }
}

fn of_phase(name: &str, phase: u16, laid: &Laid) -> Vec<Part> {
    let stretches = stretches(laid);
    let long = || stretches.iter().filter(|stretch| stretch.is_long());
    if laid.users.is_some() || long().count() > RATES_MAX {
        return vec![Part::new(name.to_owned(), phase, vec![seconds(laid.start_ns, laid.end_ns)])];
    }
    let rest: Vec<Range<u32>> = stretches
        .chunk_by(|a, b| !a.is_long() && !b.is_long() && a.to_ns == b.from_ns)
        .filter(|run| !run[0].is_long())
        .map(|run| seconds(run[0].from_ns, run[run.len() - 1].to_ns))
        .filter(|range| !range.is_empty())
        .collect();
    let is_one = long().count() + usize::from(!rest.is_empty()) == 1;
    let mut out: Vec<Part> = Vec::new();
    for stretch in long() {
        let seconds = stretch.seconds();
        let settled = seconds.start + SETTLE_S..seconds.end;
        let seconds = if settled.len() >= WINDOWS_MIN { settled } else { seconds };
        let base = if is_one { name.to_owned() } else { format!("{name} at {}", rate(stretch.rate)) };
        let again = |part: &&Part| part.name == base || part.name.starts_with(&format!("{base} ("));
        let label = match out.iter().filter(again).count() {
            0 => base.clone(),
            before => format!("{base} ({})", before + 1),
        };
        out.push(Part::new(label, phase, vec![seconds]));
    }
    if !rest.is_empty() {
        let label = if is_one { name.to_owned() } else { format!("{name}, the rest") };
        out.push(Part { is_way: are_ways(&stretches), ..Part::new(label, phase, rest) });
    }
    out
}

/// Whether no short stretch is above the rates that are held next before it and next behind it.
fn are_ways(stretches: &[Stretch]) -> bool {
    fn above<'a>(stretches: impl Iterator<Item = &'a Stretch>) -> Vec<bool> {
        let mut held = 0.0;
        let mut is_above = |stretch: &Stretch| {
            if stretch.is_long() {
                held = stretch.most;
            }
            // A piece of a sum ends within a rounding of what it was to end at.
            stretch.most > held * (1.0 + 1e-9)
        };
        stretches.map(&mut is_above).collect()
    }
    let (before, behind) = (above(stretches.iter()), above(stretches.iter().rev()));
    !before.iter().zip(behind.iter().rev()).any(|(before, behind)| *before && *behind)
}

/// What a phase that was run asks for, piece by piece; without those that ask for nothing.
fn stretches(laid: &Laid) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    let mut from_ns = laid.start_ns;
    for piece in &laid.pieces {
        let to_ns = from_ns.saturating_add(piece.len_ns).min(laid.end_ns);
        let rate = (piece.from == piece.to).then_some(piece.from);
        match out.last_mut() {
            Some(last) if rate.is_some() && last.rate == rate && last.to_ns == from_ns => last.to_ns = to_ns,
            _ if to_ns > from_ns && rate != Some(0.0) => {
                out.push(Stretch { from_ns, to_ns, rate, most: piece.from.max(piece.to) });
            }
            _ => {}
        }
        from_ns = to_ns;
    }
    out
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::plan::{Arrivals, Load, Pacing};
    use peakdrill_drill_model::shape::Piece;

    use super::*;

    fn of(shape: Shape) -> Vec<Part> {
        let phase = Phase::measured("peak", shape, Arrivals::Even);
        let mut pause = phase.clone();
        (pause.name, pause.shape) = ("before".into(), Shape::Pause { for_ns: S / 2 });
        let phases = vec![pause, phase];
        let load = Load { arrivals: Arrivals::Even, pacing: Pacing::Auto, seed: 1, max_in_flight: 1, phases };
        parts(&load.phases, &Timeline::planned(&load))
    }

    /// Rates, each for so many seconds.
    fn stairs(held: &[(u64, f64)]) -> Shape {
        let pieces = held.iter().map(|(s, rate)| Piece::flat(s * S, *rate)).collect();
        Shape::Pieces { written: String::new(), pieces }
    }

    fn told(parts: &[Part]) -> Vec<String> {
        parts.iter().map(|part| format!("{} {:?}", part.name, part.ranges)).collect()
    }

    #[test]
    fn each_rate_that_is_held_long_enough_is_a_part() {
        let hold = |s: u64| Shape::Hold { rate: 20.0, for_ns: s * S };
        assert_eq!(told(&of(hold(60))), ["peak [6..60]"]);
        assert_eq!(told(&of(hold(34))), ["peak [1..34]"], "too short for settling");
        assert_eq!(told(&of(hold(10))), ["peak [1..10]"]);
        let spike = Shape::Spike { from: 5.0, to: 50.0, rise_ns: 20 * S, hold_ns: 40 * S, fall_ns: 9 * S };
        assert_eq!(told(&of(spike)), ["peak at 50/s [26..60]", "peak, the rest [1..20, 61..69]"]);
        let stairs = Shape::Steps { from: 10.0, by: 10.0, every_ns: 40 * S, max: 20.0 };
        assert_eq!(told(&of(stairs)), ["peak at 10/s [6..40]", "peak at 20/s [46..80]"]);
        let short = Shape::Steps { from: 10.0, by: 10.0, every_ns: 4 * S, max: 40.0 };
        assert_eq!(told(&of(short)), ["peak [1..16]"]);
        assert_eq!(told(&of(Shape::Users { count: 3, for_ns: 9 * S })), ["peak [1..9]"]);
    }

    #[test]
    fn a_second_is_in_the_window_that_is_counted() {
        let part = Part::new("a".into(), 0, vec![3..10, 20..2_420]);
        assert_eq!(part.width_s, 3);
        let windows: Vec<usize> = (0..2_500).filter_map(|second| part.window(second)).collect();
        assert_eq!(windows, (0..2_407).map(|offset| offset / 3).collect::<Vec<usize>>());
        for (second, over) in [(0, 0), (6, 1), (15, 2), (22, 3), (9_999, 802)] {
            assert_eq!(part.windows_before(second), over, "{second}");
        }
    }

    #[test]
    fn only_what_is_no_higher_than_what_is_held_is_a_way() {
        let passing = |shape: Shape| -> Vec<String> {
            let parts = of(shape);
            parts.into_iter().filter(Part::is_passing).map(|part| part.name).collect()
        };
        let spike =
            |rise_ns| Shape::Spike { from: 5.0, to: 50.0, rise_ns, hold_ns: 60 * S, fall_ns: rise_ns };
        assert_eq!(passing(spike(5 * S)), ["peak, the rest"]);
        assert!(passing(spike(20 * S)).is_empty(), "long enough to be judged");
        assert_eq!(passing(stairs(&[(60, 20.0), (10, 5.0), (60, 20.0)])), ["peak, the rest"]);
        assert!(passing(stairs(&[(60, 20.0), (10, 50.0), (60, 20.0)])).is_empty(), "the peak");
        let points = [(0, 20.0), (60, 20.0), (65, 50.0), (70, 20.0)].map(|(s, rate)| (s * S, rate)).to_vec();
        assert!(passing(Shape::Curve { points }).is_empty(), "the peak");
        assert!(passing(stairs(&[(10, 20.0), (10, 50.0)])).is_empty(), "nothing is held");
        let high_before = [(60, 500.0), (60, 20.0), (10, 400.0), (60, 20.0)];
        assert!(passing(stairs(&high_before)).is_empty(), "a peak above what is held beside it");
        let rounded = [(60, 0.9), (10, 0.900_000_000_000_000_1), (60, 0.3)];
        assert_eq!(passing(stairs(&rounded)), ["peak, the rest"]);
    }

    #[test]
    fn the_same_rate_again_is_another_part() {
        let pieces = [(40, 10.0), (40, 20.0), (40, 10.0)];
        let parts = of(stairs(&pieces));
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["peak at 10/s", "peak at 20/s", "peak at 10/s (2)"]);
    }
}
