//! The verdict card of the terminal.

use peakdrill_drill_model::verdict::{FindingKind, Judgement, Millis, Told, Verdict};

use crate::numbers::{count, length, millis};
use crate::sentences::{
    apart, bottleneck, has_apart, has_leaked, headline, isolation, limiting, load, sign, whose, word,
};

/// Narrower terminals get lines of this width all the same.
const WIDTH_MIN: usize = 40;
/// Longer lines are hard to read, however wide the terminal is.
const WIDTH_MAX: usize = 110;
const LABEL: usize = 11;
const EVIDENCE_MAX: usize = 3;
const CLASSES_MAX: usize = 4;
const FINDINGS_MAX: usize = 4;

/// The verdict on a few lines of a terminal, with a final newline.
///
/// `width` is in columns; `color` allows ANSI colours, `unicode` signs beyond ASCII; `report` is where the
/// report is. Control characters of names are never passed on.
#[must_use]
pub fn card(verdict: &Verdict, width: usize, color: bool, unicode: bool, report: Option<&str>) -> String {
    let mut card = Card::new(width, color, unicode);
    card.title(verdict);
    card.row("load", &[(Tone::Plain, load(verdict))]);
    card.errors(verdict);
    card.outcomes(verdict);
    card.row("latency", &[(Tone::Plain, quantiles(&verdict.latency_ms))]);
    card.row("service", &[(Tone::Quiet, quantiles(&verdict.service_ms))]);
    let searched = verdict.load.capacity.iter();
    let searched: Vec<_> =
        searched.map(|found| (Tone::Strong, format!("{}: {found}", found.phase))).collect();
    card.row("capacity", &searched);
    card.gates(verdict);
    card.limit(verdict);
    card.findings(verdict);
    card.row("isolation", &[(leak_tone(verdict), isolation(verdict))]);
    let warnings: Vec<_> = verdict.warnings.iter().map(|text| (Tone::Warn, text.clone())).collect();
    card.row("note", &warnings);
    if let Some(report) = report {
        card.out.push('\n');
        card.row("report", &[(Tone::Strong, report.to_owned())]);
    }
    card.out
}

fn leak_tone(verdict: &Verdict) -> Tone {
    if has_leaked(verdict) { Tone::Bad } else { Tone::Plain }
}

fn quantiles(ms: &Millis) -> String {
    let named = [("p50", ms.p50), ("p90", ms.p90), ("p99", ms.p99), ("p99.9", ms.p99_9), ("max", ms.max)];
    named.map(|(name, value)| format!("{name} {}", millis(value))).join(" · ")
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Quiet,
    Strong,
    Good,
    Bad,
    Warn,
}

impl Tone {
    pub(super) fn of(judgement: Judgement) -> Self {
        match judgement {
            Judgement::Pass => Self::Good,
            Judgement::Fail => Self::Bad,
            Judgement::Inconclusive => Self::Warn,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Quiet => "\x1b[2m",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[1;31m",
            Self::Warn => "\x1b[33m",
        }
    }
}

/// Lines of a terminal in the making.
pub(super) struct Card {
    pub(super) out: String,
    width: usize,
    color: bool,
    pub(super) unicode: bool,
}

impl Card {
    pub(super) fn new(width: usize, color: bool, unicode: bool) -> Self {
        Self { out: String::new(), width: width.clamp(WIDTH_MIN, WIDTH_MAX), color, unicode }
    }

    fn title(&mut self, verdict: &Verdict) {
        let long = verdict.seconds.map(|s| format!(" · {}", length(s))).unwrap_or_default();
        let about = format!("{} · run {}{long}", verdict.drill, verdict.run);
        self.head(verdict.verdict, &about, &headline(verdict), &verdict.invalid_because);
    }

    /// What came out, of what, in a sentence, and why nothing better could.
    pub(super) fn head(
        &mut self,
        judgement: Judgement,
        about: &str,
        headline: &str,
        invalid_because: &[String],
    ) {
        let judged = format!("{} {}", sign(judgement, self.unicode), word(judgement).to_uppercase());
        let (judged, about) = (self.clean(&judged), self.clean(about));
        let (judged, about) = (self.tone(Tone::of(judgement), &judged), self.tone(Tone::Strong, &about));
        self.out.push_str(&format!("{judged}  {about}\n"));
        self.wrapped(2, "", headline, Tone::Plain);
        for reason in invalid_because {
            self.wrapped(2, "", reason, Tone::Warn);
        }
        self.out.push('\n');
    }

