//! The plan as it may be kept: what a request carries may be a credential, wherever it came from.

use peakdrill_drill_model::plan::{Node, Part, Plan, Request, Scrape, Template, Until, Ws, WsAct};

/// Headers whose fixed values say how, not who.
const PLAIN_HEADERS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "if-none-match",
    "origin",
    "user-agent",
];

/// The plan without what its requests carry: bodies, values of headers other than the plain ones, and what follows
/// the `?` of a path, of endpoints that are scraped as well. The holes of templates stay, for they name a source and hold no value.
#[must_use]
pub(super) fn redacted(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.journeys.iter_mut().for_each(|journey| steps(&mut journey.steps));
    plan.telemetry.scrape.iter_mut().for_each(scrape);
    plan
}

fn scrape(scrape: &mut Scrape) {
    scrape.url = scrape.place();
    if let Some((before, after)) = scrape.path.split_once('?') {
        scrape.path = format!("{before}?{}", left_out(after));
    }
}

fn steps(nodes: &mut [Node]) {
    for node in nodes {
        if let Node::Request(one) = node {
            request(one);
        }
        node.below_mut().for_each(|below| steps(below));
    }
}

fn request(request: &mut Request) {
    for (name, value) in &mut request.headers {
        if !PLAIN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            hide(value);
        }
    }
    request.values.iter_mut().for_each(|(_, value)| hide(value));
    if let Some(body) = &mut request.body {
        hide(body);
    }
    if let Some(Ws { act: WsAct::Say { receive: Some(receive), .. }, .. }) = &mut request.ws
        && let Some(Until::Same { value, .. }) = &mut receive.until
    {
        hide(value);
    }
    query(&mut request.path);
}

fn hide(template: &mut Template) {
    template.visit_mut(&mut |part| {
        if let Part::Literal(text) = part {
            *text = left_out(text);
        }
    });
}

fn query(path: &mut Template) {
    let mut in_query = false;
    for part in &mut path.0 {
        let Part::Literal(text) = part else {
            let mut hidden = Template(vec![part.clone()]);
            hide(&mut hidden);
            if let Some(hidden) = hidden.0.pop() {
                *part = hidden;
            }
            continue;
        };
        if in_query {
            *text = left_out(text);
        } else if let Some((before, after)) = text.split_once('?') {
            in_query = true;
            *text = format!("{before}?{}", left_out(after));
        }
    }
}

fn left_out(text: &str) -> String {
    format!("[{} bytes left out]", text.len())
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::plan::Journey;

    use super::*;
    use crate::testing::plan;

    #[test]
    fn what_requests_carry_is_not_kept() {
        let mut plan = plan();
        let request = Request {
            method: "POST".into(),
            path: Template::literal("/orders?api_key=k-123"),
            headers: vec![
                ("authorization".into(), Template::literal("Bearer t-123")),
                ("content-type".into(), Template::literal("application/json")),
            ],
            values: vec![("v".into(), Template(vec![Part::Base64(Template::literal("u:p-123"))]))],
            body: Some(Template(vec![Part::Literal("{\"auth\":\"b-123\",\"id\":\"".into()), Part::Index])),
            ..Request::default()
        };
        let steps = vec![Node::Request(Box::new(request))];
        plan.journeys.push(Journey { name: "j".into(), share: 1.0, steps, ..Journey::default() });
        plan.telemetry.scrape.push(Scrape {
            url: "http://exporter:9187/metrics?token=s-123".to_owned(),
            authority: "exporter:9187".to_owned(),
            path: "/metrics?token=s-123".to_owned(),
            service: None,
            every_ns: 1_000_000_000,
            tls: None,
        });
        let kept = serde_json::to_string(&redacted(&plan)).unwrap();
        assert!(!kept.contains("-123"), "{kept}");
        assert!(
            kept.contains("/metrics?[")
                && kept.contains("/orders?[")
                && kept.contains("application/json")
                && kept.contains("index"),
            "{kept}"
        );
    }
}
