//! A request step compiled to the bytes that are sent for it.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{Method, Uri};
use peakdrill_drill_model::plan::{MessageKind, Part, Plan, Protocol, Request, StepId, Template, Ws, WsAct};
use peakdrill_shadow_tag::baggage;
use peakdrill_timebase::UnixNs;
use peakdrill_wire_grpc::{Method as Called, Schema, Unrendered};
use peakdrill_wire_http1::{self as wire, put_decimal};
use peakdrill_wire_ws::KEY_BYTES;

use crate::answer::Wanted;
use crate::cookies::{Jar, Origin};
use crate::error::StartError;
use crate::extract::Reader;
use crate::form::Form;
use crate::grpc::{self, Message};
use crate::tagging::Stamper;
use crate::target::Address;
use crate::template::{Escape, Lets, Names, Text, Unfilled, Values};

use super::head::{Head, Line, unfit};
use super::websocket::{self, WsCode};
use super::written::{Unwritten, Written};

/// Headers that belong to the connection or the message's frame, or to the tag: a plan may not set them.
const RESERVED: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "traceparent",
    "expect",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
];

/// A request step, compiled.
#[derive(Debug)]
pub(crate) struct RequestCode {
    pub(crate) step: StepId,
    pub(crate) target: usize,
    pub(crate) timeout_ns: u64,
    pub(crate) reader: Reader,
    /// What its answer depends on.
    pub(crate) method: wire::Method,
    /// Whether the method promises to change nothing (RFC 9110, 9.2.1).
    pub(crate) is_safe: bool,
    /// Of a gRPC call, what is called.
    pub(crate) grpc: Option<Called>,
    /// Whether the answer is a row of gRPC messages.
    framed: bool,
    /// The whole answer is wanted, whatever its step reads.
    keeps: bool,
    /// Where its cookies belong, when its journey keeps any.
    cookies: Option<Home>,
    extracted_names: Vec<String>,
    /// Computed before all else.
    values: Vec<Text>,
    /// All but baggage, tag, and the length of a body that is not fixed.
    head: Head,
    /// Baggage that the request has anyway.
    baggage: Option<Text>,
    body: Body,
    /// What it does with a WebSocket of its journey.
    pub(crate) ws: Option<WsCode>,
}

/// Room for what a request is made of.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    body: Vec<u8>,
    value: Vec<u8>,
    lets: Lets,
}

#[derive(Debug)]
struct Home {
    host: String,
    tls: bool,
}

#[derive(Debug)]
enum Body {
    Fixed(Vec<u8>),
    /// A file.
    Shared(Arc<Vec<u8>>),
    Dynamic(Text),
    /// A gRPC message with holes.
    Message(Box<Message>),
}

/// A field of a request.
struct Field {
    name: HeaderName,
    text: Text,
    /// It holds something secret.
    secret: bool,
}

