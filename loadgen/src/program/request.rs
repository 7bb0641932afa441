//! A request step compiled to the bytes that are sent for it.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Uri};
use peakdrill_drill_model::plan::{MessageKind, Part, Plan, Request, StepId, Ws, WsAct};
use peakdrill_shadow_tag::baggage;
use peakdrill_timebase::UnixNs;
use peakdrill_wire_http1::{self as wire, put_decimal};
use peakdrill_wire_ws::KEY_BYTES;

use super::websocket::{self, WsCode};
use crate::cookies::{Jar, Origin};
use crate::error::StartError;
use crate::extract::Reader;
use crate::tagging::{Ids, NoToken, Stamper};
use crate::target::Address;
use crate::template::{Escape, Lets, Names, Text, Unfilled, Values};

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
    /// Where its cookies belong, when its journey keeps any.
    cookies: Option<Home>,
    extracted_names: Vec<String>,
    /// Computed before all else.
    values: Vec<Text>,
    /// Request line and fields, all but baggage, tag, and the length of a body that is not fixed.
    head: Text,
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
}

/// Why a request could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// There is no value for it, or one that does not fit.
    Unfilled(String),
    /// It may not be sent.
    NoToken,
}

impl From<NoToken> for Unwritten {
    fn from(NoToken: NoToken) -> Self {
        Self::NoToken
    }
}

