//! The verdict in words, the same in every rendering.

use peakdrill_drill_model::owners::Owner;
use peakdrill_drill_model::verdict::{
    AnalysisState, AnalysisSummary, Bottleneck, GateResult, Judgement, Knee, KneeBy, NodeVerdict, Step,
    Verdict,
};

use crate::numbers::{NOT_MEASURED, count, figure, length, maybe_count, percent, plural, rate};

/// One word for a judgement, as a heading has it.
pub(crate) fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Pass => "Pass",
        Judgement::Fail => "Fail",
        Judgement::Inconclusive => "Inconclusive",
    }
}

/// A sign for a judgement, so that colour is not its only carrier.
pub(crate) fn sign(judgement: Judgement, unicode: bool) -> &'static str {
    match (judgement, unicode) {
        (Judgement::Pass, true) => "✓",
        (Judgement::Fail, true) => "✗",
        (Judgement::Inconclusive, true) => "?",
        (Judgement::Pass, false) => "ok",
        (Judgement::Fail, false) => "x",
        (Judgement::Inconclusive, false) => "?",
    }
}

/// Whether something of a step is counted apart.
pub(crate) fn has_apart(step: &Step) -> bool {
    !step.outcomes.is_empty() || step.passed_over > 0 || step.dropped > 0
}

/// How many answers of a step were of each class that it counts apart from ok and fail, and how many messages were no
/// answers.
pub(crate) fn apart(step: &Step) -> String {
    let class = |(name, n): (&String, &u64)| {
        let share = (step.completed > 0).then(|| *n as f64 / step.completed as f64);
        format!("{name} {} ({})", count(*n), percent(share))
    };
    let messages = [(step.passed_over, "passed over"), (step.dropped, "not seen by any step")];
    let messages = messages.into_iter().filter(|(n, _)| *n > 0);
    let messages = messages.map(|(n, what)| format!("{} {what}", plural(n, "message", "messages")));
    step.outcomes.iter().map(class).chain(messages).collect::<Vec<_>>().join(" · ")
}

fn gates_of(verdict: &Verdict, judgement: Judgement) -> impl Iterator<Item = &GateResult> {
    verdict.gates.iter().filter(move |gate| gate.verdict == judgement)
}

const LEAKED: &str = "operations reached live data, or a tag was lost";

/// Whether something of the run reached live data, or may have, for its tag was lost.
pub(crate) fn has_leaked(verdict: &Verdict) -> bool {
    let isolation = &verdict.isolation;
    [isolation.live_writes, isolation.tag_lost].into_iter().flatten().any(|n| n > 0)
}

/// What came out, in half a sentence.
pub(crate) fn headline(verdict: &Verdict) -> String {
    let all = verdict.gates.len();
    let failed = gates_of(verdict, Judgement::Fail).count();
    let unknown = gates_of(verdict, Judgement::Inconclusive).count();
    let gates = plural(all as u64, "gate", "gates");
    if let Some(by) = &verdict.stopped_by {
        return format!("stopped early by {}", by.replacen(": ", " – ", 1));
    }
    match (verdict.verdict, verdict.valid) {
        // What failed besides is said after it.
        (Judgement::Fail, _) if failed == 0 => LEAKED.to_owned(),
        (Judgement::Fail, _) if has_leaked(verdict) => format!("{LEAKED}; {failed} of {gates} failed"),
        (Judgement::Fail, _) => format!("{failed} of {gates} failed"),
        (_, false) => "the run is not valid, so nothing can be concluded from it".to_owned(),
        (Judgement::Inconclusive, _) => format!("{unknown} of {gates} could not be decided"),
        (Judgement::Pass, _) if all == 0 => "the load was sent as planned; no gates were set".to_owned(),
        (Judgement::Pass, _) if failed + unknown > 0 => "every gate that binds holds".to_owned(),
        (Judgement::Pass, _) if all == 1 => "the gate holds".to_owned(),
        (Judgement::Pass, _) => format!("all {gates} hold"),
    }
}

