//! gRPC calls: what is sent, and what their answers mean.

mod message;
mod reflect;

use peakdrill_drill_model::grpc::name_of;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{MessageTypes, Plan};
use peakdrill_wire_grpc::{FrameError, Method, Schema, Undecodable, message_text, of_http_status};

use crate::answer::Answer;
use crate::error::StartError;
use crate::extract::{Called, Fault};
pub(crate) use message::Message;
pub(crate) use reflect::schemas;
pub use reflect::{Asked, REFLECTION_TIMEOUT_MS, Types, types};

/// Message types per target, where they are known.
pub(crate) type Schemas = Vec<Option<Schema>>;

/// Reads the message types that the plan carries.
pub(crate) fn of_files(plan: &Plan) -> Result<Schemas, StartError> {
    let one = |target: &peakdrill_drill_model::plan::Target| match &target.types {
        Some(MessageTypes::Files(set)) => {
            let schema = Schema::decode(&set.content);
            let bad = |error: peakdrill_wire_grpc::SchemaError| StartError::Target {
                target: target.name.clone(),
                because: error.to_string(),
            };
            schema.map(Some).map_err(bad)
        }
        Some(MessageTypes::Reflection) | None => Ok(None),
    };
    plan.targets.iter().map(one).collect()
}

/// The limit of a call as the header `grpc-timeout` has it: at most eight digits, in the finest unit that they allow.
pub(crate) fn timeout_header(ns: u64) -> String {
    const UNITS: [(u64, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let fits = |(unit, _): &&(u64, char)| ns.div_ceil(*unit) < 100_000_000;
    let (unit, letter) = UNITS.iter().find(fits).copied().unwrap_or((3_600_000_000_000, 'H'));
    format!("{}{letter}", ns.div_ceil(unit))
}

/// The status and the messages of an answer that came to its end; an answer that has no status, or whose frames are
/// broken, is an error. Where a status other than 0 came, the frames do not matter.
pub(crate) fn called(answer: &Answer) -> Result<Called, Fault> {
    let fault = |class, detail: String| Fault { class, detail };
    let heads = answer.heads();
    let written = heads.get("grpc-status").map(|value| (value, std::str::from_utf8(value).ok()));
    let status = match written {
        Some((value, text)) => text.and_then(|text| text.parse::<u16>().ok()).ok_or_else(|| {
            fault(ErrorClass::GrpcMalformed, format!("grpc-status is {:?}", String::from_utf8_lossy(value)))
        })?,
        None if answer.status != 200 => of_http_status(answer.status),
        None => {
            return Err(fault(ErrorClass::GrpcStatusMissing, "the answer ended without grpc-status".into()));
        }
    };
    let frames = answer.frames();
    if status == 0 {
        frames.finish().map_err(|error| fault(class_of(error), error.to_string()))?;
    }
    Ok(Called { status, messages: frames.messages() })
}

fn class_of(error: FrameError) -> ErrorClass {
    match error {
        FrameError::Compressed => ErrorClass::GrpcCompressed,
        FrameError::Flag(_) => ErrorClass::GrpcMalformed,
        FrameError::TooLarge(_) => ErrorClass::BodyTooLarge,
        FrameError::Short => ErrorClass::GrpcMessageShort,
    }
}

/// What a status says, for a person.
pub(crate) fn status_text(answer: &Answer, status: u16) -> String {
    let name = name_of(status).unwrap_or("not a known status");
    let heads = answer.heads();
    let message = heads.get("grpc-message").map(message_text).unwrap_or_default();
    match heads.get("grpc-status") {
        None => format!("HTTP status {} without grpc-status: {status} {name}", answer.status),
        Some(_) if message.is_empty() => format!("grpc status {status} {name}"),
        Some(_) => format!("grpc status {status} {name}: {message}"),
    }
}

/// The messages of an answer, as far as somebody looks at them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    /// Their JSON.
    pub(crate) json: Vec<u8>,
    /// Why there is none; empty where there is, or where nobody looks.
    pub(crate) why_none: String,
}

/// The messages of an answer as JSON, where somebody looks at them; else it is only seen how many there are.
pub(crate) fn read(
    method: &Method,
    answer: &Answer,
    called: Called,
    wanted: bool,
) -> Result<Messages, Fault> {
    let Called { status, messages: count } = called;
    let mut messages = Messages::default();
    if status != 0 {
        if wanted {
            let none = if count == 0 { "has no message" } else { "its messages are not looked at" };
            messages.why_none = format!("the call ended with {} and {none}", status_text(answer, status));
        }
        return Ok(messages);
    }
    let fault = |class, detail| Fault { class, detail };
    if !wanted {
        if !method.is_server_streaming() && count != 1 {
            let detail = format!("a unary call was answered by {count} messages");
            return Err(fault(ErrorClass::GrpcMalformed, detail));
        }
        return Ok(messages);
    }
    match method.answer_json(answer.content(), &mut messages.json) {
        Ok(()) => {}
        Err(error @ Undecodable::NoJson { .. }) => {
            messages = Messages { json: Vec::new(), why_none: error.to_string() };
        }
        Err(error @ Undecodable::TooLarge) => {
            return Err(fault(ErrorClass::BodyTooLarge, error.to_string()));
        }
        Err(error) => return Err(fault(ErrorClass::GrpcMalformed, error.to_string())),
    }
    Ok(messages)
}

#[cfg(test)]
pub(crate) mod tests;
