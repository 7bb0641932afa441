//! Answers, real and mocked.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Longest body that is read, in bytes.
pub const BODY_MAX_BYTES: usize = 16 * 1024 * 1024;

/// The answer to a call.
#[derive(Debug)]
pub struct Response(Source);

#[derive(Debug)]
enum Source {
    Real(Box<reqwest::Response>),
    Mock { status: StatusCode, headers: HeaderMap, body: Bytes },
}

impl Response {
    pub(super) fn real(response: reqwest::Response) -> Self {
        Self(Source::Real(Box::new(response)))
    }

    pub(super) fn mock(status: StatusCode, body: Bytes) -> Self {
        Self(Source::Mock { status, headers: HeaderMap::new(), body })
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match &self.0 {
            Source::Real(response) => response.status(),
            Source::Mock { status, .. } => *status,
        }
    }

    /// The headers; a stub sends none.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        match &self.0 {
            Source::Real(response) => response.headers(),
            Source::Mock { headers, .. } => headers,
        }
    }

    /// Whether a stub answered.
    #[must_use]
    pub fn is_mocked(&self) -> bool {
        matches!(self.0, Source::Mock { .. })
    }

    /// Reads the body.
    ///
    /// # Errors
    /// When it breaks off, or is longer than [`BODY_MAX_BYTES`].
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let mut response = match self.0 {
            Source::Mock { body, .. } => return Ok(body),
            Source::Real(response) => response,
        };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > BODY_MAX_BYTES {
                return Err(Error::body_too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Reads the body as text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub async fn text(self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and when it is not such JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.bytes().await?)?)
    }
}
