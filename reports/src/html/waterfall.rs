//! The mean request from light load to peak, a step a node, in figures that add up.

use peakdrill_bottleneck::{Drop, Waterfall};

use crate::markup::Page;
use crate::numbers::{count, millis};

use super::chart::pct;
use super::{Report, section};

/// Steps that are drawn one by one; the rest is one step.
const STEPS_MAX: usize = 14;
/// Longer steps and requests are no measurements: eleven days.
const MS_MAX: f64 = 1e9;
/// A step that is less than this part of the whole growth is put with the rest.
const SMALL: f64 = 0.002;

const TITLE: &str = "Where did the extra time come from?";

/// Writes the section; nothing where no spans were received, which the map says.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let Some(fall) = report.record.analysis.as_ref().map(|part| &part.waterfall) else { return };
    let Some(shown) = Shown::new(fall) else {
        unknown(page, report);
        return;
    };
    section(page, "growth", TITLE, &shown.lead());
    page.raw(
        "<p class=\"legend\"><span class=\"key s1\">own work</span> <span class=\"key s2\">waiting for it: ",
    );
    page.raw(
        "queues, pools, locks</span> <span class=\"key s0\">gap: on the way to it, unexplained</span></p>\n",
    );
    page.raw("<div class=\"scroll\"><table class=\"waterfall\">\n<thead><tr><th scope=\"col\">node</th>");
    page.raw(
        "<th scope=\"col\" class=\"wide-bars\">from light load to peak</th><th scope=\"col\" class=\"n\">",
    );
    page.raw("sum, ms</th><th scope=\"col\" class=\"n wide\">work</th><th scope=\"col\" class=\"n wide\">wait</th>");
    page.raw("<th scope=\"col\" class=\"n wide\">gap</th></tr></thead>\n<tbody>\n");
    shown.end(page, "at light load", shown.light);
    let mut at = shown.light;
    for step in &shown.steps {
        shown.step(page, step, at);
        at += step.parts.iter().sum::<i64>();
    }
    shown.end(page, "at peak", at);
    page.raw("</tbody></table></div>\n");
    behind(page, &fall.behind);
    page.raw("</section>\n");
}

/// What to change so that there is something to compare.
fn unknown(page: &mut Page, report: &Report<'_>) {
    if report.verdict.dependencies.is_empty() {
        return;
    }
    section(page, "growth", TITLE, "");
    page.raw("<p class=\"none\">Not measured: too few requests with spans at light load or at peak.</p>\n");
    page.raw("<p>Let the drill begin with ten seconds of light load, and hold its peak for twenty: the two are compared.");
    page.raw("</p>\n</section>\n");
}

fn behind(page: &mut Page, late: &[Drop]) {
    let said = |row: &Drop| format!("{} {} a request", row.node, millis(Some(row.total_ms())));
    let told: Vec<String> =
        late.iter().filter(|row| row.total_ms().is_finite() && row.total_ms() >= 1.0).map(said).collect();
    if !told.is_empty() {
        page.put(
            "<p class=\"small\">Behind hand-overs, which no request waited for and which is not in the sum: {}.</p>\n",
            &[&told.join(", ")],
        );
    }
}

/// Work, wait and gap of one step, in units of the table.
struct Step {
    name: String,
    parts: [i64; 3],
}

/// The steps in whole units, so that what is printed adds up.
struct Shown {
    /// Units a millisecond: 1, 10 or 100.
    unit: i64,
    light: i64,
    steps: Vec<Step>,
    /// The highest that is reached on the way.
    highest: i64,
}

