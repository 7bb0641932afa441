//! How a service says no.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use peakdrill_shadow_router::REFUSED_HEADER;
use serde_json::json;

use crate::slots::Overloaded;

/// An answer other than success: status, a code for programs, a text for people.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The refusal of the isolation layer, here or further in, which must stay visible from outside.
    pub(crate) refused: Option<HeaderValue>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        Self { status, code, message: message.to_string(), refused: None }
    }

    pub(crate) fn invalid(message: impl ToString) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    /// The isolation layer refused an operation.
    pub(crate) fn refused(code: &'static str, message: impl ToString) -> Self {
        let header = HeaderValue::from_static(code);
        Self { refused: Some(header), ..Self::new(StatusCode::FORBIDDEN, "isolation_refused", message) }
    }
}

impl From<Overloaded> for Failure {
    fn from(overloaded: Overloaded) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", overloaded)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(refused) = self.refused {
            response.headers_mut().insert(REFUSED_HEADER, refused);
        }
        response
    }
}
