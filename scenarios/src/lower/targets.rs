//! Targets.

use peakdrill_drill_model::plan::{MessageTypes, Protocol, Target};
use peakdrill_timebase::NS_PER_MS;
use peakdrill_wire_grpc::Schema;
use url::Url;

use super::{proto, reach};
use crate::codes::{E0311, E0317, E0318, E0319, E0404, E0701};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

const TIMEOUT_RANGE_NS: std::ops::RangeInclusive<u64> = NS_PER_MS..=3_600_000 * NS_PER_MS;

/// A target and where it stands.
pub(crate) struct Lowered {
    pub(crate) plan: Target,
    /// Its host, as it is compared with the host rules; empty when the URL is broken.
    pub(crate) host: String,
    /// The place of its URL.
    pub(crate) span: Span,
    /// Whether it is called by `grpc` steps.
    pub(crate) is_grpc: bool,
    /// Its message types, where they are known before a server is asked.
    pub(crate) schema: Option<Schema>,
}

pub(super) fn lower(ctx: &Ctx<'_>, node: Option<&Node>) -> Vec<Lowered> {
    let Some(node) = node else { return Vec::new() };
    let Some(entries) = ctx.mapping(node, node.span, "`targets`") else { return Vec::new() };
    if entries.is_empty() {
        ctx.push(draft(E0318, node.span, "`targets` is empty: a drill hits at least one"));
    }
    if entries.len() > limits::MAX_TARGETS {
        ctx.push(draft(E0701, node.span, format!("more than {} targets", limits::MAX_TARGETS)));
    }
    let mut out = Vec::new();
    for (name, key, value) in entries {
        ctx.name_ok(key, name, "a target");
        if let Some(fields) = ctx.fields(value, key.span, &keys::TARGET) {
            out.push(one(ctx, name, &fields));
        }
    }
    out
}

fn one(ctx: &Ctx<'_>, name: &str, fields: &Fields<'_>) -> Lowered {
    let url = fields.get("base_url").and_then(|node| checked_url(ctx, node));
    let (connect, request) = timeouts(ctx, fields);
    let mut plan = Target {
        name: name.to_owned(),
        connect_timeout_ns: connect,
        request_timeout_ns: request,
        max_connections: limits::DEFAULT_CONNECTIONS,
        ..Target::default()
    };
    let known = url.as_ref();
    let known = known.map(|url| reach::Url { host: &url.host, port: url.port, secure: url.secure });
    let streams = reach::lower(ctx, fields, known.as_ref(), &mut plan);
    plan.protocol = protocol(ctx, fields.get("protocol"), streams, url.as_ref());
    let is_grpc = url.as_ref().is_some_and(|url| url.is_grpc);
    let (types, schema) = types(ctx, fields, url.as_ref());
    let (base_url, host) = url.map(|url| (url.base, url.host)).unwrap_or_default();
    (plan.base_url, plan.types) = (base_url, types);
    let span = fields.get("base_url").map_or(fields.place, |node| node.span);
    Lowered { plan, host, span, is_grpc, schema }
}

fn protocol(
    ctx: &Ctx<'_>,
    node: Option<&Node>,
    streams: Option<(u32, Span)>,
    url: Option<&BaseUrl>,
) -> Protocol {
    let is_grpc = url.is_some_and(|url| url.is_grpc);
    let written = node.and_then(|node| Some((node, ctx.text(node, "`protocol`")?)));
    match written.as_ref().map(|(node, text)| (*node, text.as_ref())) {
        Some((_, "http2")) => return http2(streams),
        None | Some((_, "grpc")) if is_grpc => return http2(streams),
        Some((node, "http1")) if is_grpc => {
            ctx.push(draft(E0319, node.span, "gRPC is spoken over HTTP/2").help("leave `protocol` out"));
            return http2(streams);
        }
        Some((node, "grpc")) if url.is_some() => {
            let help = "begin the target's `base_url` with `grpc://`, or `grpcs://` for TLS";
            ctx.push(draft(E0319, node.span, "`protocol: grpc` is for gRPC targets").help(help));
        }
        Some((node, _)) => _ = ctx.choice(node, "`protocol`", &["http1", "http2", "grpc"]),
        None => {}
    }
    if let Some((_, span)) = streams {
        let message =
            "`streams` has no meaning without `protocol: http2`: over HTTP/1.1 a connection carries one";
        ctx.push(draft(E0319, span, message));
    }
    Protocol::Http1
}

fn http2(streams: Option<(u32, Span)>) -> Protocol {
    Protocol::Http2 { streams: streams.map_or(limits::DEFAULT_STREAMS, |(streams, _)| streams) }
}

fn checked_url(ctx: &Ctx<'_>, node: &Node) -> Option<BaseUrl> {
    let text = ctx.text(node, "`base_url`")?;
    match base_url(&text) {
        Ok(url) => Some(url),
        Err(why) => {
            ctx.push(draft(E0404, node.span, why).help(
                "write `http://host:port` or `https://host:port`, `ws://` or `wss://` for a target of `ws` \
                           steps alone, or `grpc://` or `grpcs://` for gRPC",
            ));
            None
        }
    }
}

