//! Whether a span counts as an error, where its status does not say.

use peakdrill_drill_model::grpc::code_of;

use super::Attributes;
use super::key::Key;
use crate::SpanKind;

/// gRPC codes that are the server's own fault: unknown, deadline exceeded, unimplemented, internal, unavailable,
/// data loss. Any other code that is not 0 is an error for the caller only.
const GRPC_SERVER_FAULTS: [i64; 6] = [2, 4, 12, 13, 14, 15];
/// Of names that are none of them: an error of the caller, as of any other kind of call.
const OTHER_CODE: i64 = -1;

pub(super) fn is_error(attributes: &Attributes<'_>, kind: SpanKind, status: u16) -> bool {
    // A 4xx is the caller's fault: the server did what it should.
    let first_error_status = if kind == SpanKind::Server { 500 } else { 400 };
    status >= first_error_status
        || attributes.text(&[Key::ErrorType]).is_some()
        || attributes.get(&[Key::RpcConnectErrorOld, Key::RpcJsonrpcErrorOld]).is_some()
        || is_rpc_error(attributes, kind)
}

/// The HTTP status of a gRPC call that was refused, as google.rpc.Code maps them: resource exhausted, unavailable.
pub(super) fn refusal(attributes: &Attributes<'_>) -> Option<u16> {
    match rpc_code(attributes)? {
        8 => Some(429),
        14 => Some(503),
        _ => None,
    }
}

fn is_rpc_error(attributes: &Attributes<'_>, kind: SpanKind) -> bool {
    rpc_code(attributes).is_some_and(|code| match kind {
        SpanKind::Server => GRPC_SERVER_FAULTS.contains(&code),
        _ => code != 0,
    })
}

/// The code of the answer to a call, whether told as a number or as a name.
fn rpc_code(attributes: &Attributes<'_>) -> Option<i64> {
    let keys = [Key::RpcResponseStatus, Key::RpcGrpcStatusOld];
    attributes.number(&keys).or_else(|| {
        let name = attributes.text(&keys)?;
        Some(code_of(name).map_or(OTHER_CODE, i64::from))
    })
}
