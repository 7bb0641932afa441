//! A gRPC call.

use peakdrill_drill_model::plan::{MessageTypes, Part, Request, Template};
use peakdrill_wire_grpc::{Method, MethodError, Part as Piece, Problem};

use super::check::Answers;
use super::journeys::Env;
use super::{json_body, request};
use crate::codes::{E0319, E0406, E0431, E0432};
use crate::ctx::{Draft, Fields, draft, nearest};
use crate::keys;
use crate::node::{Node, Span, Value};

pub(super) fn lower(env: &mut Env<'_>, value: &Node, key: Span) -> Option<Request> {
    let fields = env.ctx.fields(value, key, &keys::GRPC)?;
    let target = request::target(env, fields.get("target"), key);
    let at = fields.key_span("target");
    let is_grpc = target.is_none_or(|target| is_grpc(env, target, at));
    let values = request::values(env, &fields);
    let method_node = fields.get("method");
    let method = method_node.and_then(|node| env.ctx.text(node, "`method`")).map(|text| text.into_owned());
    let known = match (method_node, &method, target) {
        (Some(node), Some(method), Some(target)) if is_grpc => find(env, node, method, target),
        _ => None,
    };
    let metadata = metadata(env, &fields);
    let body = message(env, &fields, known.as_ref().and_then(|found| found.as_ref()));
    env.scope.values.clear();
    let timeout_ns = request::timeout(env, &fields);
    let checks = request::checks(env, &fields, Answers::Grpc);
    let outcomes = request::outcomes(env, &fields, Answers::Grpc);
    let step = request::name(env, &fields, method_node, &outcomes)?;
    let extract = request::extract(env, &fields, Answers::Grpc);
    let (target, method, body) = (target?, method?, body?);
    // A method that is not there was reported.
    known.filter(|_| is_grpc)?;
    let method = method.strip_prefix('/').map_or(method.clone(), str::to_owned);
    Some(Request {
        step,
        target,
        method: "POST".to_owned(),
        path: Template::literal(&format!("/{method}")),
        grpc: Some(method),
        values,
        headers: metadata,
        body: Some(body),
        extract,
        checks,
        outcomes,
        timeout_ns,
        ws: None,
    })
}

fn is_grpc(env: &Env<'_>, target: u16, at: Span) -> bool {
    let Some(target) = env.targets.get(usize::from(target)) else { return false };
    if target.is_grpc {
        return true;
    }
    let message = format!("the target `{}` is no gRPC target", target.plan.name);
    let help = "its `base_url` would begin with `grpc://`, or `grpcs://` for TLS";
    env.ctx.push(draft(E0319, at, message).help(help));
    false
}

/// The method: `Some(None)` where its types are known only to the server, `None` when it was reported.
fn find(env: &Env<'_>, node: &Node, name: &str, target: u16) -> Option<Option<Method>> {
    let target = env.targets.get(usize::from(target))?;
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
    };
    let parts = name.strip_prefix('/').unwrap_or(name).split_once('/');
    if !parts.is_some_and(|(service, method)| is_name(service) && is_name(method)) {
        let found = MethodError::Form(name.to_owned());
        env.ctx.push(draft(E0431, node.span, found.to_string()));
        return None;
    }
    // Files that cannot be compiled were reported.
    let Some(schema) = &target.schema else {
        return (target.plan.types == Some(MessageTypes::Reflection)).then_some(None);
    };
    match schema.method(name) {
        Ok(method) => Some(Some(method)),
        Err(error) => {
            env.ctx.push(unknown(draft(E0431, node.span, error.to_string()), &error));
            None
        }
    }
}

/// What could have been meant.
fn unknown(found: Draft, error: &MethodError) -> Draft {
    let (name, known) = match error {
        MethodError::NoService { name, known } | MethodError::NoMethod { name, known, .. } => (name, known),
        MethodError::Form(_) | MethodError::ClientStreaming(_) => return found,
    };
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help(format!("there are: {}", known.join(", "))),
    }
}

fn metadata(env: &mut Env<'_>, fields: &Fields<'_>) -> Vec<(String, Template)> {
    let headers = request::headers(env, fields, "metadata");
    let own = |name: &str| name.starts_with("grpc-") || matches!(name, "te" | "content-type" | "host");
    for (name, _) in headers.iter().filter(|(name, _)| own(name)) {
        let message = format!("the metadata `{name}` is set by peakdrill itself");
        env.ctx.push(draft(E0406, fields.key_span("metadata"), message));
    }
    headers
}

/// The message's JSON, held against its type where that is known.
fn message(env: &mut Env<'_>, fields: &Fields<'_>, method: Option<&Method>) -> Option<Template> {
    let node = fields.get("message");
    let template = match node {
        Some(node) => json_body::lower(env.ctx, &mut env.scope, node, "`message`")?,
        None => Template::literal("{}"),
    };
    let Some(method) = method else { return Some(template) };
    let pieces: Vec<Piece<'_>> = template.0.iter().map(piece).collect();
    let Err(problems) = method.request(&pieces) else { return Some(template) };
    for problem in problems {
        let place = node.map_or(fields.place, |node| place(node, &problem));
        let found = draft(E0432, place, problem.message.as_str());
        let written = node.and_then(|node| text_at(node, &problem)).unwrap_or_default();
        let near = nearest(written, problem.known.iter().map(String::as_str));
        env.ctx.push(match near {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None if problem.known.is_empty() => found,
            None => found.help(format!("there are: {}", problem.known.join(", "))),
        });
    }
    None
}

fn piece(part: &Part) -> Piece<'_> {
    match part {
        Part::Literal(text) => Piece::Literal(text),
        _ => Piece::Hole,
    }
}

/// The key and the value at a problem's place.
fn entry<'n>(node: &'n Node, problem: &Problem) -> (Option<&'n Node>, &'n Node) {
    let (mut key, mut at) = (None, node);
    for place in &problem.path {
        match &at.value {
            Value::Map(entries) => {
                let Some((name, value)) = entries.get(*place) else { break };
                (key, at) = (Some(name), value);
            }
            Value::Seq(items) => {
                let Some(item) = items.get(*place) else { break };
                (key, at) = (None, item);
            }
            Value::Scalar(_) => break,
        }
    }
    (key, at)
}

fn place(node: &Node, problem: &Problem) -> Span {
    let (key, value) = entry(node, problem);
    key.filter(|_| problem.at_key).map_or(value.span, |key| key.span)
}

fn text_at<'n>(node: &'n Node, problem: &Problem) -> Option<&'n str> {
    let (key, value) = entry(node, problem);
    let at = if problem.at_key { key? } else { value };
    at.scalar().map(|scalar| scalar.text.as_str())
}