impl RequestCode {
    pub(crate) fn compile(
        plan: &Plan,
        request: &Request,
        (addresses, schema): (&[Address], Option<&Schema>),
        run: &str,
        names: &mut Names,
    ) -> Result<Self, StartError> {
        let target = usize::from(request.target);
        let (Some(address), Some(spec)) = (addresses.get(target), plan.targets.get(target)) else {
            return Err(StartError::Plan(format!("a step names target {target}, which is not there")));
        };
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| bad("a method that can be sent", &request.method))?;
        names.lets.clear();
        let mut computed = Vec::with_capacity(request.values.len());
        for (name, value) in &request.values {
            computed.push(Text::compile(value, Escape::None, run, names));
            names.lets.push(name.clone());
        }
        let form = if spec.protocol == Protocol::Http1 { Form::Lines } else { Form::Block };
        let ws = WsCode::compile(request, form, run, names)?;
        // A message has no head: it goes over what a request opened.
        let (mut head, baggage) = if request.is_message() {
            (Head::Lines(Text::default()), None)
        } else {
            compile_head(plan, request, (&method, address, form), run, names)?
        };
        let opens = ws.as_ref().is_some_and(WsCode::opens);
        if opens {
            websocket::put_upgrade(&mut head);
        }
        let called = called(request, schema)?;
        let body = match &called {
            Some(called) => compile_message(called, request, run, names)?,
            None => compile_body(request, run, names),
        };
        // Messages are framed by themselves.
        if let Some(length) = body.fixed_length(&method).filter(|_| request.grpc.is_none()) {
            let mut text = Text::default();
            text.literal(length.to_string().as_bytes());
            head.field("content-length", text, false);
        }
        Ok(Self {
            step: request.step,
            target,
            timeout_ns: request.timeout_ns.unwrap_or(spec.request_timeout_ns),
            reader: Reader::compile(request, names)?,
            method: match method {
                Method::HEAD => wire::Method::Head,
                _ if opens => wire::Method::Upgrade,
                _ => wire::Method::Other,
            },
            is_safe: method == Method::GET
                || method == Method::HEAD
                || called.as_ref().is_some_and(Called::is_safe),
            framed: request.grpc.is_some(),
            keeps: false,
            grpc: called,
            cookies: names.cookies.then(|| Home { host: address.domain.clone(), tls: address.tls }),
            extracted_names: Vec::new(),
            values: computed,
            head,
            baggage,
            body,
            ws,
        })
    }

    /// Gives it another body, and the whole of its answer is wanted: a question that is no step.
    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        self.body = Body::Fixed(body);
        self.keeps = true;
    }

    /// What is wanted of its answer.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { body: self.keeps || self.reader.needs_body(), frames: self.framed }
    }

    /// The names of the journey's extracted values: known when all of its steps are.
    pub(super) fn name_extracted(&mut self, names: &[String]) {
        self.extracted_names = names.to_vec();
    }

    /// How its fields are written.
    #[cfg(test)]
    pub(super) fn form(&self) -> Form {
        self.head.form()
    }

    /// Where its cookies belong; `None` when its journey keeps none.
    pub(crate) fn origin(&self) -> Option<Origin<'_>> {
        let target = self.target as u16;
        self.cookies.as_ref().map(|home| Origin { target, host: &home.host, tls: home.tls })
    }

    /// Writes the message, and the text that its answer is compared with.
    pub(super) fn write_message(
        &self,
        values: &Values<'_>,
        scratch: &mut Scratch,
        payload: &mut Vec<u8>,
        expected: Option<(&Text, &mut Vec<u8>)>,
    ) -> Result<(), Unwritten> {
        let Scratch { value, lets, .. } = scratch;
        self.compute(values, value, lets)?;
        let values = &Values { lets: &*lets, ..*values };
        match &self.body {
            Body::Fixed(body) => payload.extend_from_slice(body),
            Body::Shared(file) => payload.extend_from_slice(file),
            Body::Dynamic(text) => text.render(values, payload).map_err(|why| self.unfilled(why))?,
            // Of gRPC, which has no WebSocket.
            Body::Message(_) => return Err(Unwritten::Unfilled("a gRPC message has no place here".into())),
        }
        expected.map_or(Ok(()), |(text, out)| text.render(values, out)).map_err(|why| self.unfilled(why))
    }

    /// Computes the values that come before all else.
    fn compute(&self, values: &Values<'_>, room: &mut Vec<u8>, lets: &mut Lets) -> Result<(), Unwritten> {
        lets.clear();
        for text in &self.values {
            room.clear();
            text.render(&Values { lets: &*lets, ..*values }, room).map_err(|why| self.unfilled(why))?;
            lets.push(room);
        }
        Ok(())
    }

    /// Writes the whole request, tagged. `key` is that of the opening of a WebSocket.
    pub(crate) fn write(
        &self,
        (values, jar): (&Values<'_>, &mut Jar),
        stamper: &mut Stamper,
        wire: &mut Vec<u8>,
        scratch: &mut Scratch,
        key: Option<&[u8; KEY_BYTES]>,
    ) -> Result<Written, Unwritten> {
        let (now_unix_s, form) = (UnixNs(values.now_ns).seconds(), self.head.form());
        let Scratch { body: room, value, lets } = scratch;
        self.compute(values, value, lets)?;
        let values = &Values { lets: &*lets, ..*values };
        self.head.render(values, wire).map_err(|why| self.unfilled(why))?;
        if let Some(origin) = self.origin() {
            self.head.note(jar, values, wire).map_err(|why| self.unfilled(why))?;
            jar.put(origin, now_unix_s, form, wire);
        }
        if let Some(key) = key {
            form.put(wire, "sec-websocket-key", key, false);
        }
        let body = match &self.body {
            Body::Fixed(body) => body,
            Body::Shared(file) => file.as_ref(),
            dynamic => {
                room.clear();
                self.put_body(dynamic, values, room)?;
                if !self.framed {
                    value.clear();
                    put_decimal(value, room.len() as u64);
                    form.put(wire, "content-length", value, false);
                }
                room
            }
        };
        let now_unix_s = now_unix_s.max(0).unsigned_abs();
        let stamped = match &self.baggage {
            None => stamper.stamp(form, wire, None, now_unix_s)?,
            Some(text) => {
                let mut own = Vec::new();
                text.render(values, &mut own).map_err(|why| self.unfilled(why))?;
                stamper.stamp(form, wire, Some(&own), now_unix_s)?
            }
        };
        self.head.end(wire);
        let head_bytes = wire.len();
        wire.extend_from_slice(body);
        let (ids, not_after_unix_s) = stamped;
        Ok(Written { ids, not_after_unix_s, head_bytes })
    }

    fn put_body(&self, body: &Body, values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        match body {
            Body::Fixed(bytes) => out.extend_from_slice(bytes),
            Body::Shared(file) => out.extend_from_slice(file),
            Body::Dynamic(text) => text.render(values, out).map_err(|why| self.unfilled(why))?,
            Body::Message(message) => message.render(values, out).map_err(|why| match why {
                Unrendered::Unfilled(why) => self.unfilled(why),
                Unrendered::Unfit { field, expected } => {
                    Unwritten::Unfilled(format!("the value for `{field}` is not {expected}"))
                }
            })?,
        }
        Ok(())
    }

    fn unfilled(&self, why: Unfilled) -> Unwritten {
        Unwritten::Unfilled(match why {
            Unfilled::Missing(slot) => {
                let name = self.extracted_names.get(usize::from(slot)).map_or("?", String::as_str);
                format!("`{name}` has not been extracted")
            }
            Unfilled::Hole(hole) => format!("nothing belongs to the hole {hole} of the message"),
            Unfilled::Unfit => "a value is not fit for a header: it holds a control character".into(),
        })
    }
}

