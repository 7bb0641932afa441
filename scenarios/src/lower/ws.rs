//! Steps over a WebSocket of the journey.

use peakdrill_drill_model::plan::{
    MessageKind, Node as Step, Part, Protocol, Receive, Request, Template, Until, WS_PER_JOURNEY_MAX, Ws,
    WsAct,
};

use super::check::Answers;
use super::journeys::Env;
use super::request::{self, TIMEOUT_RANGE_NS};
use super::targets::Lowered;
use super::{body, check, json_body};
use crate::codes::{E0202, E0313, E0319, E0324, E0406, E0701};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};

/// The ways to write a message.
const MESSAGES: [&str; 3] = ["send", "json", "send_file"];
/// What is asked of an answer.
const OF_ANSWERS: [&str; 4] = ["extract", "check", "outcome", "timeout"];

/// A WebSocket of the journey, as its first step describes it.
pub(super) struct Socket {
    /// The step that describes it.
    place: Span,
    /// Its opening. Target and path tell it from others.
    open: Request,
}

/// Reads a step: the opening, where the connection may not be open yet, and the message.
pub(super) fn lower(env: &mut Env<'_>, node: &Node, key: Span) -> Vec<Step> {
    let Some(fields) = env.ctx.fields(node, key, &keys::WS) else { return Vec::new() };
    let target = request::target(env, fields.get("target"), key);
    let values = request::values(env, &fields);
    let path = fields.get("path").and_then(|node| request::path(env, node));
    let target =
        target.and_then(|target| over_http1(env.ctx, env.targets.get(usize::from(target))?, target, key));
    let mut message = Request { method: "WS".to_owned(), values, ..Request::default() };
    let connection = match (target, path) {
        (Some(target), Some(path)) => {
            (message.target, message.path) = (target, path);
            socket(env, &fields, key, &message)
        }
        _ => None,
    };
    let kind = payload(env, &fields, &mut message);
    let receive = receive(env, &fields);
    env.scope.values.clear();
    answer(env, &fields, &mut message);
    let step = request::name(env, &fields, fields.get("path"), &message.outcomes);
    message.extract = request::extract(env, &fields, Answers::Message);
    let (Some(connection), Some(receive), Some(step)) = (connection, receive, step) else {
        return Vec::new();
    };
    env.is_message(step);
    message.step = step;
    let is_open = env.open_sockets >> connection & 1 == 1;
    if receive.is_none() {
        unanswered(env.ctx, &fields, message.body.is_some() || !is_open);
    }
    env.open_sockets |= 1 << connection;
    message.ws = Some(Ws { connection, act: WsAct::Say { kind, receive } });
    let opening = env.sockets.get(usize::from(connection)).filter(|_| !is_open);
    let opening = opening.map(|socket| socket.open.clone());
    opening.into_iter().chain([message]).map(|request| Step::Request(Box::new(request))).collect()
}

/// Refuses a WebSocket over anything but HTTP/1.1.
fn over_http1(ctx: &Ctx<'_>, target: &Lowered, number: u16, key: Span) -> Option<u16> {
    if target.plan.protocol == Protocol::Http1 {
        return Some(number);
    }
    let message =
        format!("`ws` steps over HTTP/2, as the target `{}` speaks it, are not built yet", target.plan.name);
    let help = "declare the same host once more as a target with `protocol: http1`";
    ctx.push(draft(E0313, key, message).label("not built yet").help(help));
    None
}

/// The number of the connection that a step speaks over; described by its first step.
fn socket(env: &mut Env<'_>, fields: &Fields<'_>, key: Span, of: &Request) -> Option<u8> {
    let same = |socket: &Socket| (socket.open.target, &socket.open.path) == (of.target, &of.path);
    if let Some(at) = env.sockets.iter().position(same) {
        let known = env.sockets.get(at)?;
        // The same text again, in a fragment that is used twice, says the same.
        if fields.get("open").is_some() && known.place != key {
            let line = env.ctx.source.place(known.place.start).0;
            let message = format!("the WebSocket is opened by the step on line {line}");
            let found = draft(E0319, fields.key_span("open"), message).label("not the first step over it");
            env.ctx
                .push(found.help("write `open` there; it holds for all steps with the same target and path"));
        }
        let missing = missing(env, &known.open);
        if let Some(name) = missing {
            let message =
                format!("opening the WebSocket needs `{name}`, which no step before this one extracts");
            env.ctx.push(draft(E0202, key, message));
        }
        return u8::try_from(at).ok();
    }
    if env.sockets.len() >= usize::from(WS_PER_JOURNEY_MAX) {
        let message = format!("more than {WS_PER_JOURNEY_MAX} WebSockets of one journey");
        let help = "steps with the same target and path share one: its holes are filled when it is opened";
        env.ctx.push(draft(E0701, key, message).help(help));
        return None;
    }
    let open = opening(env, fields, of)?;
    env.sockets.push(Socket { place: key, open });
    u8::try_from(env.sockets.len() - 1).ok()
}