    fn errors(&mut self, verdict: &Verdict) {
        let mut classes: Vec<_> = verdict.load.errors_by_class.iter().collect();
        classes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let mut named: Vec<String> =
            classes.iter().take(CLASSES_MAX).map(|(class, n)| format!("{class} {}", count(**n))).collect();
        if classes.len() > CLASSES_MAX {
            named.push(format!("{} more classes", classes.len() - CLASSES_MAX));
        }
        if !named.is_empty() {
            self.row("errors", &[(Tone::Plain, named.join(" · "))]);
        }
    }

    fn outcomes(&mut self, verdict: &Verdict) {
        let declared = verdict.steps.iter().filter(|step| has_apart(step));
        let rows: Vec<_> =
            declared.map(|step| (Tone::Plain, format!("{}: {}", step.step, apart(step)))).collect();
        self.row("apart", &rows);
    }

    fn gates(&mut self, verdict: &Verdict) {
        let mut rows = Vec::new();
        for gate in &verdict.gates {
            let sign = sign(gate.verdict, self.unicode);
            let name = if gate.name == gate.assert { String::new() } else { format!("{}: ", gate.name) };
            rows.push((Tone::of(gate.verdict), format!("{sign} {name}{} → {}", gate.assert, gate.because)));
        }
        self.row("gates", &rows);
    }

    fn limit(&mut self, verdict: &Verdict) {
        let mut rows = vec![(Tone::Strong, bottleneck(verdict))];
        if let Some(node) = limiting(verdict) {
            rows.extend(
                node.evidence.iter().take(EVIDENCE_MAX).map(|text| (Tone::Quiet, format!("· {text}"))),
            );
        }
        let owner = limiting(verdict).and_then(|node| verdict.owners.get(&node.node));
        rows.extend(owner.map(|owner| (Tone::Strong, whose(owner))));
        self.row("bottleneck", &rows);
    }

    fn findings(&mut self, verdict: &Verdict) {
        let said = verdict.findings.iter().take(FINDINGS_MAX);
        let mut rows = Vec::new();
        for Told { finding: found, owner } in said {
            let tone = if found.kind == FindingKind::LiveUsersHurt { Tone::Bad } else { Tone::Warn };
            let owner = owner.as_ref().map(|owner| format!(" ({})", whose(owner)));
            rows.push((tone, format!("{}: {}{}", found.text, found.action, owner.unwrap_or_default())));
        }
        if verdict.findings.len() > FINDINGS_MAX {
            let more = verdict.findings.len() - FINDINGS_MAX;
            rows.push((Tone::Quiet, format!("{more} more in the report")));
        }
        self.row("findings", &rows);
    }

    /// A label and its lines, the label beside the first.
    pub(super) fn row(&mut self, label: &str, lines: &[(Tone, String)]) {
        for (index, (tone, text)) in lines.iter().enumerate() {
            self.wrapped(LABEL + 2, if index == 0 { label } else { "" }, text, *tone);
        }
    }

    fn wrapped(&mut self, indent: usize, label: &str, text: &str, tone: Tone) {
        let text = self.clean(text);
        let room = self.width.saturating_sub(indent).max(10);
        for (index, line) in wrap(&text, room).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let label = self.tone(Tone::Quiet, &format!("{label:>0$}", indent.saturating_sub(2)));
            let line = self.tone(tone, &line);
            self.out.push_str(&format!("{label}  {line}\n"));
        }
    }

    fn tone(&self, tone: Tone, text: &str) -> String {
        let code = tone.code();
        if self.color && !code.is_empty() && !text.trim().is_empty() {
            format!("{code}{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// No control characters, and no signs that the terminal cannot show.
    fn clean(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if c.is_control() || is_direction_mark(c) => out.push('?'),
                c if self.unicode || c.is_ascii() => out.push(c),
                '·' => out.push('|'),
                '–' | '—' => out.push('-'),
                '→' => out.push_str("->"),
                _ => out.push('?'),
            }
        }
        out
    }
}

/// Characters that reorder what a reader is shown.
pub(super) fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let size = word.chars().count();
        if used > 0 && used + 1 + size > room {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += size;
        }
    }
    lines
}