impl Body {
    /// What `content-length` says, where that is known before. Methods that are meant to carry a body say so also when
    /// it is empty (RFC 9110, 8.6).
    fn fixed_length(&self, method: &Method) -> Option<usize> {
        let carries = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        match self {
            Self::Fixed(body) => (carries || !body.is_empty()).then_some(body.len()),
            Self::Shared(file) => Some(file.len()),
            Self::Dynamic(_) | Self::Message(_) => None,
        }
    }
}

/// The head that does not depend on the body, and the baggage.
fn compile_head(
    plan: &Plan,
    request: &Request,
    (method, address, form): (&Method, &Address, Form),
    run: &str,
    names: &mut Names,
) -> Result<(Head, Option<Text>), StartError> {
    let whole = path(request, address, run, names)?;
    let (host, fields) = compile_fields(plan, request, address, form, run, names)?;
    let line = Line { method: method.clone(), path: whole, tls: address.tls, host };
    let mut head = Head::new(form, line);
    let mut baggage = None;
    for Field { name, text, secret } in fields {
        if name == baggage::HEADER {
            baggage = Some(text);
        } else {
            head.field(name.as_str(), text, secret);
        }
    }
    Ok((head, baggage))
}

fn bad(what: &str, text: &str) -> StartError {
    StartError::Plan(format!("`{text}` is not {what}"))
}

/// The path, with the target's prefix. Whatever is inserted is percent-encoded, so one filling stands for all.
fn path(request: &Request, address: &Address, run: &str, names: &mut Names) -> Result<Text, StartError> {
    let mut path = Text::default();
    path.literal(address.path_prefix.as_bytes());
    path.append(Text::compile(&request.path, Escape::Percent, run, names));
    let sample = path.sample();
    let is_path = sample.starts_with(b"/")
        && !sample.contains(&b'#')
        && Uri::from_maybe_shared(sample.clone()).is_ok_and(|uri| uri.authority().is_none());
    if is_path { Ok(path) } else { Err(bad("a path", &String::from_utf8_lossy(&sample))) }
}

fn compile_fields(
    plan: &Plan,
    request: &Request,
    address: &Address,
    form: Form,
    run: &str,
    names: &mut Names,
) -> Result<(Text, Vec<Field>), StartError> {
    let (mut fields, mut host): (Vec<Field>, _) = (Vec::new(), None);
    let tag = plan.shadow.as_ref().map(|shadow| shadow.header.to_ascii_lowercase());
    for (name, template) in &request.headers {
        let unsendable = || StartError::Plan(format!("header `{name}` cannot be sent"));
        let key: HeaderName = name.parse().map_err(|_| unsendable())?;
        if RESERVED.contains(&key.as_str()) || tag.as_deref() == Some(key.as_str()) {
            return Err(StartError::Plan(format!("header `{name}` is set by the engine alone")));
        }
        if key == baggage::HEADER && fields.iter().any(|known| known.name == key) {
            return Err(StartError::Plan("header `baggage` is set twice: join the two by a comma".into()));
        }
        let text = Text::compile(template, Escape::Field, run, names);
        let sample = text.sample();
        HeaderValue::from_bytes(&sample).map_err(|_| unsendable())?;
        if let Some(why) = unfit(form, &key, &sample) {
            return Err(StartError::Plan(format!("header `{name}` cannot be sent: {why}")));
        }
        if key == HOST && host.is_none() {
            host = Some(text);
        } else {
            fields.push(Field { name: key, text, secret: holds_secret(template) });
        }
    }
    for (name, value) in defaults(plan, request) {
        if !fields.iter().any(|known| known.name == name) {
            fields.push(Field { name, text: literal(&value), secret: false });
        }
    }
    Ok((host.unwrap_or_else(|| literal(&address.host)), fields))
}