/// A value that an opening takes from an earlier step, and that is not there on every way to this one.
fn missing(env: &Env<'_>, open: &Request) -> Option<String> {
    let mut missing = None;
    open.templates().for_each(|template| {
        template.visit(&mut |part| {
            if let Part::Extracted(name) = part
                && !env.scope.extracted.contains(name)
            {
                missing.get_or_insert_with(|| name.clone());
            }
        });
    });
    missing
}

/// The request that opens a connection.
fn opening(env: &mut Env<'_>, fields: &Fields<'_>, of: &Request) -> Option<Request> {
    let connection = u8::try_from(env.sockets.len()).ok()?;
    let empty = Node { span: fields.key_span("path"), value: Value::Map(Vec::new()) };
    let node = fields.get("open").unwrap_or(&empty);
    let open = env.ctx.fields(node, fields.key_span("open"), &keys::WS_OPEN)?;
    let mut headers = request::headers(env, &open, "headers");
    for (name, _) in &headers {
        if name.starts_with("sec-websocket-") {
            let found = draft(
                E0406,
                open.key_span("headers"),
                format!("the header `{name}` is set by peakdrill itself"),
            );
            env.ctx.push(found.help("subprotocols are offered by `subprotocols: [name]`"));
        }
    }
    headers.extend(subprotocols(env.ctx, &open));
    let path = fields.get("path")?;
    let (name, place) = match open.get("name") {
        Some(node) => {
            let name = env.ctx.text(node, "the name of the opening")?;
            env.ctx.title_ok(node, &name, "a step");
            (name.into_owned(), node.span)
        }
        None => (format!("open {}", request::path_alone(&path.scalar()?.text)), path.span),
    };
    let timeout_ns =
        open.get("timeout").and_then(|node| env.ctx.duration(node, "`timeout`", TIMEOUT_RANGE_NS));
    Some(Request {
        step: env.register(name, place, Vec::new()),
        target: of.target,
        method: "GET".to_owned(),
        values: of.values.clone(),
        path: of.path.clone(),
        headers,
        timeout_ns,
        ws: Some(Ws { connection, act: WsAct::Open }),
        ..Request::default()
    })
}

/// The header that offers subprotocols.
fn subprotocols(ctx: &Ctx<'_>, open: &Fields<'_>) -> Option<(String, Template)> {
    let node = open.get("subprotocols")?;
    let mut names = Vec::new();
    for item in ctx.items(node, open.key_span("subprotocols"), "`subprotocols`")? {
        let name = ctx.text(item, "a subprotocol")?;
        if !request::header_name(&name) {
            ctx.push(draft(E0406, item.span, format!("`{name}` is no name of a subprotocol")));
        }
        names.push(name.into_owned());
    }
    if names.is_empty() || names.len() > limits::MAX_SUBPROTOCOLS {
        let message = format!("`subprotocols` names 1 to {}", limits::MAX_SUBPROTOCOLS);
        ctx.push(draft(E0324, open.key_span("subprotocols"), message));
        return None;
    }
    Some(("sec-websocket-protocol".to_owned(), Template::literal(&names.join(", "))))
}