/// A URL cut for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// Without a trailing slash.
    pub(crate) base: String,
    /// The host alone, lower case, IPv6 without brackets.
    pub(crate) host: String,
    /// Whether it is `grpc://` or `grpcs://`.
    pub(crate) is_grpc: bool,
    /// As written, or the scheme's own.
    pub(crate) port: u16,
    /// Over TLS.
    pub(crate) secure: bool,
}

/// Reads a target's URL.
pub(crate) fn base_url(text: &str) -> Result<BaseUrl, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("http" | "https" | "ws" | "wss" | "grpc" | "grpcs") => {}
        Some("h2c") => return Err("`h2c://` is written `http://`, with `protocol: http2`".to_owned()),
        _ => return Err(format!("`{text}` is no http, https, ws, wss, grpc or grpcs URL")),
    }
    let is_grpc = scheme.is_some_and(|scheme| scheme.starts_with("grpc"));
    // The parts of a URL with an own scheme are read as those of the web's.
    let as_http = if is_grpc { text.replacen("grpc", "http", 1) } else { text.to_owned() };
    let url = Url::parse(&as_http).map_err(|why| format!("`{text}` is no URL: {why}"))?;
    let Some(host) = url.host_str() else { return Err(format!("`{text}` has no host")) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL may not hold a user or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a target's URL has no query and no fragment".to_owned());
    }
    if is_grpc && url.path() != "/" {
        return Err("a gRPC target's URL has no path".to_owned());
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    let base = url.as_str().trim_end_matches('/');
    let base = if is_grpc { base.replacen("http", "grpc", 1) } else { base.to_owned() };
    let port = url.port_or_known_default().unwrap_or_default();
    Ok(BaseUrl { base, host, is_grpc, port, secure: matches!(url.scheme(), "https" | "wss") })
}

fn timeouts(ctx: &Ctx<'_>, fields: &Fields<'_>) -> (u64, u64) {
    let defaults = (limits::DEFAULT_CONNECT_NS, limits::DEFAULT_REQUEST_NS);
    let Some(node) = fields.get("timeouts") else { return defaults };
    let Some(fields) = ctx.fields(node, fields.key_span("timeouts"), &keys::TIMEOUTS) else {
        return defaults;
    };
    let read = |name: &str, default: u64| {
        fields
            .get(name)
            .and_then(|node| ctx.duration(node, &format!("`timeouts.{name}`"), TIMEOUT_RANGE_NS))
            .unwrap_or(default)
    };
    (read("connect", defaults.0), read("request", defaults.1))
}

/// Where the message types of a gRPC target are from, and what they are.
fn types(
    ctx: &Ctx<'_>,
    fields: &Fields<'_>,
    url: Option<&BaseUrl>,
) -> (Option<MessageTypes>, Option<Schema>) {
    let proto = fields.get("proto");
    let reflection =
        fields.get("reflection").and_then(|node| ctx.boolean(node, "`reflection`")) == Some(true);
    let compiled = proto.map(|node| proto::compile(ctx, node, fields.key_span("proto")));
    let is_grpc = url.is_some_and(|url| url.is_grpc);
    if !is_grpc {
        let given = ["proto", "reflection"].into_iter().find(|key| fields.get(key).is_some());
        if let Some(key) = given.filter(|_| url.is_some()) {
            let message = format!("`{key}` is for gRPC targets");
            let help = "a gRPC target's `base_url` begins with `grpc://` or `grpcs://`";
            ctx.push(draft(E0319, fields.key_span(key), message).help(help));
        }
        return (None, None);
    }
    match (compiled, reflection) {
        (Some(_), true) => {
            let message = "`proto` and `reflection` exclude each other";
            ctx.push(draft(E0319, fields.key_span("reflection"), message));
            (None, None)
        }
        (Some(Some(compiled)), false) => (Some(MessageTypes::Files(compiled.set)), Some(compiled.schema)),
        (Some(None), false) => (None, None),
        (None, true) => (Some(MessageTypes::Reflection), None),
        (None, false) => {
            let found = draft(E0311, fields.place, "a gRPC target needs the types of its messages");
            ctx.push(found.help("write `proto: [file.proto]`, or `reflection: true` to ask the server"));
            (None, None)
        }
    }
}

/// Reports a name that was used before in the same list.
pub(super) fn unique(ctx: &Ctx<'_>, seen: &mut Vec<(String, Span)>, name: &str, span: Span, what: &str) {
    if let Some((_, first)) = seen.iter().find(|(known, _)| known == name) {
        let line = ctx.source.place(first.start).0;
        let message = format!("two {what} have the name `{name}`");
        ctx.push(
            draft(E0317, span, message)
                .label(format!("first on line {line}"))
                .help("give one another `name`"),
        );
    } else {
        seen.push((name.to_owned(), span));
    }
}
