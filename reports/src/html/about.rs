//! The run itself: how far its figures go, the generator, samples, how to repeat it.

use crate::markup::Page;
use crate::numbers::{NOT_MEASURED, count, figure, millis, percent};
use crate::{Sample, SampleKind};

use super::isolation::fact;
use super::{Report, section};

/// Samples that are shown; the record has all.
const SAMPLES_MAX: usize = 40;
/// Longer details are cut.
const DETAIL_CHARS_MAX: usize = 4000;

/// Writes the last sections.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    completeness(page, report);
    generator(page, report);
    samples(page, &report.record.samples);
    run(page, report);
}

fn completeness(page: &mut Page, report: &Report<'_>) {
    let services = &report.verdict.completeness;
    if services.is_empty() {
        return;
    }
    const LEAD: &str =
        "Spans received of those that services started. Below 90% nothing is concluded about a service.";
    section(page, "completeness", "How much of the telemetry arrived?", LEAD);
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">service</th><th scope=\"col\" class=\"n\">");
    page.raw("received</th><th scope=\"col\" class=\"wide-bars\"></th></tr></thead>\n<tbody>\n");
    for service in services {
        let share = service.share.filter(|share| share.is_finite()).unwrap_or(0.0).clamp(0.0, 1.0);
        let class = if service.share.is_some_and(|share| share < 0.9) { "s2" } else { "s1" };
        page.put(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"wide-bars\"><svg width=\"100%\" \
            height=\"10\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" height=\"10\" rx=\"2\"/>\
            <rect class=\"bar {}\" width=\"{}\" height=\"10\" rx=\"2\"/></svg></td></tr>\n",
            &[&service.service, &percent(service.share), &class, &super::chart::pct(share)],
        );
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

fn generator(page: &mut Page, report: &Report<'_>) {
    let verdict = report.verdict;
    let environment = &report.record.environment;
    let lead = match (verdict.valid, verdict.warnings.is_empty()) {
        (true, true) => "Yes: nothing speaks against them.",
        (true, false) => "Yes, with the warnings at the top.",
        (false, _) => "No: see the reasons at the top.",
    };
    section(page, "generator", "Can the generator's figures be trusted?", lead);
    page.raw("<dl class=\"facts\">");
    let lateness =
        format!("p50 {} · p99 {}", millis(verdict.lateness_ms.p50), millis(verdict.lateness_ms.p99));
    fact(page, "lateness", &lateness);
    let missed =
        (verdict.load.intended > 0).then(|| verdict.load.missed as f64 / verdict.load.intended as f64);
    fact(page, "missed arrivals", &percent(missed));
    fact(page, "busiest load thread", &percent(environment.busiest_thread_share));
    let cost = verdict.generator.cpu_us_per_request.map(|us| format!("{} µs", figure(us)));
    fact(page, "processor time a request", &cost.unwrap_or_else(|| NOT_MEASURED.to_owned()));
    let memory = verdict.generator.max_rss_mib.map(|mib| format!("{} MiB", figure(mib)));
    fact(page, "largest memory", &memory.unwrap_or_else(|| NOT_MEASURED.to_owned()));
    fact(
        page,
        "agents and load threads",
        &format!("{} and {}", known(environment.agents), known(environment.shards)),
    );
    page.raw("</dl>\n</section>\n");
}

fn known(n: u32) -> String {
    if n == 0 { NOT_MEASURED.to_owned() } else { count(u64::from(n)) }
}

fn samples(page: &mut Page, samples: &[Sample]) {
    if samples.is_empty() {
        return;
    }
    section(
        page,
        "samples",
        "What did single requests look like?",
        "Kept by chance among the failed and the slowest, secrets left out.",
    );
    for sample in samples.iter().take(SAMPLES_MAX) {
        let kind = match sample.kind {
            SampleKind::Failed => "failed",
            SampleKind::Slow => "slow",
        };
        page.put(
            "<details class=\"sample\"><summary><span class=\"kind k-{}\">{}</span> <b>{}</b>",
            &[&kind, &kind, &sample.step],
        );
        if let Some(class) = &sample.class {
            page.put(" <code>{}</code>", &[class]);
        }
        if let Some(status) = sample.status {
            page.put(" status {}", &[&status]);
        }
        page.put(" <span>{}</span></summary>", &[&millis(sample.latency_ms)]);
        let detail: String = sample.detail.chars().take(DETAIL_CHARS_MAX).collect();
        page.put("<pre>{}</pre></details>\n", &[&detail]);
    }
    if samples.len() > SAMPLES_MAX {
        page.put(
            "<p class=\"small\">{} of {} are shown; the record has all.</p>\n",
            &[&SAMPLES_MAX, &samples.len()],
        );
    }
    page.raw("</section>\n");
}

fn run(page: &mut Page, report: &Report<'_>) {
    let environment = &report.record.environment;
    let machine = &environment.machine;
    let plan = &report.record.plan;
    section(page, "about", "How was it run, and how to repeat it?", "");
    page.raw("<dl class=\"facts\">");
    fact(page, "peakdrill", &environment.version);
    fact(page, "seed", &plan.load.seed.to_string());
    fact(page, "scenario, SHA-256", &plan.scenario_sha256);
    let targets: Vec<String> =
        plan.targets.iter().map(|target| format!("{} {}", target.name, target.base_url)).collect();
    fact(page, "targets", &targets.join(", "));
    let named = |text: &str| if text.is_empty() { NOT_MEASURED.to_owned() } else { text.to_owned() };
    let memory = if machine.memory_mib == 0 { NOT_MEASURED.to_owned() } else { count(machine.memory_mib) };
    let host = machine.hostname.as_deref().map(|name| format!("{name}, ")).unwrap_or_default();
    let described = format!("{host}{} processors, {memory} MiB", known(machine.cpus));
    fact(page, "machine", &described);
    fact(page, "system", &named(format!("{} {}", machine.os, machine.kernel).trim()));
    fact(page, "transport", &named(&environment.transport));
    if let Some(live) = &report.verdict.live_view {
        let behind = format!("p99 {} behind what was received", millis(live.age_ms.p99));
        fact(page, "ranking while it ran", &behind);
    }
    page.raw("</dl>\n");
    if let Some(command) = &environment.command {
        page.put(
            "<p>The same arrivals again, with the scenario of the same hash:</p>\n<pre>{}</pre>\n",
            &[command],
        );
    }
    page.raw("<p class=\"small\">Every figure here is a function of the drill's record; <code>peakdrill report</code> ");
    page.raw("makes this page again, byte for byte.</p>\n</section>\n");
}