/// The message that is sent.
fn payload(env: &mut Env<'_>, fields: &Fields<'_>, message: &mut Request) -> MessageKind {
    let given: Vec<&str> = MESSAGES.into_iter().filter(|name| fields.get(name).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let text = format!("`{first}` and `{second}` exclude each other");
        env.ctx.push(draft(E0319, fields.key_span(second), text));
    }
    let Some((name, node)) = given.first().and_then(|name| Some((*name, fields.get(name)?))) else {
        return MessageKind::Text;
    };
    let (kind, body) = match name {
        "json" => (MessageKind::Json, json_body::lower(env.ctx, &mut env.scope, node, "`json`")),
        "send_file" => (MessageKind::Binary, body::file_at(env, node)),
        _ => (MessageKind::Text, env.scope.template(node, "`send`")),
    };
    message.body = body;
    kind
}

/// What is waited for. `None`: it cannot be read.
fn receive(env: &mut Env<'_>, fields: &Fields<'_>) -> Option<Option<Receive>> {
    let next = Receive { until: None, count: 1 };
    let Some(node) = fields.get("receive") else { return Some(Some(next)) };
    if node.scalar().is_some() {
        let word = env.ctx.choice(node, "`receive`", &["next", "none"])?;
        return Some((word == "next").then_some(next));
    }
    let fields = env.ctx.fields(node, fields.key_span("receive"), &keys::WS_RECEIVE)?;
    let count = fields.get("count").map(|node| env.ctx.whole(node, "`count`", 1..=limits::MAX_WS_COUNT));
    let until = fields.get("until").map(|node| until(env, node));
    let count = match count {
        Some(count) => count?,
        None => 1,
    };
    let until = match until {
        Some(until) => Some(until?),
        None => None,
    };
    Some(Some(Receive { until, count }))
}

/// A check of a message; what a JSON path is compared with may differ from journey to journey.
fn until(env: &mut Env<'_>, node: &Node) -> Option<Until> {
    let Template(parts) = env.scope.template(node, "`until`")?;
    let fixed: Option<String> = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let read = match fixed {
        Some(text) => check::message(&text).map(Until::Check),
        None => compared(parts),
    };
    read.map_err(|found| env.ctx.push(found.at(node.span))).ok()
}

/// `$.id == "${id}"`.
fn compared(parts: Vec<Part>) -> check::Read<Until> {
    let wrong = || {
        let message = "a value of the journey can only be compared with a JSON path";
        Box::new(draft(E0324, Span::default(), message).help("write `until: '$.id == \"${id}\"'`"))
    };
    let mut value = Vec::new();
    let mut parts = parts.into_iter();
    let Some(Part::Literal(first)) = parts.next() else { return Err(wrong()) };
    let (path, begin) = check::compared(first.trim_start()).ok_or_else(wrong)?;
    check::json_path(path)?;
    let quote = begin.chars().next().filter(|c| matches!(c, '"' | '\''));
    let begin = quote.map_or(begin, |quote| begin.trim_start_matches(quote));
    value.extend((!begin.is_empty()).then(|| Part::Literal(begin.to_owned())));
    value.extend(parts);
    if let Some(quote) = quote {
        let Some(Part::Literal(last)) = value.last_mut() else { return Err(wrong()) };
        let Some(inside) = last.trim_end().strip_suffix(quote) else { return Err(wrong()) };
        *last = inside.to_owned();
    }
    value.retain(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
    Ok(Until::Same { path: path.to_owned(), value: Template(value) })
}

/// What is asked of the answer.
fn answer(env: &mut Env<'_>, fields: &Fields<'_>, message: &mut Request) {
    message.timeout_ns =
        fields.get("timeout").and_then(|node| env.ctx.duration(node, "`timeout`", TIMEOUT_RANGE_NS));
    message.checks = request::checks(env, fields, Answers::Message);
    message.outcomes = request::outcomes(env, fields, Answers::Message);
}

/// A step that waits for nothing asks nothing of an answer, and does something.
fn unanswered(ctx: &Ctx<'_>, fields: &Fields<'_>, acts: bool) {
    for name in OF_ANSWERS.into_iter().filter(|name| fields.get(name).is_some()) {
        let message = format!("`{name}` asks for an answer, and `receive: none` waits for none");
        ctx.push(draft(E0319, fields.key_span(name), message));
    }
    if !acts {
        let message = "the step does nothing: it sends nothing and waits for nothing";
        ctx.push(
            draft(E0324, fields.place, message)
                .help("write `send:` or `json:`, or leave out `receive: none`"),
        );
    }
}
