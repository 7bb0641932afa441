//! What is fetched of the system under test, and of how many requests it is asked for spans.

use peakdrill_drill_model::plan::{Scrape, Telemetry};
use peakdrill_timebase::{NS_PER_MS, NS_PER_S};
use url::Url;

use super::tls;
use crate::codes::{E0318, E0403, E0417, E0701};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

const EVERY_RANGE_NS: std::ops::RangeInclusive<u64> = 200 * NS_PER_MS..=10 * NS_PER_S;
const DEFAULT_EVERY_NS: u64 = NS_PER_S;
const MILLION: f64 = 1e6;

pub(super) fn lower(ctx: &Ctx<'_>, node: Option<&Node>, place: Span) -> Telemetry {
    let Some(fields) = node.and_then(|node| ctx.fields(node, place, &keys::TELEMETRY)) else {
        return Telemetry::default();
    };
    if fields.get("scrape").is_none() && fields.get("traces").is_none() {
        ctx.push(draft(
            E0318,
            place,
            "`telemetry` says nothing: remove it, name endpoints in `scrape`, or a share in `traces`",
        ));
    }
    let scrape = fields.get("scrape").map(|node| scrapes(ctx, &fields, node));
    let traces_ppm = fields.get("traces").and_then(|node| traces(ctx, node));
    Telemetry { scrape: scrape.unwrap_or_default(), traces_ppm }
}

/// Of a million requests, those that are traced; `None`: all.
fn traces(ctx: &Ctx<'_>, node: &Node) -> Option<u32> {
    let share = ctx.percent(node, "`traces`")?;
    let ppm = (share * MILLION).round();
    if ppm < 1.0 {
        let found = draft(E0403, node.span, "`traces` is out of range").label("must be 0.0001% to 100%");
        ctx.push(found.help("without any trace no dependency can be named"));
        return None;
    }
    (ppm < MILLION).then_some(ppm as u32)
}

fn scrapes(ctx: &Ctx<'_>, fields: &Fields<'_>, node: &Node) -> Vec<Scrape> {
    let key = fields.key_span("scrape");
    let items = ctx.items(node, key, "`scrape`").unwrap_or_default();
    if items.len() > limits::MAX_SCRAPES {
        ctx.push(draft(E0701, key, format!("more than {} endpoints to scrape", limits::MAX_SCRAPES)));
    }
    let fields = |item| ctx.fields(item, item.span, &keys::SCRAPE);
    let scrape =
        items.iter().take(limits::MAX_SCRAPES).filter_map(fields).filter_map(|one| scrape(ctx, &one));
    scrape.collect()
}

fn scrape(ctx: &Ctx<'_>, fields: &Fields<'_>) -> Option<Scrape> {
    let service = fields.get("service").and_then(|node| {
        let name = ctx.text(node, "`service`")?;
        ctx.title_ok(node, &name, "a service");
        Some(name.into_owned())
    });
    let every = fields.get("every").and_then(|node| ctx.duration(node, "`every`", EVERY_RANGE_NS));
    let endpoint = fields.get("url").and_then(|node| endpoint(ctx, node));
    // Without a URL nothing is held against it, but read all the same: what else is wrong is told at once.
    let secure = endpoint.as_ref().is_none_or(|endpoint| endpoint.secure);
    let tls = tls::lower(ctx, fields, secure, "write `https://` in `url`");
    let Endpoint { url, authority, path, secure } = endpoint?;
    let every_ns = every.unwrap_or(DEFAULT_EVERY_NS);
    Some(Scrape { url, authority, path, service, every_ns, tls: secure.then_some(tls) })
}

/// A URL cut for a look.
struct Endpoint {
    url: String,
    /// `host:port`.
    authority: String,
    /// With the query.
    path: String,
    /// Over TLS.
    secure: bool,
}

fn endpoint(ctx: &Ctx<'_>, node: &Node) -> Option<Endpoint> {
    let text = ctx.text(node, "`url`")?;
    let refuse = |why: String| {
        ctx.push(
            draft(E0417, node.span, why)
                .help("write `http://host:port/metrics` or `https://host:port/metrics`"),
        );
        None
    };
    let url = match Url::parse(&text) {
        Ok(url) => url,
        // It may hold a credential: only its place is told.
        Err(why) => return refuse(format!("this is no URL: {why}")),
    };
    let secure = match url.scheme() {
        "http" => false,
        "https" => true,
        other => return refuse(format!("`{other}://` is no scheme of an endpoint")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("a URL may not hold a user or a password".to_owned());
    }
    let Some(host) = url.host_str() else { return refuse("this URL has no host".to_owned()) };
    let authority = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{}{query}", url.path());
    Some(Endpoint { url: text.into_owned(), authority, path, secure })
}
