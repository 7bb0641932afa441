//! The service map: who calls whom, and where the time of requests flows.

mod drawing;
mod shapes;

use peakdrill_drill_model::verdict::Dependency;

use crate::flow::{self, Call};
use crate::markup::Page;
use crate::numbers::{NOT_MEASURED, count, figure, millis, percent, rate};

use super::layout::layers;
use super::{Report, section};
use drawing::{DENSE, DOWN, Map, TIGHT, WIDE};

/// Calls that are drawn; the table has more.
const CALLS_DRAWN_MAX: usize = 60;
/// Calls in the table.
const CALLS_LISTED_MAX: usize = 500;
/// Best-effort calls that are named in the text; the table marks all.
const NAMED_MAX: usize = 12;

/// Writes the section.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let all = &report.verdict.dependencies;
    if all.is_empty() {
        unseen(page);
        return;
    }
    const LEAD: &str = "Calls of this run, callers before the called. The thicker a line, the more of the time that \
        users waited passed through it. Beside a line: calls a second and p99, at the highest load.";
    section(page, "map", "Who calls whom, and where does the time go?", LEAD);
    let mut drawn: Vec<&Dependency> = all.iter().collect();
    drawn.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
    drawn.truncate(CALLS_DRAWN_MAX);
    let calls: Vec<Call<'_>> = flow::calls(report.record, all);
    let path = flow::main_path(&calls);
    told_path(page, &calls, &path);
    let shown: Vec<(Call<'_>, bool)> = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| drawn.iter().any(|one| (&one.from, &one.to) == (&call.all.from, &call.all.to)))
        .map(|(index, call)| (*call, path.contains(&index)))
        .collect();
    let edges: Vec<(&str, &str)> =
        shown.iter().map(|(call, _)| (call.all.from.as_str(), call.all.to.as_str())).collect();
    let graph = layers(&edges, "load");
    let wide = match graph.layers.len() {
        0..=4 => &WIDE,
        5 => &DENSE,
        _ => &TIGHT,
    };
    for style in [wide, &DOWN] {
        Map::new(report, &shown, &graph, style).write(page);
    }
    legend(page);
    best_effort(page, &calls);
    if all.len() > CALLS_DRAWN_MAX {
        page.put(
            "<p class=\"small\">The {} most frequent of {} calls are drawn.</p>\n",
            &[&CALLS_DRAWN_MAX, &all.len()],
        );
    }
    table(page, &calls);
    page.raw("</section>\n");
}

/// What to change so that there is something to draw.
fn unseen(page: &mut Page) {
    section(page, "map", "Who calls whom, and where does the time go?", "");
    page.raw("<p class=\"none\">Not measured: no spans of the system under test arrived.</p>\n");
    page.raw(
        "<p>To see the services, their dependencies and the bottleneck, let the services send OpenTelemetry ",
    );
    page.raw("traces to the drill: <code>peakdrill otel-profile</code> prints the settings, ");
    page.raw("<code>peakdrill otel-profile --format kubernetes</code> the same as a patch. Then drill again.</p>\n");
    page.raw("</section>\n");
}

fn told_path(page: &mut Page, calls: &[Call<'_>], path: &[usize]) {
    let on_path: Vec<&Call<'_>> = path.iter().filter_map(|index| calls.get(*index)).collect();
    let (Some(first), Some(last)) = (on_path.first(), on_path.last()) else { return };
    page.put("<p class=\"critical\"><b>The critical path:</b> {}", &[&first.all.from]);
    on_path.iter().for_each(|call| page.put(" → {}", &[&call.all.to]));
    page.put(". Requests spent {} of their time behind its last arrow.</p>\n", &[&percent(last.through())]);
}

fn legend(page: &mut Page) {
    page.raw("<p class=\"legend\"><span class=\"line-key path\">critical path</span> ");
    page.raw("<span class=\"line-key waited\">requests wait for it</span> ");
    page.raw("<span class=\"line-key effort\">best-effort: no request waits for it</span> ");
    shapes::legend(page);
    page.raw("</p>\n");
}

fn best_effort(page: &mut Page, calls: &[Call<'_>]) {
    let loose: Vec<String> = calls
        .iter()
        .filter(|call| call.best_effort())
        .map(|call| format!("{} → {}", call.all.from, call.all.to))
        .collect();
    if loose.is_empty() {
        return;
    }
    let more = loose.len().saturating_sub(NAMED_MAX);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    page.put(
        "<p class=\"small\"><b>Best-effort</b>, off the critical path: {}{}. When they are slow, what they do comes \
        late, but no user waits.</p>\n",
        &[&loose.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", "), &rest],
    );
}

/// Attempts a call, and how many of these went off beside one before.
fn attempts(call: &Dependency) -> String {
    let tried = call.retry_amplification.map_or_else(|| NOT_MEASURED.to_owned(), figure);
    let hedges = call.hedges.map(|hedges| format!(" ({} beside one before)", figure(hedges)));
    tried + &hedges.unwrap_or_default()
}

fn table(page: &mut Page, all: &[Call<'_>]) {
    page.put("<details><summary>All {} calls</summary><div class=\"scroll\"><table>\n", &[&all.len()]);
    page.raw("<thead><tr><th scope=\"col\">from</th><th scope=\"col\">to</th><th scope=\"col\" class=\"n\">calls</th>");
    page.raw("<th scope=\"col\" class=\"n\">errors</th><th scope=\"col\" class=\"n\">p50</th>");
    page.raw("<th scope=\"col\" class=\"n\">p99</th><th scope=\"col\" class=\"n\">at peak</th>");
    page.raw(
        "<th scope=\"col\" class=\"n\">of the time, in it</th><th scope=\"col\" class=\"n\">through it</th>",
    );
    page.raw("<th scope=\"col\" class=\"n\">attempts a call</th><th scope=\"col\">waited for</th></tr></thead>\n<tbody>\n");
    for one in all.iter().take(CALLS_LISTED_MAX) {
        let call = one.all;
        let errors = (call.calls > 0).then(|| call.errors as f64 / call.calls as f64);
        page.put(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[&call.from, &call.to, &count(call.calls), &percent(errors)],
        );
        page.put(
            "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[
                &millis(call.latency_ms.p50),
                &millis(call.latency_ms.p99),
                &rate(one.at_peak().map(|point| point.calls_per_s)),
            ],
        );
        let waited = match one.curve.and_then(|curve| curve.waited_for) {
            None => NOT_MEASURED,
            Some(_) if one.best_effort() => "best-effort",
            Some(_) => "yes",
        };
        page.put(
            "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
            &[&percent(call.critical_path_share), &percent(one.through()), &attempts(call), &waited],
        );
    }
    page.raw("</tbody></table></div></details>\n");
}
