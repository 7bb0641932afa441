//! What a request carries: its query and its body.

use std::sync::Arc;

use peakdrill_drill_model::plan::{DataFile, Part, Template};
use sha2::{Digest, Sha256};

use super::journeys::Env;
use super::json_body;
use super::vars::hex;
use crate::codes::{E0310, E0319, E0413, E0426};
use crate::ctx::{Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span, Value};

const JSON_TYPE: &str = "application/json";
const FORM_TYPE: &str = "application/x-www-form-urlencoded";
const FILE_TYPE: &str = "application/octet-stream";
/// The ways to write a body.
const KINDS: [&str; 5] = ["json", "body", "form", "body_file", "multipart"];

/// Reads the body, and adds the content type that it has by its form: the load engine escapes what it fills in by that
/// header.
pub(super) fn lower(
    env: &mut Env<'_>,
    fields: &Fields<'_>,
    headers: &mut Vec<(String, Template)>,
) -> Option<Template> {
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("`{first}` and `{second}` exclude each other");
        env.ctx.push(draft(E0319, fields.key_span(second), message));
    }
    let kind = *given.first()?;
    let node = fields.get(kind)?;
    let place = fields.key_span(kind);
    match kind {
        "json" => {
            content_type(env, headers, JSON_TYPE, kind, place);
            json_body::lower(env.ctx, &mut env.scope, node)
        }
        "form" => {
            content_type(env, headers, FORM_TYPE, kind, place);
            pairs(env, node, place, "`form`").map(Template)
        }
        "body_file" => file_at(env, node),
        "multipart" => multipart(env, node, place, headers),
        _ => env.scope.template(node, "`body`"),
    }
}

fn content_type(env: &Env<'_>, headers: &mut Vec<(String, Template)>, wanted: &str, kind: &str, place: Span) {
    match headers.iter().find(|(name, _)| name == "content-type") {
        None => headers.push(("content-type".to_owned(), Template::literal(wanted))),
        Some((_, given)) if *given == Template::literal(wanted) => {}
        Some(_) => {
            let message = format!("a `{kind}` body has the content type `{wanted}`");
            let found = draft(E0319, place, message);
            env.ctx.push(found.help("write the text into `body` to give it another one"));
        }
    }
}

/// The path with the query parameters behind it.
pub(super) fn query(env: &mut Env<'_>, fields: &Fields<'_>, path: Template) -> Option<Template> {
    let Some(node) = fields.get("query") else { return Some(path) };
    let pairs = pairs(env, node, fields.key_span("query"), "`query`")?;
    let has_query = path.0.iter().any(|part| matches!(part, Part::Literal(text) if text.contains('?')));
    let mut parts = path.0;
    if !pairs.is_empty() {
        join(&mut parts, Part::Literal(if has_query { "&" } else { "?" }.to_owned()));
        pairs.into_iter().for_each(|part| join(&mut parts, part));
    }
    Some(Template(parts))
}

fn join(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), part) {
        (Some(Part::Literal(last)), Part::Literal(text)) => last.push_str(&text),
        (_, part) => parts.push(part),
    }
}

