//! Steps over a WebSocket of their journey. Seen through [`crate::plan`].

use serde::{Deserialize, Serialize};

use crate::journey::{Check, Template};

/// What a step does with a WebSocket of its journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ws {
    /// Which one: below [`WS_PER_JOURNEY_MAX`].
    pub connection: u8,
    /// What is done.
    pub act: WsAct,
}

impl Ws {
    /// The text that a message is compared with.
    pub(crate) fn expected(&self) -> Option<&Template> {
        match &self.act {
            WsAct::Say { receive: Some(Receive { until: Some(Until::Same { value, .. }), .. }), .. } => {
                Some(value)
            }
            _ => None,
        }
    }
}

/// Most WebSockets of one journey.
pub const WS_PER_JOURNEY_MAX: u8 = 8;

/// What is done with a WebSocket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WsAct {
    /// It is opened by the request, unless it is open: a `GET` that asks to upgrade, with its path and headers.
    Open,
    /// The body is sent as a message, where there is one; path and headers are those of the opening.
    Say {
        /// What the message is.
        kind: MessageKind,
        /// What is waited for; `None`: nothing.
        receive: Option<Receive>,
    },
}

/// What a message that is sent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Text.
    Text,
    /// Text that is JSON: what is filled in is escaped.
    Json,
    /// Bytes.
    Binary,
}

/// Which message answers a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receive {
    /// What must hold for a message to count; others are passed over.
    pub until: Option<Until>,
    /// How many of them are waited for: the last is the answer. At least 1.
    pub count: u32,
}

/// What a message must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// It passes a check of its body.
    Check(Check),
    /// The first node at a JSON path, as text, is what the template gives for this journey.
    Same {
        /// RFC 9535 JSON path.
        path: String,
        /// The text.
        value: Template,
    },
}