/// Why it came out so: what makes it invalid, the gates that failed, then those that could not be decided.
pub(crate) fn reasons(verdict: &Verdict) -> Vec<String> {
    let mut out = verdict.invalid_because.clone();
    let said = |gate: &GateResult| format!("{}: {}", gate.name, gate.because);
    out.extend(gates_of(verdict, Judgement::Fail).map(said));
    out.extend(gates_of(verdict, Judgement::Inconclusive).map(said));
    out
}

/// What may be said of a node.
pub(crate) fn standing(verdict: NodeVerdict) -> &'static str {
    match verdict {
        NodeVerdict::Bottleneck => "bottleneck",
        NodeVerdict::Contributor => "contributor",
        NodeVerdict::Clear => "clear",
    }
}

/// The node that limits the system.
pub(crate) fn limiting(verdict: &Verdict) -> Option<&Bottleneck> {
    let found = verdict.analysis.state == AnalysisState::Found;
    verdict.bottlenecks.iter().find(|node| found && node.verdict == NodeVerdict::Bottleneck)
}

/// A capacity with its interval: `412/s (389–431)`.
pub(crate) fn capacity(node: &Bottleneck) -> String {
    interval(&node.capacity_per_s, |value| rate(Some(value)), figure)
}

/// What a knee is the knee of.
pub(crate) fn knee_name(knee: &Knee) -> String {
    match knee.by {
        KneeBy::Objective => format!("objective {}", knee.of),
        KneeBy::Capacity => format!("capacity of {}", knee.of),
        KneeBy::Throughput => "throughput of the whole system".to_owned(),
        KneeBy::Peak => "most work in progress that pays".to_owned(),
    }
}

/// A capacity with its interval, in a sentence: `412 journeys a second (396–429)`.
pub(crate) fn capacity_in_words(node: &Bottleneck) -> String {
    interval(&node.capacity_per_s, |value| format!("{} journeys a second", figure(value)), figure)
}

/// A share with its interval: `62% (55–70)`.
pub(crate) fn share(node: &Bottleneck) -> String {
    interval(&node.share, |value| percent(Some(value)), |value| figure((value * 100.0).round()))
}

/// A rate of journeys with its interval: `412/s (389–431)`.
pub(crate) fn within(value: &peakdrill_drill_model::verdict::Estimate) -> String {
    interval(value, |value| rate(Some(value)), figure)
}

/// A number with its interval: `49 (44–55)`.
pub(crate) fn whole(value: &peakdrill_drill_model::verdict::Estimate) -> String {
    interval(value, |value| figure(value.round()), |value| figure(value.round()))
}

fn interval(
    value: &peakdrill_drill_model::verdict::Estimate,
    whole: impl Fn(f64) -> String,
    bare: impl Fn(f64) -> String,
) -> String {
    match (value.estimate, value.low, value.high) {
        (Some(middle), Some(low), Some(high)) => format!("{} ({}–{})", whole(middle), bare(low), bare(high)),
        (Some(middle), Some(low), None) => format!("{} ({} or more)", whole(middle), bare(low)),
        (Some(middle), ..) => whole(middle),
        (None, Some(low), Some(high)) => format!("between {} and {}", whole(low), whole(high)),
        (None, Some(low), None) => format!("at least {}", whole(low)),
        (None, None, Some(high)) => format!("below {}", whole(high)),
        _ => NOT_MEASURED.to_owned(),
    }
}

/// What headroom means against the highest tested rate.
pub(crate) fn headroom(node: &Bottleneck) -> Option<String> {
    let headroom = node.headroom.filter(|headroom| headroom.is_finite() && *headroom >= 0.0)?;
    Some(match headroom {
        h if h >= 1.005 => format!("{} above the highest rate that was tested", percent(Some(h - 1.0))),
        h if h > 0.995 => "just the highest rate that was tested".to_owned(),
        h => format!("{} below the highest rate that was tested", percent(Some(1.0 - h))),
    })
}

/// Headroom for a table: `+53%`, `-8.4%`.
pub(crate) fn headroom_signed(node: &Bottleneck) -> String {
    let over = node.headroom.filter(|headroom| headroom.is_finite()).map(|headroom| headroom - 1.0);
    match over {
        Some(over) if over >= 9.0 => format!("×{}", figure(over + 1.0)),
        Some(over) if over > 0.0 => format!("+{}", percent(Some(over))),
        over => percent(over),
    }
}

