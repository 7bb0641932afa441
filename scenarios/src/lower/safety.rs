//! The shadow block and the guards.

use std::net::Ipv6Addr;

use peakdrill_drill_model::plan::{Guards, ShadowPlan};
use peakdrill_timebase::{NS_PER_MS, NS_PER_S};

use super::gates::{self, Names};
use crate::codes::{E0314, E0318, E0406, E0605, E0701};
use crate::condition::Kind;
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

/// Guards are looked at so often.
const GUARD_EVERY_NS: u64 = 250 * NS_PER_MS;
/// A stop takes at most so long.
const STOP_WITHIN_NS: u64 = NS_PER_S;
const DRAIN_RANGE_NS: std::ops::RangeInclusive<u64> = 0..=300 * NS_PER_S;
const DEFAULT_HEADER: &str = "x-peakdrill";
const DEFAULT_ACK_HEADER: &str = "x-peakdrill-ack";

/// Reads `${secret:NAME}`: the name.
pub(super) fn secret(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${secret:")?.strip_suffix('}')?.trim();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte == b'.';
    (!name.is_empty() && name.len() <= limits::MAX_NAME_BYTES && name.bytes().all(word)).then_some(name)
}

pub(super) fn shadow(ctx: &Ctx<'_>, node: &Node, place: Span) -> Option<ShadowPlan> {
    let fields = ctx.fields(node, place, &keys::SHADOW)?;
    let key_secret = fields.get("key").and_then(|node| {
        // The text may be the key itself, so no message may repeat it.
        let name = ctx.scalar(node, "`key`").and_then(|scalar| secret(&scalar.text));
        if name.is_none() {
            let found = draft(E0605, node.span, "the signing key must be a secret's name, not written here");
            ctx.push(found.help("write `key: \"${secret:NAME}\"`"));
        }
        name.map(str::to_owned)
    });
    let lease = fields.get("lease");
    let lease =
        lease.and_then(|node| ctx.duration(node, "`lease`", limits::MIN_LEASE_NS..=limits::MAX_LEASE_NS));
    let header = header(ctx, &fields, "header", DEFAULT_HEADER);
    let ack = fields.get("ack").and_then(|node| ctx.fields(node, fields.key_span("ack"), &keys::ACK));
    let mut ack_require = None;
    let mut ack_header = DEFAULT_ACK_HEADER.to_owned();
    if let Some(ack) = &ack {
        // Required it is, even where the share cannot be read.
        let require = |node: &Node| ctx.percent(node, "`ack.require`").unwrap_or(1.0);
        ack_require = ack.get("require").map(require);
        ack_header = self::header(ctx, ack, "response_header", DEFAULT_ACK_HEADER);
        if let Some(node) = ack.get("else") {
            ctx.choice(node, "`ack.else`", &["stop"]);
        }
    }
    let lease_ns = lease.unwrap_or(limits::DEFAULT_LEASE_NS);
    Some(ShadowPlan { key_secret, lease_ns, header, ack_require, ack_header })
}

fn header(ctx: &Ctx<'_>, fields: &Fields<'_>, key: &str, default: &str) -> String {
    let Some(node) = fields.get(key) else { return default.to_owned() };
    let Some(name) = ctx.text(node, &format!("`{key}`")) else { return default.to_owned() };
    let name = name.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let framing = ["host", "content-length", "transfer-encoding", "connection", "traceparent", "baggage"];
    if name.is_empty() || !name.bytes().all(token) || framing.contains(&name.as_str()) {
        ctx.push(draft(E0406, node.span, format!("`{name}` cannot be the header here")));
        return default.to_owned();
    }
    name
}

pub(super) fn guards(ctx: &Ctx<'_>, node: Option<&Node>, place: Span, names: &Names) -> Guards {
    let mut out = Guards { drain_ns: limits::DEFAULT_DRAIN_NS, ..Guards::default() };
    let Some(fields) = node.and_then(|node| ctx.fields(node, place, &keys::GUARDS)) else { return out };
    if let Some(node) = fields.get("every") {
        fixed(ctx, node, "`every`", GUARD_EVERY_NS, "250ms");
    }
    if let Some(node) = fields.get("limits") {
        limits_of(ctx, node, fields.key_span("limits"), &mut out);
    }
    if let Some(node) = fields.get("stop") {
        let key = fields.key_span("stop");
        let items = ctx.items(node, key, "`stop`").unwrap_or_default();
        if items.len() > limits::MAX_CONDITIONS {
            ctx.push(draft(E0701, key, format!("more than {} stop conditions", limits::MAX_CONDITIONS)));
        }
        out.stop = items.iter().filter_map(|item| gates::condition(ctx, item, Kind::Guard, names)).collect();
    }
    if let Some(node) = fields.get("on_stop")
        && let Some(on_stop) = ctx.fields(node, fields.key_span("on_stop"), &keys::ON_STOP)
    {
        if let Some(node) = on_stop.get("within") {
            fixed(ctx, node, "`within`", STOP_WITHIN_NS, "1s");
        }
        let drain = on_stop.get("drain").and_then(|node| ctx.duration(node, "`drain`", DRAIN_RANGE_NS));
        out.drain_ns = drain.unwrap_or(out.drain_ns);
    }
    out
}

/// A key that says how it is: only the one value is true.
fn fixed(ctx: &Ctx<'_>, node: &Node, what: &str, value_ns: u64, text: &str) {
    let read = ctx.duration(node, what, 0..=limits::MAX_DURATION_NS);
    if read.is_some_and(|ns| ns != value_ns) {
        ctx.push(draft(E0314, node.span, format!("{what} is fixed")).label(format!("expected `{text}`")));
    }
}

fn limits_of(ctx: &Ctx<'_>, node: &Node, place: Span, out: &mut Guards) {
    let Some(fields) = ctx.fields(node, place, &keys::LIMITS) else { return };
    out.limit_rate = fields.get("rate").and_then(|node| ctx.rate(node, "`limits.rate`"));
    let duration = fields.get("duration");
    out.limit_duration_ns = duration
        .and_then(|node| ctx.duration(node, "`limits.duration`", NS_PER_MS..=limits::MAX_DURATION_NS));
    let Some(node) = fields.get("hosts") else { return };
    let Some(hosts) = ctx.fields(node, fields.key_span("hosts"), &keys::HOSTS) else { return };
    out.hosts_allow = patterns(ctx, &hosts, "allow");
    out.hosts_deny = patterns(ctx, &hosts, "deny");
}

fn patterns(ctx: &Ctx<'_>, fields: &Fields<'_>, key: &str) -> Vec<String> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let items = ctx.items(node, fields.key_span(key), &format!("`hosts.{key}`")).unwrap_or_default();
    if items.is_empty() {
        ctx.push(draft(E0318, fields.key_span(key), format!("`hosts.{key}` is empty: remove it")));
    }
    items.iter().filter_map(|item| pattern(ctx, item)).collect()
}

fn pattern(ctx: &Ctx<'_>, node: &Node) -> Option<String> {
    let text = ctx.text(node, "a host")?.to_ascii_lowercase();
    let host = text.strip_prefix("*.").unwrap_or(&text);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let address = host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok();
    if !address && (host.is_empty() || !host.chars().all(good)) {
        let found = draft(E0314, node.span, format!("`{text}` is no host"));
        let help = "write a whole host, or `*.example.com` for all below it; no scheme, no port and no path";
        ctx.push(found.help(help));
        return None;
    }
    Some(text)
}
