//! Isolation: stores and stubs.

use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{Isolation, SqlMode, SqlStore, Stub};
use peakdrill_timebase::{NS_PER_S, parse_duration};

use super::safety::secret;
use crate::codes::{E0313, E0314, E0318, E0319, E0402, E0403, E0405, E0605};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::node::{Node, Span};

/// Longest latency of a stub.
const MAX_STUB_LATENCY_NS: u64 = 60 * NS_PER_S;
/// Longest identifier that PostgreSQL keeps whole.
const MAX_IDENTIFIER_BYTES: usize = 63;

pub(super) fn lower(ctx: &Ctx<'_>, node: Option<&Node>, place: Span) -> Isolation {
    let mut out = Isolation { on_leak_stop: true, ..Isolation::default() };
    let Some(fields) = node.and_then(|node| ctx.fields(node, place, &keys::ISOLATION)) else { return out };
    if let Some(node) = fields.get("on_leak") {
        out.on_leak_stop = ctx.choice(node, "`on_leak`", &["stop", "warn"]) != Some("warn");
    }
    if let Some(node) = fields.get("stores") {
        let items = ctx.items(node, fields.key_span("stores"), "`stores`").unwrap_or_default();
        out.stores = items.iter().filter_map(|item| store(ctx, item)).collect();
    }
    if let Some(node) = fields.get("stubs") {
        let items = ctx.items(node, fields.key_span("stubs"), "`stubs`").unwrap_or_default();
        out.stubs = items.iter().filter_map(|item| stub(ctx, item)).collect();
    }
    out
}

fn store(ctx: &Ctx<'_>, item: &Node) -> Option<SqlStore> {
    let (kind, key, value) = ctx.variant(item, item.span, &keys::STORE)?;
    let fields = ctx.fields(value, key, &keys::SQL_STORE)?;
    let service = fields.get("service").and_then(|node| {
        let name = ctx.text(node, "`service`")?;
        ctx.title_ok(node, &name, "a service").then(|| name.into_owned())
    });
    let mode = fields.get("mode").and_then(|node| mode(ctx, node, fields.key_span("mode"), kind));
    let tables = tables(ctx, &fields);
    let dsn = fields.get("dsn").and_then(|node| dsn(ctx, node));
    Some(SqlStore { kind: kind.to_owned(), service: service?, mode: mode?, tables, dsn })
}

/// The name of the secret or of the environment variable; the DSN itself never stands in a plan.
fn dsn(ctx: &Ctx<'_>, node: &Node) -> Option<String> {
    let text = &ctx.scalar(node, "`dsn`")?.text;
    let env = text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}')).map(str::trim);
    let name = secret(text).or(env.filter(|name| !name.is_empty() && !name.contains("${")));
    if name.is_none() {
        let found = draft(E0605, node.span, "a DSN must be a secret's name, not written here");
        ctx.push(found.help("write `dsn: \"${secret:NAME}\"` or `dsn: \"${env:NAME}\"`"));
    }
    name.map(str::to_owned)
}

fn mode(ctx: &Ctx<'_>, node: &Node, place: Span, store: &str) -> Option<SqlMode> {
    let (kind, key, value) = ctx.variant(node, place, &keys::SQL_MODE)?;
    if kind == "shadow_schema" {
        if store == "sqlite" {
            let found = draft(E0319, key, "SQLite has no schemas");
            ctx.push(found.help("use `mode: { shadow_table: { prefix: shadow_ } }`"));
            return None;
        }
        return Some(SqlMode::ShadowSchema { schema: identifier(ctx, value, "`shadow_schema`")? });
    }
    let fields = ctx.fields(value, key, &keys::SHADOW_TABLE)?;
    let part = |name: &str| fields.get(name).map(|node| identifier(ctx, node, &format!("`{name}`")));
    let (prefix, suffix) = (part("prefix"), part("suffix"));
    if fields.is_empty() {
        let found = draft(E0318, key, "a shadow table needs another name");
        ctx.push(found.help("write `shadow_table: { prefix: shadow_ }`"));
        return None;
    }
    Some(SqlMode::ShadowTable {
        prefix: prefix.unwrap_or(Some(String::new()))?,
        suffix: suffix.unwrap_or(Some(String::new()))?,
    })
}

