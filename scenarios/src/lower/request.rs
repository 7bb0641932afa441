//! One request step.

use peakdrill_drill_model::plan::{Check, Extract, Outcome, Part, Request, Source, Template};
use peakdrill_timebase::NS_PER_MS;

use super::check::Answers;
use super::journeys::Env;
use super::vars::BUILT_IN;
use super::{body, check};
use crate::codes::{E0210, E0310, E0311, E0316, E0317, E0319, E0406, E0409, E0412, E0427, E0701, W0801};
use crate::ctx::{Fields, draft, list_of, nearest};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};

pub(super) const TIMEOUT_RANGE_NS: std::ops::RangeInclusive<u64> = NS_PER_MS..=3_600_000 * NS_PER_MS;
/// Headers that the load engine sets, or that would break the framing.
const RESERVED: &[&str] = &[
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "traceparent",
    "tracestate",
    "baggage",
    "x-peakdrill",
];
/// Headers that carry credentials.
const CREDENTIALS: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"];

type Header = (String, Template);

pub(super) fn lower(env: &mut Env<'_>, method: &str, value: &Node, key: Span) -> Option<Request> {
    let method = method.to_ascii_uppercase();
    if matches!(value.value, Value::Scalar(_)) {
        return short(env, method, value, key);
    }
    let fields = env.ctx.fields(value, key, &keys::REQUEST)?;
    let target = target(env, fields.get("target"), key);
    let spoken = target.is_none_or(|target| is_http(env, target, key));
    let values = values(env, &fields);
    let path_node = fields.get("path");
    let path = path_node.and_then(|node| path(env, node)).and_then(|path| body::query(env, &fields, path));
    let mut headers = headers(env, &fields, "headers");
    let body = body::lower(env, &fields, &mut headers);
    env.scope.values.clear();
    let timeout_ns = timeout(env, &fields);
    let checks = checks(env, &fields, Answers::Http);
    let outcomes = outcomes(env, &fields, Answers::Http);
    let step = name(env, &fields, path_node, &outcomes)?;
    let extract = extract(env, &fields, Answers::Http);
    let (target, path) = (target.filter(|_| spoken)?, path?);
    over_http(env, target, key)?;
    let (ws, grpc) = (None, None);
    Some(Request {
        step,
        target,
        method,
        grpc,
        values,
        path,
        headers,
        body,
        extract,
        checks,
        outcomes,
        timeout_ns,
        ws,
    })
}

fn short(env: &mut Env<'_>, method: String, value: &Node, key: Span) -> Option<Request> {
    if value.is_null() {
        let message = format!("`{}` needs a path", method.to_ascii_lowercase());
        env.ctx.push(draft(E0311, key, message).help("write `- get: /path`, or `- get: { path: /path }`"));
        return None;
    }
    let target = target(env, None, key).filter(|target| is_http(env, *target, key));
    let path = path(env, value);
    let step = env.register(path_alone(&value.scalar()?.text).to_owned(), value.span, Vec::new());
    let (target, path) = (target?, path?);
    over_http(env, target, key)?;
    Some(Request { step, target, method, path, ..Request::default() })
}

/// Refuses a request to a target that is there for WebSockets alone.
fn over_http(env: &Env<'_>, target: u16, key: Span) -> Option<()> {
    let target = &env.targets.get(usize::from(target))?.plan;
    let Some(rest) = target.base_url.strip_prefix("ws") else { return Some(()) };
    let message = format!("the target `{}` is there for `ws` steps alone", target.name);
    let help = format!("give it the base_url `http{rest}`: `ws` steps work there as well");
    env.ctx.push(draft(E0319, key, message).help(help));
    None
}

