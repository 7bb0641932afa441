//! HTTP/1.1 over one connection: one exchange after the other.

use std::io;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http1::{Error, Limits, Method, Progress, ResponseDecoder};

use super::connection::Writing;
use super::talk::{Told, Turn};
use crate::answer::{Answer, BODY_MAX_BYTES, HEAD_MAX_BYTES};
use crate::driver::{Completion, ExchangeId, Opening};
use crate::extract::Fault;

const LIMITS: Limits = Limits { head_bytes: HEAD_MAX_BYTES, body_bytes: BODY_MAX_BYTES };

/// The exchange on a connection, if there is one.
pub(super) struct Http1 {
    decoder: ResponseDecoder,
    exchange: Option<Exchange>,
    /// What the exchange asks to switch to, or the connection has switched to.
    opening: Option<Box<Opening>>,
}

struct Exchange {
    id: ExchangeId,
    answer: Answer,
}

impl Http1 {
    pub(super) fn new() -> Self {
        Self { decoder: ResponseDecoder::new(LIMITS), exchange: None, opening: None }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.exchange.is_none()
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.id == id)
    }

    /// A request was handed over.
    pub(super) fn begin(
        &mut self,
        id: ExchangeId,
        method: Method,
        answer: Answer,
        opening: Option<Box<Opening>>,
    ) {
        self.decoder.begin(method);
        self.exchange = Some(Exchange { id, answer });
        self.opening = opening;
    }

    /// What the connection has switched to, if it has.
    pub(super) fn take_switched(&mut self) -> Option<Box<Opening>> {
        self.opening.take_if(|opening| opening.granted > 0)
    }

    pub(super) fn received(&mut self, bytes: &[u8], at: MonoNs, writing: Writing, told: &mut Told) -> Turn {
        // What nobody asked for makes the next answer doubtful.
        let Some(Exchange { id, mut answer }) = self.exchange.take() else {
            return Turn { freed: false, open: false };
        };
        let (result, open) = match self.decoder.feed(bytes, &mut answer) {
            Ok(Progress::More) => {
                self.exchange = Some(Exchange { id, answer });
                return Turn::NOTHING;
            }
            Ok(Progress::Done { used, reusable }) => {
                (Ok(answer), reusable && used == bytes.len() && writing == Writing::Done)
            }
            Ok(Progress::Switched { used }) => match &mut self.opening {
                Some(opening) => match prove(opening, &answer) {
                    Ok(()) => {
                        opening.granted = used;
                        (Ok(answer), true)
                    }
                    Err(fault) => (Err(fault), false),
                },
                None => (Err(fault(Error::Switched)), false),
            },
            Err(error) => (Err(fault(error)), false),
        };
        told.completions.push_back(Completion::Done { id, at, result });
        Turn { freed: true, open }
    }

    pub(super) fn ended(&mut self, broken: Option<&io::Error>, at: MonoNs, told: &mut Told) -> Turn {
        let exchange = self.exchange.take();
        let freed = exchange.is_some();
        told.completions.extend(exchange.map(|Exchange { id, answer }| {
            let result = match (broken, self.decoder.finish()) {
                (None, Ok(())) => Ok(answer),
                (None, Err(error)) => Err(fault(error)),
                // TLS that ends without notice may have been cut off.
                (Some(broken), finish) if broken.kind() == io::ErrorKind::UnexpectedEof => {
                    let class = finish.err().map_or(ErrorClass::BodyShort, class);
                    Err(Fault { class, detail: broken.to_string() })
                }
                (Some(broken), _) => Err(Fault { class: ErrorClass::Closed, detail: broken.to_string() }),
            };
            Completion::Done { id, at, result }
        }));
        Turn { freed, open: false }
    }
}

/// Whether an answer proves that the peer has switched to what was asked for (RFC 6455, 4.1).
fn prove(opening: &Opening, answer: &Answer) -> Result<(), Fault> {
    let fields = answer.fields();
    let lists = |name: &str, wanted: &str| {
        let options = fields.get_all(name).flat_map(|value| value.split(|c| *c == b','));
        options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let refused = |detail: String| Err(Fault { class: ErrorClass::WsRefused, detail });
    if !lists("upgrade", "websocket") || !lists("connection", "upgrade") {
        return refused("the answer switches to something else than WebSocket".into());
    }
    if fields.get("sec-websocket-accept") != Some(opening.accept.as_bytes()) {
        return refused("sec-websocket-accept is not that of the key".into());
    }
    if fields.get("sec-websocket-extensions").is_some_and(|value| !value.is_empty()) {
        return refused("the peer uses extensions that were not offered".into());
    }
    let taken = fields.get("sec-websocket-protocol").unwrap_or_default();
    let known = opening.offered.iter().any(|offered| offered.as_bytes() == taken);
    match (known, taken.is_empty(), opening.offered.is_empty()) {
        (true, ..) | (_, true, true) => Ok(()),
        (_, true, false) => refused("the peer takes none of the subprotocols that were offered".into()),
        _ => refused("the peer takes a subprotocol that was not offered".into()),
    }
}

fn fault(error: Error) -> Fault {
    Fault { class: class(error), detail: error.to_string() }
}

fn class(error: Error) -> ErrorClass {
    match error {
        Error::Closed | Error::HeadShort => ErrorClass::Closed,
        Error::BodyShort(_) => ErrorClass::BodyShort,
        Error::HeadTooLarge(_) => ErrorClass::HeadTooLarge,
        Error::BodyTooLarge(_) => ErrorClass::BodyTooLarge,
        Error::Head(_) | Error::Framing(_) | Error::Chunk(_) | Error::Switched => ErrorClass::Malformed,
    }
}