/// The highest rate that was tested, in a sentence.
pub(crate) fn tested_to(analysis: &AnalysisSummary) -> String {
    analysis.tested_to_per_s.map_or_else(
        || "the peak of the run".to_owned(),
        |rate| format!("{} journeys a second", figure(rate)),
    )
}

/// The bottleneck in one sentence, and in further ones what to know of it: what was left out, that only a part of the
/// requests was traced.
pub(crate) fn bottleneck(verdict: &Verdict) -> String {
    let analysis = &verdict.analysis;
    // A named node, and none at all, are told by the first.
    let told = match analysis.state {
        AnalysisState::Withheld => analysis.because.len(),
        AnalysisState::Found if limiting(verdict).is_none() => analysis.because.len(),
        AnalysisState::Found | AnalysisState::NoneUpTo => 1,
    };
    let further = analysis.because.iter().skip(told).map(|text| {
        let mut letters = text.chars();
        let first = letters.next().map(char::to_uppercase).into_iter().flatten();
        format!(" {}.", first.chain(letters).collect::<String>())
    });
    format!("{}{}", in_short(verdict), further.collect::<String>())
}

fn in_short(verdict: &Verdict) -> String {
    let because = match verdict.analysis.because.as_slice() {
        [] => String::new(),
        reasons => format!(": {}", reasons.join("; ")),
    };
    match verdict.analysis.state {
        AnalysisState::Withheld => format!("No bottleneck can be named{because}."),
        AnalysisState::NoneUpTo => {
            format!("No bottleneck up to {}, the most that was tested.", tested_to(&verdict.analysis))
        }
        AnalysisState::Found => match limiting(verdict) {
            None => format!("No single node limits the system{because}."),
            Some(node) => {
                let owner = node.owner.as_ref().map(|owner| format!(", {owner}")).unwrap_or_default();
                let head = format!("{} ({}{owner}) limits the system", node.node, node.kind.text());
                let carries = match (node.capacity_per_s.estimate, headroom(node)) {
                    (None, _) => String::new(),
                    (Some(_), None) => format!(" at {}", capacity_in_words(node)),
                    (Some(_), Some(room)) => format!(" at {}, {room}", capacity_in_words(node)),
                };
                format!("{head}{carries}.")
            }
        },
    }
}

/// Whose a node is, in one line: `owner team-stock, criticality tier 1, runbook https://…`.
#[must_use]
pub fn whose(owner: &Owner) -> String {
    let criticality = owner.criticality.as_ref().map(|text| format!(", criticality {text}"));
    let runbook = owner.runbook.as_ref().map(|text| format!(", runbook {text}"));
    let line =
        format!("owner {}{}{}", owner.team, criticality.unwrap_or_default(), runbook.unwrap_or_default());
    // It may go to a terminal as it is.
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The load in one line.
pub(crate) fn load(verdict: &Verdict) -> String {
    let load = &verdict.load;
    let of = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    let long = verdict.seconds.map(|s| format!(" for {}", length(s))).unwrap_or_default();
    format!(
        "{}{long} · sent {} of plan · missed {} · {} requests · errors {}",
        rate(load.rate_per_s),
        percent(of(load.sent, load.intended)),
        percent(of(load.missed, load.intended)),
        count(load.completed),
        percent(of(load.errors, load.completed)),
    )
}

/// Isolation in one line.
pub(crate) fn isolation(verdict: &Verdict) -> String {
    let isolation = &verdict.isolation;
    if isolation.shadow_writes.is_none() {
        return "not measured: no hop reported isolation decisions".to_owned();
    }
    let unobserved = match isolation.unobserved.as_slice() {
        [] => String::new(),
        stores => format!(" · not observed: {}", stores.join(", ")),
    };
    format!(
        "{} shadow writes · {} on live data · {} mocked · {} refused · {} tags lost{unobserved}",
        maybe_count(isolation.shadow_writes),
        maybe_count(isolation.live_writes),
        maybe_count(isolation.mocked),
        maybe_count(isolation.refused),
        maybe_count(isolation.tag_lost),
    )
}