/// The part of a path that names a step where nothing else does. What follows the `?` may be a credential, and names
/// stand in results, events and metrics.
pub(crate) fn path_alone(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// Registers the step under its name, or under the text of its method, or of its path without the query.
pub(super) fn name(
    env: &mut Env<'_>,
    fields: &Fields<'_>,
    path: Option<&Node>,
    outcomes: &[Outcome],
) -> Option<u16> {
    let outcomes = outcomes.iter().map(|outcome| outcome.name.clone()).collect();
    if let Some(node) = fields.get("name") {
        let name = env.ctx.text(node, "the step's name")?;
        env.ctx.title_ok(node, &name, "a step");
        return Some(env.register(name.into_owned(), node.span, outcomes));
    }
    let path = path?;
    Some(env.register(path_alone(&path.scalar()?.text).to_owned(), path.span, outcomes))
}

/// Whether a target is spoken to by requests; that it is not is reported.
fn is_http(env: &Env<'_>, target: u16, at: Span) -> bool {
    let Some(target) = env.targets.get(usize::from(target)).filter(|target| target.is_grpc) else {
        return true;
    };
    let message = format!("the target `{}` is a gRPC target: it is called by `grpc` steps", target.plan.name);
    env.ctx.push(draft(E0319, at, message));
    false
}

pub(super) fn timeout(env: &Env<'_>, fields: &Fields<'_>) -> Option<u64> {
    fields.get("timeout").and_then(|node| env.ctx.duration(node, "`timeout`", TIMEOUT_RANGE_NS))
}

pub(super) fn target(env: &Env<'_>, node: Option<&Node>, key: Span) -> Option<u16> {
    let names: Vec<&str> = env.targets.iter().map(|target| target.plan.name.as_str()).collect();
    let Some(node) = node else {
        return match names.len() {
            1 => Some(0),
            0 => None,
            _ => {
                let label = format!("expected `target:` {}", list_of(&names));
                env.ctx.push(
                    draft(E0311, key, "there are several targets: this step must name one").label(label),
                );
                None
            }
        };
    };
    let written = env.ctx.text(node, "`target`")?;
    let found = names.iter().position(|name| *name == written);
    if found.is_none() && !names.is_empty() {
        let message = format!("there is no target `{written}`");
        let mut found = draft(E0316, node.span, message).label(format!("expected {}", list_of(&names)));
        if let Some(near) = nearest(&written, names.iter().copied()) {
            found = found.help(format!("did you mean `{near}`?"));
        }
        env.ctx.push(found);
    }
    found.map(|at| at as u16)
}

pub(super) fn path(env: &mut Env<'_>, node: &Node) -> Option<Template> {
    let template = env.scope.template(node, "`path`")?;
    let starts = matches!(template.0.first(), Some(Part::Literal(text)) if text.starts_with('/'));
    if !starts {
        let found = draft(E0409, node.span, "a path begins with `/`");
        env.ctx.push(found.help("the host belongs into the target's `base_url`"));
        return None;
    }
    let bad = |c: char| {
        !c.is_ascii_graphic() || matches!(c, '#' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    };
    for part in &template.0 {
        if let Part::Literal(text) = part
            && let Some(c) = text.chars().find(|c| bad(*c))
        {
            let at = env.ctx.within(node, &c.to_string());
            let message = format!("`{}` cannot stand in a path", c.escape_default());
            let mut buffer = [0; 4];
            let encoded: String =
                c.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")).collect();
            env.ctx.push(draft(E0409, at, message).help(format!("write `{encoded}`")));
            return None;
        }
    }
    Some(template)
}

/// What stands at a key, and what other keys set.
pub(super) fn headers(env: &mut Env<'_>, fields: &Fields<'_>, at: &str) -> Vec<Header> {
    let mut out: Vec<Header> = Vec::new();
    if let Some(node) = fields.get(at) {
        for (name, key, value) in
            env.ctx.mapping(node, fields.key_span(at), &format!("`{at}`")).unwrap_or_default()
        {
            let name = name.to_ascii_lowercase();
            if env.cookies && name == "cookie" {
                let message = "the header `cookie` and `cookies: true` of the journey exclude each other";
                env.ctx.push(draft(E0319, key.span, message));
            } else if let Some(why) = header_problem(&name) {
                env.ctx.push(draft(E0406, key.span, why));
            } else if out.iter().any(|(known, _)| *known == name) {
                env.ctx.push(draft(E0317, key.span, format!("the header `{name}` stands twice")));
            } else if let Some(template) = header_value(env, value, &name, "") {
                out.push((name, template));
            }
        }
    }
    for (key, header, prefix) in
        [("bearer", "authorization", "Bearer "), ("idempotency_key", "idempotency-key", "")]
    {
        let Some(node) = fields.get(key) else { continue };
        if out.iter().any(|(known, _)| known == header) {
            let message = format!("`{key}` and the header `{header}` exclude each other");
            env.ctx.push(draft(E0319, fields.key_span(key), message));
        } else if let Some(template) = header_value(env, node, header, prefix) {
            out.push((header.to_owned(), template));
        }
    }
    if let Some(template) = basic(env, fields) {
        if out.iter().any(|(known, _)| known == "authorization") {
            let message = "`basic` and another `authorization` exclude each other";
            env.ctx.push(draft(E0319, fields.key_span("basic"), message));
        } else {
            out.push(("authorization".to_owned(), template));
        }
    }
    out
}

/// Whether a text is an HTTP token.
pub(super) fn header_name(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(token)
}

/// Why a request may not set a header, its name in lower case.
pub(crate) fn header_problem(name: &str) -> Option<String> {
    if !header_name(name) {
        return Some(format!("`{name}` is no header name"));
    }
    RESERVED.contains(&name).then(|| format!("the header `{name}` is set by peakdrill itself"))
}

fn header_value(env: &mut Env<'_>, node: &Node, name: &str, prefix: &str) -> Option<Template> {
    let mut template = env.scope.template(node, &format!("the header `{name}`"))?;
    for part in &template.0 {
        if let Part::Literal(text) = part
            && text.contains(char::is_control)
        {
            env.ctx.push(draft(E0406, node.span, format!("the header `{name}` holds control characters")));
        }
        if let Some((feeder, row)) = env.scope.broken_value(part) {
            let message =
                format!("row {row} of the feeder `{feeder}` holds control characters, which break a header");
            env.ctx.push(draft(E0427, node.span, message));
        }
    }
    let literal = template.0.iter().all(|part| matches!(part, Part::Literal(_)));
    if literal && !template.0.is_empty() && CREDENTIALS.contains(&name) {
        let message = format!("a literal credential in the header `{name}`");
        let found = draft(W0801, node.span, message).label("everyone who reads the plan can use it");
        env.ctx
            .push(found.help("write `${secret:NAME}`, extract it in a login step, or take it from a feeder"));
    }
    if !prefix.is_empty() {
        match template.0.first_mut() {
            Some(Part::Literal(first)) => first.insert_str(0, prefix),
            _ => template.0.insert(0, Part::Literal(prefix.to_owned())),
        }
    }
    Some(template)
}

/// Values of the step, each known to those after it.
pub(super) fn values(env: &mut Env<'_>, fields: &Fields<'_>) -> Vec<(String, Template)> {
    env.scope.values.clear();
    let Some(node) = fields.get("let") else { return Vec::new() };
    let entries = env.ctx.mapping(node, fields.key_span("let"), "`let`").unwrap_or_default();
    if let Some((_, key, _)) = entries.get(limits::MAX_VALUES) {
        env.ctx.push(draft(E0701, key.span, format!("more than {} values of one step", limits::MAX_VALUES)));
    }
    let mut out = Vec::new();
    for (name, key, value) in entries {
        if !env.ctx.name_ok(key, name, "a value") {
            continue;
        }
        let taken = BUILT_IN.contains(&name)
            || env.ctx.vars.borrow().contains_key(name)
            || env.scope.extracted.contains(name);
        if taken {
            let message = format!("`{name}` is already the name of something else");
            env.ctx.push(draft(E0210, key.span, message));
            continue;
        }
        let template = env.scope.template(value, &format!("the value `{name}`"));
        // Known from here on even when it is broken: one finding is enough.
        env.scope.values.insert(name.to_owned());
        out.extend(template.map(|template| (name.to_owned(), template)));
    }
    out
}

/// The header of `basic`.
fn basic(env: &mut Env<'_>, fields: &Fields<'_>) -> Option<Template> {
    let node = fields.get("basic")?;
    let basic = env.ctx.fields(node, fields.key_span("basic"), &keys::BASIC)?;
    let user = basic.get("user").and_then(|node| env.scope.template(node, "`user`"));
    let password = basic.get("password").and_then(|node| env.scope.template(node, "`password`"));
    let (user, password) = (user?, password?);
    if password.0.iter().all(|part| matches!(part, Part::Literal(_))) {
        let found = draft(W0801, fields.key_span("basic"), "a literal credential in `basic`");
        env.ctx.push(
            found
                .label("everyone who reads the plan can use it")
                .help("write `password: \"${secret:NAME}\"`"),
        );
    }
    let parts = user.0.into_iter().chain([Part::Literal(":".to_owned())]).chain(password.0).collect();
    Some(Template(vec![Part::Literal("Basic ".to_owned()), Part::Base64(Template(parts))]))
}

pub(super) fn extract(env: &mut Env<'_>, fields: &Fields<'_>, of: Answers) -> Vec<Extract> {
    let Some(node) = fields.get("extract") else { return Vec::new() };
    let entries = env.ctx.mapping(node, fields.key_span("extract"), "`extract`").unwrap_or_default();
    let mut out = Vec::new();
    for (name, key, value) in entries {
        if !env.ctx.name_ok(key, name, "an extracted value") {
            continue;
        }
        if BUILT_IN.contains(&name) || env.ctx.vars.borrow().contains_key(name) {
            let message = format!("`{name}` is already the name of something else");
            env.ctx.push(draft(E0210, key.span, message));
            continue;
        }
        // Known from here on even when its path is broken: one finding is enough.
        env.scope.extracted.insert(name.to_owned());
        if env.extracted.insert(name.to_owned()) && env.extracted.len() == limits::MAX_EXTRACTED + 1 {
            let message = format!("more than {} extracted values of one journey", limits::MAX_EXTRACTED);
            env.ctx
                .push(draft(E0701, key.span, message).help("extract only what later steps send or ask for"));
        }
        if let Some((from, default)) = source(env, key, value, of) {
            out.push(Extract { name: name.to_owned(), from, default });
        }
    }
    out
}

/// Where a value stands, and what is taken when it does not.
fn source(env: &Env<'_>, key: &Node, value: &Node, of: Answers) -> Option<(Source, Option<String>)> {
    let ctx = env.ctx;
    if !matches!(value.value, Value::Map(_)) {
        return Some((json_source(env, value)?, None));
    }
    let block = if of == Answers::Message { &keys::WS_EXTRACT } else { &keys::EXTRACT };
    let fields = ctx.fields(value, key.span, block)?;
    let default = fields.get("default").map(|node| ctx.text(node, "`default`"));
    let (json, regex, header) = (fields.get("json"), fields.get("regex"), fields.get("header"));
    let source = match (json, regex, header) {
        (Some(node), None, None) => json_source(env, node),
        (None, Some(node), None) if of == Answers::Grpc => {
            let message = "a gRPC answer is no text: its values stand at JSON paths or in metadata";
            ctx.push(draft(E0412, node.span, message).label("expected `json` or `header`"));
            None
        }
        (None, Some(node), None) => ctx.text(node, "`regex`").and_then(|text| match check::regex(&text) {
            Ok(()) => Some(Source::Regex(text.into_owned())),
            Err(found) => {
                ctx.push(found.at(node.span));
                None
            }
        }),
        (None, None, Some(node)) => ctx.text(node, "`header`").and_then(|name| match check::header(&name) {
            Ok(name) => Some(Source::Header(name)),
            Err(found) => {
                ctx.push(found.at(node.span));
                None
            }
        }),
        _ => {
            let message = "a value is extracted from exactly one place";
            let places: Vec<_> = block.usable().filter(|name| *name != "default").collect();
            let label = format!("expected one {}", list_of(&places));
            ctx.push(draft(E0412, key.span, message).label(label));
            None
        }
    };
    match default {
        Some(default) => Some((source?, Some(default?.into_owned()))),
        None => Some((source?, None)),
    }
}

fn json_source(env: &Env<'_>, node: &Node) -> Option<Source> {
    let path = env.ctx.text(node, "a JSON path")?;
    match check::json_path(&path) {
        Ok(()) => Some(Source::JsonPath(path.into_owned())),
        Err(found) => {
            env.ctx.push(found.at(node.span));
            None
        }
    }
}

pub(super) fn outcomes(env: &Env<'_>, fields: &Fields<'_>, of: Answers) -> Vec<Outcome> {
    let Some(node) = fields.get("outcome") else { return Vec::new() };
    let entries = env.ctx.mapping(node, fields.key_span("outcome"), "`outcome`").unwrap_or_default();
    if entries.len() > limits::MAX_OUTCOMES {
        let message = format!("more than {} classes of answers of one step", limits::MAX_OUTCOMES);
        env.ctx.push(draft(E0701, fields.key_span("outcome"), message));
    }
    let mut out = Vec::new();
    for (name, key, value) in entries {
        if !env.ctx.name_ok(key, name, "a class of answers") {
            continue;
        }
        if matches!(name, "ok" | "fail" | "error") {
            env.ctx.push(draft(E0210, key.span, format!("every step has the class `{name}`")));
            continue;
        }
        if let Some(when) = check::lower(env.ctx, value, of) {
            out.push(Outcome { name: name.to_owned(), when });
        }
    }
    out
}

pub(super) fn checks(env: &Env<'_>, fields: &Fields<'_>, of: Answers) -> Vec<Check> {
    let Some(node) = fields.get("check") else { return Vec::new() };
    if matches!(node.value, Value::Scalar(_)) && !node.is_null() {
        let found = draft(E0310, node.span, "`check` is a list");
        env.ctx.push(found.help("write `check: [\"status == 200\"]`"));
        return Vec::new();
    }
    let items = env.ctx.items(node, fields.key_span("check"), "`check`").unwrap_or_default();
    items.iter().filter_map(|item| check::lower(env.ctx, item, of)).collect()
}