fn literal(value: &HeaderValue) -> Text {
    let mut text = Text::default();
    text.literal(value.as_bytes());
    text
}

/// Whether a secret is written into it, or may be.
fn holds_secret(template: &Template) -> bool {
    let mut found = false;
    template.visit(&mut |part| found |= matches!(part, Part::Secret(_) | Part::Value(_)));
    found
}

/// Fields that a request has when its step does not set them.
fn defaults(plan: &Plan, request: &Request) -> Vec<(HeaderName, HeaderValue)> {
    let agent = HeaderValue::from_static(concat!("peakdrill/", env!("CARGO_PKG_VERSION")));
    if request.grpc.is_none() {
        return vec![(USER_AGENT, agent), (ACCEPT, HeaderValue::from_static("*/*"))];
    }
    let limit = plan.targets.get(usize::from(request.target)).map_or(0, |target| target.request_timeout_ns);
    let timeout = grpc::timeout_header(request.timeout_ns.unwrap_or(limit));
    let mut out = vec![(USER_AGENT, agent), (TE, HeaderValue::from_static("trailers"))];
    out.push((CONTENT_TYPE, HeaderValue::from_static("application/grpc")));
    out.extend(HeaderValue::from_str(&timeout).map(|value| (HeaderName::from_static("grpc-timeout"), value)));
    out
}

/// What a gRPC step calls.
fn called(request: &Request, schema: Option<&Schema>) -> Result<Option<Called>, StartError> {
    let (Some(name), Some(schema)) = (&request.grpc, schema) else { return Ok(None) };
    schema.method(name).map(Some).map_err(|error| StartError::Plan(error.to_string()))
}

fn compile_message(
    called: &Called,
    request: &Request,
    run: &str,
    names: &mut Names,
) -> Result<Body, StartError> {
    let empty = Template::literal("{}");
    let message = Message::compile(called, request.body.as_ref().unwrap_or(&empty), run, names)?;
    Ok(match message.fixed() {
        Some(bytes) => Body::Fixed(bytes),
        None => Body::Message(Box::new(message)),
    })
}

fn compile_body(request: &Request, run: &str, names: &mut Names) -> Body {
    let message = match &request.ws {
        Some(Ws { act: WsAct::Say { kind, .. }, .. }) => Some(*kind),
        _ => None,
    };
    let content_type =
        request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    let content_type = content_type.map_or_else(Vec::new, |(_, value)| {
        Text::compile(value, Escape::None, run, &mut Names::default()).sample()
    });
    let escape = match request.body.as_ref().map(|body| body.0.as_slice()) {
        // A body that was computed as a whole, to be signed, is sent as it is.
        Some([Part::Value(_)]) => Escape::None,
        _ if message == Some(MessageKind::Json) => Escape::Json,
        _ if message.is_some() => Escape::None,
        _ if is_json(&content_type) => Escape::Json,
        _ if is_form(&content_type) => Escape::Percent,
        _ => Escape::None,
    };
    let text = request.body.as_ref().map(|body| Text::compile(body, escape, run, names));
    if let Some(file) = text.as_ref().and_then(Text::shared) {
        return Body::Shared(Arc::clone(file));
    }
    match text.as_ref().map_or(Some(&b""[..]), Text::fixed) {
        Some(bytes) => Body::Fixed(bytes.to_vec()),
        None => Body::Dynamic(text.unwrap_or_default()),
    }
}

/// `application/x-www-form-urlencoded`, with or without parameters.
fn is_form(content_type: &[u8]) -> bool {
    let essence = content_type.split(|c| *c == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// `application/json` and `application/<anything>+json`, with or without parameters.
pub(crate) fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|c| *c == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    essence == b"application/json" || essence.starts_with(b"application/") && essence.ends_with(b"+json")
}
