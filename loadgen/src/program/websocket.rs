//! What a step does with a WebSocket of its journey, compiled.

use std::sync::Arc;

use peakdrill_drill_model::plan::{
    MessageKind, Receive, Request, Until as Wanted, WS_PER_JOURNEY_MAX, WsAct,
};
use peakdrill_wire_ws::{KEY_BYTES, Kind, accept_of};

use super::head::Head;
use super::request::{RequestCode, Scratch};
use super::written::Unwritten;
use crate::driver::{ExchangeId, Opening, Owner};
use crate::error::StartError;
use crate::form::Form;
use crate::message::{Awaited, Message, Until};
use crate::template::{Escape, Names, Text, Values};

/// The fields of a request that asks to switch to WebSocket, all but the key.
const UPGRADE: [(&str, &str); 3] =
    [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
/// The header that offers subprotocols.
const SUBPROTOCOLS: &str = "sec-websocket-protocol";

/// Adds what asks to switch to WebSocket.
pub(super) fn put_upgrade(head: &mut Head) {
    for (name, value) in UPGRADE {
        let mut text = Text::default();
        text.literal(value.as_bytes());
        head.field(name, text, false);
    }
}

/// What a step does with a WebSocket.
#[derive(Debug)]
pub(crate) struct WsCode {
    pub(crate) connection: u8,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Open {
        offered: Vec<String>,
        keeps: bool,
    },
    Say {
        /// What is sent, if anything.
        kind: Option<Kind>,
        wanted: Option<Answering>,
    },
}

/// What answers a message.
#[derive(Debug)]
struct Answering {
    until: Option<Arc<Until>>,
    expected: Option<Text>,
    count: u32,
}

impl WsCode {
    pub(super) fn compile(
        request: &Request,
        form: Form,
        run: &str,
        names: &mut Names,
    ) -> Result<Option<Self>, StartError> {
        let Some(ws) = &request.ws else { return Ok(None) };
        if ws.connection >= WS_PER_JOURNEY_MAX {
            let problem = format!("a journey has at most {WS_PER_JOURNEY_MAX} WebSockets");
            return Err(StartError::Plan(problem));
        }
        if form != Form::Lines {
            return Err(StartError::Plan("a WebSocket is opened over HTTP/1.1, not over HTTP/2".into()));
        }
        let act = match &ws.act {
            WsAct::Open => Act::Open { offered: offered(request)?, keeps: false },
            WsAct::Say { kind, receive } => Act::Say {
                kind: request.body.is_some().then_some(match kind {
                    MessageKind::Text | MessageKind::Json => Kind::Text,
                    MessageKind::Binary => Kind::Binary,
                }),
                wanted: match receive {
                    Some(receive) => Some(Answering::compile(receive, run, names)?),
                    None => None,
                },
            },
        };
        Ok(Some(Self { connection: ws.connection, act }))
    }

    pub(crate) fn opens(&self) -> bool {
        matches!(self.act, Act::Open { .. })
    }

    /// Whether it waits without having sent anything.
    fn only_waits(&self) -> bool {
        matches!(self.act, Act::Say { kind: None, wanted: Some(_) })
    }

    /// Whether something is sent: then a token must hold.
    pub(crate) fn sends(&self) -> bool {
        !matches!(self.act, Act::Say { kind: None, .. })
    }

    /// What is asked for by the request that opens it.
    pub(crate) fn opening(
        &self,
        owner: Owner,
        key: &[u8; KEY_BYTES],
        not_after_unix_s: u64,
    ) -> Option<Box<Opening>> {
        let Act::Open { offered, keeps } = &self.act else { return None };
        let (accept, offered) = (accept_of(key), offered.clone());
        Some(Box::new(Opening { owner, accept, offered, not_after_unix_s, granted: 0, keeps: *keeps }))
    }
}

fn offered(request: &Request) -> Result<Vec<String>, StartError> {
    let Some((_, value)) = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(SUBPROTOCOLS))
    else {
        return Ok(Vec::new());
    };
    let text = Text::compile(value, Escape::Field, "", &mut Names::default());
    let Some(fixed) = text.fixed() else {
        return Err(StartError::Plan("the subprotocols of a WebSocket are the same for all journeys".into()));
    };
    let names = String::from_utf8_lossy(fixed);
    Ok(names.split(',').map(|name| name.trim().to_owned()).collect())
}

impl Answering {
    fn compile(receive: &Receive, run: &str, names: &mut Names) -> Result<Self, StartError> {
        let expected = match &receive.until {
            Some(Wanted::Same { value, .. }) => Some(Text::compile(value, Escape::None, run, names)),
            _ => None,
        };
        Ok(Self { until: Until::compile(receive)?, expected, count: receive.count.max(1) })
    }
}

impl RequestCode {
    /// The connection that it opens.
    pub(super) fn opens(&self) -> Option<u8> {
        self.ws.as_ref().filter(|ws| ws.opens()).map(|ws| ws.connection)
    }

    /// Whether it goes over a connection that was opened before.
    pub(crate) fn is_message(&self) -> bool {
        self.ws.as_ref().is_some_and(|ws| !ws.opens())
    }

    /// Writes the message of a step; `payload` is room for it. `None`: it is no message.
    pub(crate) fn message(
        &self,
        (id, owner): (ExchangeId, Owner),
        values: &Values<'_>,
        mut payload: Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<Option<Message>, Unwritten> {
        let Some(WsCode { act: Act::Say { kind, wanted }, .. }) = &self.ws else { return Ok(None) };
        let mut expected = Vec::new();
        let text = wanted.as_ref().and_then(|wanted| wanted.expected.as_ref());
        self.write_message(values, scratch, &mut payload, text.map(|text| (text, &mut expected)))?;
        let wanted = wanted.as_ref().map(|wanted| Awaited {
            until: wanted.until.clone(),
            expected,
            left: wanted.count,
        });
        let payload = kind.map(|kind| (kind, payload));
        Ok(Some(Message { id, owner, payload, wanted, keep_body: self.reader.needs_body() }))
    }
}

/// Tells each opening of a journey whether messages are kept: whether a step over the same connection only waits.
/// Every message needs an opening before it.
pub(super) fn settle(requests: &mut [RequestCode]) -> Result<(), String> {
    let (mut opened, mut waits) = (0_u8, 0_u8);
    for ws in requests.iter().filter_map(|request| request.ws.as_ref()) {
        if ws.opens() {
            opened |= 1 << ws.connection;
        } else if opened >> ws.connection & 1 == 0 {
            return Err("a message goes over a WebSocket that no step before it opens".into());
        }
        waits |= u8::from(ws.only_waits()) << ws.connection;
    }
    for ws in requests.iter_mut().filter_map(|request| request.ws.as_mut()) {
        if let Act::Open { keeps, .. } = &mut ws.act {
            *keeps = waits >> ws.connection & 1 == 1;
        }
    }
    Ok(())
}