impl RequestCode {
    pub(super) fn compile(
        plan: &Plan,
        request: &Request,
        addresses: &[Address],
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
        // A message has no head: it goes over what a request opened.
        let (mut head, baggage) = if request.is_message() {
            Default::default()
        } else {
            compile_head(plan, request, (&method, address), run, names)?
        };
        let body = compile_body(request, run, names);
        if let Some(length) = body.fixed_length(&method) {
            head.literal(format!("content-length: {length}\r\n").as_bytes());
        }
        let ws = WsCode::compile(request, run, names)?;
        let opens = ws.as_ref().is_some_and(WsCode::opens);
        if opens {
            head.literal(websocket::UPGRADE);
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
            is_safe: method == Method::GET || method == Method::HEAD,
            cookies: names.cookies.then(|| Home { host: address.domain.clone(), tls: address.tls }),
            extracted_names: Vec::new(),
            values: computed,
            head,
            baggage,
            body,
            ws,
        })
    }

    /// The names of the journey's extracted values: known when all of its steps are.
    pub(super) fn name_extracted(&mut self, names: &[String]) {
        self.extracted_names = names.to_vec();
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

    /// Writes the whole request, tagged; `key` is that of an opening. Returns its ids, and the Unix second from which it must not be sent any more.
    pub(crate) fn write(
        &self,
        (values, jar): (&Values<'_>, &mut Jar),
        stamper: &mut Stamper,
        wire: &mut Vec<u8>,
        scratch: &mut Scratch,
        key: Option<&[u8; KEY_BYTES]>,
    ) -> Result<(Ids, u64), Unwritten> {
        let now_unix_s = UnixNs(values.now_ns).seconds();
        let Scratch { body: room, value, lets } = scratch;
        self.compute(values, value, lets)?;
        let values = &Values { lets: &*lets, ..*values };
        self.head.render(values, wire).map_err(|why| self.unfilled(why))?;
        if let Some(key) = key {
            [&b"sec-websocket-key: "[..], key, b"\r\n"].iter().for_each(|part| wire.extend_from_slice(part));
        }
        if let Some(origin) = self.origin() {
            jar.put(origin, now_unix_s, wire);
        }
        let body = match &self.body {
            Body::Fixed(body) => body,
            Body::Shared(file) => file.as_ref(),
            Body::Dynamic(text) => {
                room.clear();
                text.render(values, room).map_err(|why| self.unfilled(why))?;
                wire.extend_from_slice(b"content-length: ");
                put_decimal(wire, room.len() as u64);
                wire.extend_from_slice(b"\r\n");
                room
            }
        };
        let now_unix_s = now_unix_s.max(0).unsigned_abs();
        let stamped = match &self.baggage {
            None => stamper.stamp(wire, None, now_unix_s)?,
            Some(text) => {
                let mut own = Vec::new();
                text.render(values, &mut own).map_err(|why| self.unfilled(why))?;
                stamper.stamp(wire, Some(&own), now_unix_s)?
            }
        };
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(body);
        Ok(stamped)
    }

    fn unfilled(&self, why: Unfilled) -> Unwritten {
        Unwritten::Unfilled(match why {
            Unfilled::Missing(slot) => {
                let name = self.extracted_names.get(usize::from(slot)).map_or("?", String::as_str);
                format!("`{name}` has not been extracted")
            }
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
            Self::Dynamic(_) => None,
        }
    }
}

/// Request line and fields that do not depend on the body, and the baggage.
fn compile_head(
    plan: &Plan,
    request: &Request,
    (method, address): (&Method, &Address),
    run: &str,
    names: &mut Names,
) -> Result<(Text, Option<Text>), StartError> {
    let mut head = Text::default();
    head.literal(format!("{method} {}", address.path_prefix).as_bytes());
    head.append(path(request, address, run, names)?);
    head.literal(b" HTTP/1.1\r\n");
    let fields = compile_fields(plan, request, address, run, names)?;
    let mut baggage = None;
    for (name, text) in fields {
        if name == baggage::HEADER {
            baggage = Some(text);
            continue;
        }
        head.literal(format!("{name}: ").as_bytes());
        head.append(text);
        head.literal(b"\r\n");
    }
    Ok((head, baggage))
}

fn bad(what: &str, text: &str) -> StartError {
    StartError::Plan(format!("`{text}` is not {what}"))
}

/// The path behind the target's prefix. Whatever is inserted is percent-encoded, so one filling stands for all.
fn path(request: &Request, address: &Address, run: &str, names: &mut Names) -> Result<Text, StartError> {
    let path = Text::compile(&request.path, Escape::Percent, run, names);
    let sample = [address.path_prefix.as_bytes(), &path.sample()].concat();
    let is_path = sample.starts_with(b"/")
        && !sample.contains(&b'#')
        && Uri::from_maybe_shared(sample.clone()).is_ok_and(|uri| uri.authority().is_none());
    if is_path { Ok(path) } else { Err(bad("a path", &String::from_utf8_lossy(&sample))) }
}

fn compile_fields(
    plan: &Plan,
    request: &Request,
    address: &Address,
    run: &str,
    names: &mut Names,
) -> Result<Vec<(HeaderName, Text)>, StartError> {
    let mut fields = Vec::new();
    let tag = plan.shadow.as_ref().map(|shadow| shadow.header.to_ascii_lowercase());
    for (name, template) in &request.headers {
        let unsendable = || StartError::Plan(format!("header `{name}` cannot be sent"));
        let key: HeaderName = name.parse().map_err(|_| unsendable())?;
        if RESERVED.contains(&key.as_str()) || tag.as_deref() == Some(key.as_str()) {
            return Err(StartError::Plan(format!("header `{name}` is set by the engine alone")));
        }
        if key == baggage::HEADER && fields.iter().any(|(known, _)| *known == key) {
            return Err(StartError::Plan("header `baggage` is set twice: join the two by a comma".into()));
        }
        let text = Text::compile(template, Escape::Field, run, names);
        HeaderValue::from_bytes(&text.sample()).map_err(|_| unsendable())?;
        fields.push((key, text));
    }
    let agent = HeaderValue::from_static(concat!("peakdrill/", env!("CARGO_PKG_VERSION")));
    let defaults =
        [(HOST, address.host.clone()), (USER_AGENT, agent), (ACCEPT, HeaderValue::from_static("*/*"))];
    for (name, value) in defaults {
        if !fields.iter().any(|(known, _)| *known == name) {
            let mut text = Text::default();
            text.literal(value.as_bytes());
            // The host belongs first (RFC 9110, 7.2).
            let at = if name == HOST { 0 } else { fields.len() };
            fields.insert(at, (name, text));
        }
    }
    Ok(fields)
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
