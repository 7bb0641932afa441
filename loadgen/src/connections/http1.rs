//! HTTP/1.1 over one connection: one exchange after the other.

use std::io;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http1::{Error, Limits, Method, Progress, ResponseDecoder};

use super::connection::Writing;
use super::talk::{Told, Turn};
use crate::answer::{Answer, BODY_MAX_BYTES, HEAD_MAX_BYTES};
use crate::driver::{Completion, ExchangeId};
use crate::extract::Fault;

const LIMITS: Limits = Limits { head_bytes: HEAD_MAX_BYTES, body_bytes: BODY_MAX_BYTES };

/// The exchange on a connection, if there is one.
pub(super) struct Http1 {
    decoder: ResponseDecoder,
    exchange: Option<Exchange>,
}

struct Exchange {
    id: ExchangeId,
    answer: Answer,
}

impl Http1 {
    pub(super) fn new() -> Self {
        Self { decoder: ResponseDecoder::new(LIMITS), exchange: None }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.exchange.is_none()
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.id == id)
    }

    /// A request was handed over.
    pub(super) fn begin(&mut self, id: ExchangeId, method: Method, answer: Answer) {
        self.decoder.begin(method);
        self.exchange = Some(Exchange { id, answer });
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
