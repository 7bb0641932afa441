//! Whether a span counts as an error, where its status does not say.

use super::Attributes;
use super::key::Key;
use crate::SpanKind;

/// gRPC codes that are the server's own fault: unknown, deadline exceeded, unimplemented, internal, unavailable,
/// data loss. Any other code that is not 0 is an error for the caller only.
const GRPC_SERVER_FAULTS: [i64; 6] = [2, 4, 12, 13, 14, 15];
const GRPC_SERVER_FAULT_NAMES: [&str; 6] =
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

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
    let keys = [Key::RpcResponseStatus, Key::RpcGrpcStatusOld];
    match (attributes.number(&keys), attributes.text(&keys)) {
        (Some(8), _) | (None, Some("RESOURCE_EXHAUSTED")) => Some(429),
        (Some(14), _) | (None, Some("UNAVAILABLE")) => Some(503),
        _ => None,
    }
}

fn is_rpc_error(attributes: &Attributes<'_>, kind: SpanKind) -> bool {
    let keys = [Key::RpcResponseStatus, Key::RpcGrpcStatusOld];
    let server = kind == SpanKind::Server;
    match (attributes.number(&keys), attributes.text(&keys)) {
        (Some(code), _) if server => GRPC_SERVER_FAULTS.contains(&code),
        (Some(code), _) => code != 0,
        (None, Some(name)) if server => GRPC_SERVER_FAULT_NAMES.contains(&name),
        (None, Some(name)) => name != "OK",
        (None, None) => false,
    }
}
