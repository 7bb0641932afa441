//! One connection: the exchange on it, and what carries it.

use std::io;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::MonoNs;
use peakdrill_wire_http1::{Error, Limits, Method, Progress, ResponseDecoder};

use super::secured::Secured;
use crate::answer::{Answer, BODY_MAX_BYTES, HEAD_MAX_BYTES};
use crate::driver::ExchangeId;
use crate::extract::Fault;

const LIMITS: Limits = Limits { head_bytes: HEAD_MAX_BYTES, body_bytes: BODY_MAX_BYTES };

pub(super) struct Connection {
    pub(super) pool: usize,
    pub(super) opened_at: MonoNs,
    /// Whether a request was ever handed to it.
    pub(super) used: bool,
    pub(super) talk: Talk,
    /// TLS over a socket of the runtime; `None`: one of the shard's own sockets, under the same key.
    pub(super) secured: Option<Box<Secured>>,
}

/// What is said over a connection.
pub(super) struct Talk {
    decoder: ResponseDecoder,
    exchange: Option<Exchange>,
    pub(super) writing: Writing,
}

/// How far the request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Something of it is still to be written, or held back by TLS.
    UnderWay,
    /// The peer does not take it. It may still have answered.
    Failed,
    Done,
}

struct Exchange {
    id: ExchangeId,
    answer: Answer,
}

/// An exchange that has ended: when, and how.
pub(super) type Ended = (ExchangeId, MonoNs, Result<Answer, Fault>);

/// What became of a connection.
pub(super) struct Turn {
    pub(super) ended: Option<Ended>,
    /// Whether the connection goes on.
    pub(super) open: bool,
}

impl Turn {
    pub(super) const NOTHING: Self = Self { ended: None, open: true };
}

impl Connection {
    pub(super) fn new(pool: usize, secured: Option<Box<Secured>>, opened_at: MonoNs) -> Self {
        let talk = Talk { decoder: ResponseDecoder::new(LIMITS), exchange: None, writing: Writing::Done };
        Self { pool, opened_at, used: false, talk, secured }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.talk.exchange.is_none()
    }

    pub(super) fn carries(&self, id: ExchangeId) -> bool {
        self.talk.exchange.as_ref().is_some_and(|exchange| exchange.id == id)
    }

    /// A request is handed over.
    pub(super) fn begin(&mut self, id: ExchangeId, method: Method, answer: Answer, writing: Writing) {
        self.used = true;
        self.talk.decoder.begin(method);
        self.talk.exchange = Some(Exchange { id, answer });
        self.talk.writing = writing;
    }
}

impl Talk {
    /// Bytes were received.
    pub(super) fn received(&mut self, bytes: &[u8], at: MonoNs) -> Turn {
        // What nobody asked for makes the next answer doubtful.
        let Some(Exchange { id, mut answer }) = self.exchange.take() else {
            return Turn { ended: None, open: false };
        };
        match self.decoder.feed(bytes, &mut answer) {
            Ok(Progress::More) => {
                self.exchange = Some(Exchange { id, answer });
                Turn::NOTHING
            }
            Ok(Progress::Done { used, reusable }) => {
                let open = reusable && used == bytes.len() && self.writing == Writing::Done;
                Turn { ended: Some((id, at, Ok(answer))), open }
            }
            Err(error) => Turn { ended: Some((id, at, Err(fault(error)))), open: false },
        }
    }

    /// The peer has closed, or the connection broke. It does not go on.
    pub(super) fn ended(&mut self, broken: Option<io::Error>, at: MonoNs) -> Turn {
        let ended = self.exchange.take().map(|Exchange { id, answer }| {
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
            (id, at, result)
        });
        Turn { ended, open: false }
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