fn identifier(ctx: &Ctx<'_>, node: &Node, what: &str) -> Option<String> {
    let text = ctx.text(node, what)?;
    let good = !text.is_empty()
        && text.len() <= MAX_IDENTIFIER_BYTES
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !good {
        let found = draft(E0405, node.span, format!("{what} cannot be `{text}`"));
        ctx.push(found.help("lower-case letters, digits and `_`, at most 63: it becomes part of SQL names"));
        return None;
    }
    Some(text.into_owned())
}

fn tables(ctx: &Ctx<'_>, fields: &Fields<'_>) -> BTreeMap<String, String> {
    let Some(node) = fields.get("tables") else { return BTreeMap::new() };
    let place = fields.key_span("tables");
    let Some(entries) = ctx.mapping(node, place, "`tables`") else { return BTreeMap::new() };
    if entries.is_empty() {
        ctx.push(draft(E0318, place, "`tables` is empty: every statement would be refused"));
    }
    let mut out = BTreeMap::new();
    for (name, key, value) in entries {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '-');
        if name != "*" && (name.is_empty() || !name.chars().all(plain)) {
            let found = draft(E0405, key.span, format!("`{name}` is no table name"));
            ctx.push(found.help("a whole name, or `\"*\"` for all others"));
        }
        if let Some(policy) = policy(ctx, name, value) {
            out.insert(name.to_owned(), policy.to_owned());
        }
    }
    out
}

fn policy(ctx: &Ctx<'_>, name: &str, node: &Node) -> Option<&'static str> {
    let what = format!("the policy of `{name}`");
    if let later @ ("overlay" | "mock") = ctx.text(node, &what)?.as_ref() {
        let message = format!("the policy `{later}` for tables is not built yet");
        ctx.push(draft(E0313, node.span, message).label("not built yet"));
        return None;
    }
    ctx.choice(node, &what, keys::POLICIES)
}

fn stub(ctx: &Ctx<'_>, item: &Node) -> Option<Stub> {
    let fields = ctx.fields(item, item.span, &keys::STUB)?;
    let host = fields.get("host").and_then(|node| {
        let host = ctx.text(node, "`host`")?.to_ascii_lowercase();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']');
        if host.is_empty() || !host.chars().all(good) {
            ctx.push(
                draft(E0314, node.span, format!("`{host}` is no host"))
                    .help("no scheme, no path: `pay.example.com`"),
            );
            return None;
        }
        Some(host)
    });
    let reply =
        fields.get("reply").and_then(|node| ctx.fields(node, fields.key_span("reply"), &keys::REPLY))?;
    let status = reply.get("status").map_or(Some(200), |node| ctx.whole(node, "`status`", 100..=599_u16));
    let latency = reply.get("latency").map_or(Some((0, 0.0)), |node| latency(ctx, node));
    let body =
        reply.get("body").map_or(Some(String::new()), |node| Some(ctx.text(node, "`body`")?.into_owned()));
    let (latency_median_ns, latency_sigma) = latency?;
    Some(Stub { host: host?, status: status?, latency_median_ns, latency_sigma, body: body? })
}

fn latency(ctx: &Ctx<'_>, node: &Node) -> Option<(u64, f64)> {
    let text = ctx.text(node, "`latency`")?;
    let Some(inside) = text.strip_prefix("lognormal(").and_then(|rest| rest.strip_suffix(')')) else {
        return ctx.duration(node, "`latency`", 0..=MAX_STUB_LATENCY_NS).map(|ns| (ns, 0.0));
    };
    let parts = inside
        .split_once(',')
        .and_then(|(median, sigma)| Some((parse_duration(median).ok()?, sigma.trim().parse::<f64>().ok()?)));
    match parts {
        Some((median, sigma)) if median <= MAX_STUB_LATENCY_NS && (0.0..=5.0).contains(&sigma) => {
            Some((median, sigma))
        }
        Some(_) => {
            let found = draft(E0403, node.span, "`latency` is out of range");
            ctx.push(found.label("median at most 60s, sigma 0 to 5"));
            None
        }
        None => {
            let found = draft(E0402, node.span, format!("`latency` cannot be `{text}`"));
            ctx.push(found.help("write `80ms`, or `lognormal(80ms, 0.4)` by median and sigma"));
            None
        }
    }
}