impl Shown {
    fn new(fall: &Waterfall) -> Option<Self> {
        let (light, peak) = (fall.light_ms, fall.peak_ms);
        let good = |row: &&Drop| parts(row).iter().all(|ms| ms.abs() < MS_MAX);
        let mut rows: Vec<&Drop> = fall.rows.iter().filter(good).collect();
        let most = light.abs().max(peak.abs());
        if rows.is_empty() || !(most > 0.0 && most < MS_MAX) || light < 0.0 {
            return None;
        }
        rows.sort_by(|a, b| b.total_ms().abs().total_cmp(&a.total_ms().abs()));
        let growth: f64 = rows.iter().map(|row| row.total_ms().abs()).sum();
        let counts = |row: &&&Drop| row.total_ms().abs() > SMALL * growth;
        let drawn = rows.iter().take(STEPS_MAX).take_while(counts).count();
        let (steps, rest) = rows.split_at(drawn);
        let mut steps: Vec<(String, [f64; 3])> =
            steps.iter().map(|row| (row.node.clone(), parts(row))).collect();
        if !rest.is_empty() {
            let all = rest
                .iter()
                .map(|row| parts(row))
                .fold([0.0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
            let name = if rest.len() == 1 { rest[0].node.clone() } else { format!("{} others", rest.len()) };
            steps.push((name, all));
        }
        let unit = if most >= 1000.0 {
            1
        } else if most >= 100.0 {
            10
        } else {
            100
        };
        let scaled: Vec<f64> = steps.iter().flat_map(|(_, parts)| parts.map(|ms| ms * unit as f64)).collect();
        let light = (light * unit as f64).round() as i64;
        let whole = apportion(&scaled, (peak * unit as f64).round() as i64 - light);
        let steps: Vec<Step> = steps
            .into_iter()
            .zip(whole.chunks_exact(3))
            .map(|((name, _), parts)| Step { name, parts: [parts[0], parts[1], parts[2]] })
            .filter(|step| step.parts != [0; 3])
            .collect();
        let mut at = light;
        let mut highest = light;
        for step in &steps {
            at += step.parts.iter().filter(|part| **part > 0).sum::<i64>();
            highest = highest.max(at);
            at += step.parts.iter().filter(|part| **part < 0).sum::<i64>();
        }
        Some(Self { unit, light, steps, highest: highest.max(1) })
    }

    fn lead(&self) -> String {
        let peak = self.light + self.steps.iter().flat_map(|step| step.parts).sum::<i64>();
        let ms = |units: i64| millis(Some(units as f64 / self.unit as f64));
        let first = self.steps.first().filter(|step| step.parts.iter().sum::<i64>() > 0);
        let most = first.map(|step| {
            let sum = step.parts.iter().sum::<i64>();
            let names = ["its own work", "waiting for it", "the way to it"];
            let largest =
                step.parts.iter().zip(names).max_by_key(|(part, _)| **part).map_or("", |(_, name)| name);
            format!(" The largest step is {}: {} more, most of it {largest}.", step.name, ms(sum))
        });
        format!(
            "The mean request took {} at light load and {} at peak. Each step is what one node added to it; together \
             they are all of the difference.{}",
            ms(self.light),
            ms(peak),
            most.unwrap_or_default()
        )
    }

    fn place(&self, units: i64) -> f64 {
        (units as f64 / self.highest as f64).clamp(0.0, 1.0)
    }

    fn figure(&self, units: i64) -> String {
        let sign = if units < 0 { "−" } else { "" };
        let (size, unit) = (units.unsigned_abs(), self.unit.unsigned_abs());
        let whole = count(size / unit);
        match self.unit {
            1 => format!("{sign}{whole}"),
            10 => format!("{sign}{whole}.{}", size % unit),
            _ => format!("{sign}{whole}.{:02}", size % unit),
        }
    }

    /// The row that the steps begin at, or lead to.
    fn end(&self, page: &mut Page, name: &str, units: i64) {
        page.put("<tr class=\"end\"><th scope=\"row\">{}</th><td class=\"wide-bars\">", &[&name]);
        page.raw("<svg width=\"100%\" height=\"18\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" height=\"18\" rx=\"3\"/>");
        page.put(
            "<rect class=\"bar whole\" x=\"0\" y=\"2\" width=\"{}\" height=\"14\"/>",
            &[&pct(self.place(units))],
        );
        page.put(
            "</svg></td><td class=\"n\"><b>{}</b></td><td class=\"wide\"></td><td class=\"wide\"></td><td class=\"wide\"></td></tr>\n",
            &[&self.figure(units)],
        );
    }

    fn step(&self, page: &mut Page, step: &Step, from: i64) {
        page.put("<tr><th scope=\"row\">{}</th><td class=\"wide-bars\">", &[&step.name]);
        page.raw("<svg width=\"100%\" height=\"18\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" height=\"18\" rx=\"3\"/>");
        let mut at = from;
        let ordered = step.parts.iter().zip(["s1", "s2", "s0"]);
        // What was added first, then what was saved: the end of the row is where the next begins.
        for (part, class) in
            ordered.clone().filter(|(part, _)| **part > 0).chain(ordered.filter(|(part, _)| **part < 0))
        {
            let to = at + part;
            let (low, high) = (self.place(at.min(to)), self.place(at.max(to)));
            let saved = if *part < 0 { " saved" } else { "" };
            page.put(
                "<rect class=\"bar {}{}\" x=\"{}\" y=\"2\" width=\"{}\" height=\"14\"/>",
                &[&class, &saved, &pct(low), &pct((high - low).max(0.002))],
            );
            at = to;
        }
        let [work, wait, gap] = step.parts.map(|part| self.figure(part));
        page.put(
            "</svg><small class=\"narrow\">work {} · wait {} · gap {}</small></td>",
            &[&work, &wait, &gap],
        );
        page.put("<td class=\"n\"><b>{}</b></td>", &[&self.signed(step.parts.iter().sum())]);
        [work, wait, gap].iter().for_each(|part| page.put("<td class=\"n wide\">{}</td>", &[part]));
        page.raw("</tr>\n");
    }

    fn signed(&self, units: i64) -> String {
        let plus = if units > 0 { "+" } else { "" };
        format!("{plus}{}", self.figure(units))
    }
}

fn parts(row: &Drop) -> [f64; 3] {
    [row.self_ms, row.wait_ms, row.gap_ms]
}

/// Rounds values so that they add up to a whole: each down, and then those up that lost most, as often as it takes.
fn apportion(values: &[f64], whole: i64) -> Vec<i64> {
    let mut out: Vec<i64> = values.iter().map(|value| value.floor() as i64).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    let lost = |at: &usize| values[*at] - values[*at].floor();
    order.sort_by(|a, b| lost(b).total_cmp(&lost(a)).then(a.cmp(b)));
    let missing = whole.saturating_sub(out.iter().sum());
    let Ok(n) = i64::try_from(order.len()) else { return out };
    if n == 0 {
        return out;
    }
    let (each, rest) = (missing.div_euclid(n), missing.rem_euclid(n));
    for (place, at) in (0..n).zip(order) {
        out[at] += each + i64::from(place < rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_adds_up(values in prop::collection::vec(-5000.0..5000.0_f64, 1..40), off in -1..=1_i64) {
            let whole = values.iter().sum::<f64>().round() as i64 + off;
            let out = apportion(&values, whole);
            prop_assert_eq!(out.iter().sum::<i64>(), whole);
            for (value, rounded) in values.iter().zip(&out) {
                prop_assert!((value - *rounded as f64).abs() <= 2.0, "{} became {}", value, rounded);
            }
        }
    }

    #[test]
    fn small_steps_are_one() {
        let row = |node: &str, wait_ms| Drop { node: node.to_owned(), self_ms: 0.0, wait_ms, gap_ms: 0.0 };
        let rows = vec![row("a", 0.3), row("stock", 400.0), row("b", 0.4), row("saved", -20.0)];
        let fall = Waterfall { light_ms: 100.0, peak_ms: 480.7, rows, behind: Vec::new() };
        let shown = Shown::new(&fall).unwrap();
        let names: Vec<&str> = shown.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["stock", "saved", "2 others"]);
        assert_eq!(shown.light + shown.steps.iter().flat_map(|step| step.parts).sum::<i64>(), 4807);
        assert_eq!(shown.figure(-205), "−20.5");
    }
}