/// `name=value&…`, percent-encoded; a list of values stands for the same name several times.
fn pairs(env: &mut Env<'_>, node: &Node, place: Span, what: &str) -> Option<Vec<Part>> {
    let (mut out, mut whole, mut first) = (super::template::Builder::default(), true, true);
    for (name, key, value) in env.ctx.mapping(node, place, what)? {
        let values = match &value.value {
            Value::Seq(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for value in values {
            out.text(if std::mem::take(&mut first) { "" } else { "&" });
            whole &= env.scope.append(key, name, &mut out, &percent);
            out.text("=");
            match env.ctx.scalar(value, &format!("`{name}`")) {
                Some(scalar) => whole &= env.scope.append(value, &scalar.text, &mut out, &percent),
                None => whole = false,
            }
        }
    }
    whole.then(|| out.finish().0)
}

/// All but the unreserved characters of RFC 3986, percent-encoded.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

fn multipart(
    env: &mut Env<'_>,
    node: &Node,
    place: Span,
    headers: &mut Vec<(String, Template)>,
) -> Option<Template> {
    let entries = env.ctx.mapping(node, place, "`multipart`")?;
    let mut parts: Vec<(String, Vec<Part>)> = Vec::new();
    let mut whole = true;
    for (name, key, value) in entries {
        whole &= quotable(env, key, name);
        let mut head = format!("content-disposition: form-data; name=\"{name}\"");
        if !matches!(value.value, Value::Map(_)) {
            let text = env.scope.template(value, &format!("`{name}`"));
            whole &= text.is_some();
            parts.push((head, text.unwrap_or_default().0));
            continue;
        }
        let Some(fields) = env.ctx.fields(value, key.span, &keys::PART) else {
            whole = false;
            continue;
        };
        let text = |key: &str| fields.get(key).and_then(|node| env.ctx.text(node, &format!("`{key}`")));
        let (path, kind, shown) = (text("file"), text("type"), text("name"));
        let (Some(node), Some(path)) = (fields.get("file"), path) else {
            whole = false;
            continue;
        };
        let shown = shown.as_deref().or_else(|| path.rsplit('/').next()).unwrap_or_default();
        let kind = kind.as_deref().unwrap_or(FILE_TYPE);
        whole &= quotable(env, key, shown) && quotable(env, key, kind);
        head.push_str(&format!("; filename=\"{shown}\"\r\ncontent-type: {kind}"));
        match file(env, node, &path) {
            Some(file) => parts.push((head, vec![file])),
            None => whole = false,
        }
    }
    if parts.is_empty() && whole {
        env.ctx.push(draft(E0310, place, "`multipart` is empty: write at least one field"));
    }
    let boundary = boundary(env, &parts);
    let wanted = format!("multipart/form-data; boundary={boundary}");
    content_type(env, headers, &wanted, "multipart", place);
    let mut out = Vec::new();
    for (head, content) in parts {
        join(&mut out, Part::Literal(format!("--{boundary}\r\n{head}\r\n\r\n")));
        content.into_iter().for_each(|part| join(&mut out, part));
        join(&mut out, Part::Literal("\r\n".to_owned()));
    }
    join(&mut out, Part::Literal(format!("--{boundary}--\r\n")));
    whole.then_some(Template(out))
}

/// A line that none of the parts holds: made of a hash of them all.
fn boundary(env: &Env<'_>, parts: &[(String, Vec<Part>)]) -> String {
    let mut hasher = Sha256::new();
    for (head, content) in parts {
        hasher.update(head);
        for part in content {
            match part {
                Part::Literal(text) => hasher.update(text),
                Part::File(at) => {
                    let files = env.ctx.files.borrow();
                    hasher.update(files.get(usize::from(*at)).map_or("", |file| file.sha256.as_str()));
                }
                _ => {}
            }
        }
    }
    let hash = hex(&hasher.finalize());
    format!("peakdrill-{}", hash.get(..32).unwrap_or_default())
}

fn quotable(env: &Env<'_>, key: &Node, text: &str) -> bool {
    let good = !text.is_empty()
        && !text.contains("${")
        && !text.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
    if !good {
        let message = format!("`{}` cannot stand in a multipart field", text.escape_default());
        env.ctx.push(draft(E0413, key.span, message));
    }
    good
}

/// The file that a node names, as all that is sent.
pub(super) fn file_at(env: &Env<'_>, node: &Node) -> Option<Template> {
    let path = env.ctx.text(node, "the file")?;
    Some(Template(vec![file(env, node, &path)?]))
}

/// A file whose bytes are sent: read once, however often it is named.
fn file(env: &Env<'_>, node: &Node, path: &str) -> Option<Part> {
    let known = env.ctx.files.borrow().iter().position(|file| file.path == path);
    if let Some(at) = known {
        return Some(Part::File(at as u16));
    }
    let content = env.ctx.data_file(node, path)?;
    let all: usize = env.ctx.files.borrow().iter().map(|file| file.content.len()).sum();
    if content.len() > limits::MAX_BODY_FILE_BYTES || all + content.len() > limits::MAX_BODY_FILES_BYTES {
        let (one, sum) = (limits::MAX_BODY_FILE_BYTES >> 20, limits::MAX_BODY_FILES_BYTES >> 20);
        let message = format!("`{path}` is too large to be sent: at most {one} MiB, and {sum} MiB in all");
        env.ctx.push(draft(E0426, node.span, message));
        return None;
    }
    let mut files = env.ctx.files.borrow_mut();
    files.push(DataFile {
        path: path.to_owned(),
        bytes: content.len() as u64,
        sha256: hex(&Sha256::digest(&content)),
        content: Arc::new(content),
    });
    u16::try_from(files.len() - 1).ok().map(Part::File)
}
