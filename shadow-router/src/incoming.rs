//! What comes in: requests and messages.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use peakdrill_drill_model::ledger::Outcome;
use peakdrill_shadow_rules::{Ingress, Mode, Refused, code, ingress};
use peakdrill_shadow_tag::{
    By, Claims, Class, MessageClass, Position, Refusal, RunId, Shadow, Token, Traceparent, baggage, classify,
    classify_message, traceparent,
};

use crate::error::Error;
use crate::ledger::{INGRESS, MESSAGE};
use crate::router::Router;
use crate::work::{Stamp, Work};

/// The response header that names the code of a refusal.
pub const REFUSED_HEADER: &str = "x-peakdrill-refused";

/// A request that is not let in.
#[derive(Clone, Debug)]
pub struct Rejected {
    status: StatusCode,
    refused: Refused,
}

impl Rejected {
    /// The status of the answer, always 4xx.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Why.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// The answer: `{"error":{"code":"…","message":"…"}}`, and the code in [`REFUSED_HEADER`].
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let (code, message) = (self.refused.code(), self.refused.to_string());
        let body = serde_json::json!({ "error": { "code": code, "message": message } }).to_string();
        let mut response = Response::new(B::from(Bytes::from(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static(REFUSED_HEADER), HeaderValue::from_static(code));
        response
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.refused.into()
    }
}

/// A message that was taken from a queue.
#[derive(Clone, Debug)]
pub enum Message {
    /// It is to be processed as this work, by [`with`](crate::with()).
    Process(Work),
    /// It is of a closed run: to be acknowledged and set aside, never processed or requeued.
    Quarantine(RunId),
}

impl Router {
    /// Decides about a request by its headers, and counts.
    ///
    /// # Errors
    /// [`Rejected`] when it may not come in.
    pub fn accept(&self, headers: &HeaderMap) -> Result<Work, Rejected> {
        let claims = self.claims(headers);
        let proved = classify(&self.0.verifier, &claims, self.0.position, self.0.now_unix_s());
        let counted_as = proved.unwrap_or(Class::Unknown);
        match ingress(self.0.position, self.0.mode, proved) {
            Ingress::Refuse { status, refused } => {
                self.count(&counted_as, INGRESS, Outcome::Refused);
                Err(Rejected {
                    status: StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN),
                    refused,
                })
            }
            Ingress::Accept { class, .. } => {
                self.count_in(&class, INGRESS);
                Ok(self.work(class, headers))
            }
        }
    }

    /// Decides about a message by its headers, and counts. One that is refused must not be requeued either.
    ///
    /// # Errors
    /// When its claims do not verify, when it carries none and this hop enforces, or when it is shadow work and this hop
    /// only observes.
    pub fn accept_message(&self, headers: &HeaderMap) -> Result<Message, Error> {
        let refuse = |refused| self.refuse(&Class::Unknown, refused);
        match classify_message(&self.0.verifier, &self.claims(headers), self.0.now_unix_s()) {
            Err(refusal) => Err(refuse(Refused::new(refusal.code(), MESSAGE, refusal.to_string()))),
            Ok(MessageClass::Quarantine(shadow)) => {
                self.count(&Class::Shadow(shadow), MESSAGE, Outcome::Refused);
                Ok(Message::Quarantine(shadow.run))
            }
            Ok(MessageClass::Process(Class::Unknown)) if self.0.mode == Mode::Enforce => {
                let text = "the message is neither stamped as live nor tagged, and this hop enforces";
                Err(refuse(Refused::new(code::UNSTAMPED, MESSAGE, text)))
            }
            Ok(MessageClass::Process(class @ Class::Shadow(_))) if self.0.mode == Mode::Observe => {
                Err(self.refuse(&class, Refused::observing(MESSAGE)))
            }
            Ok(MessageClass::Process(class)) => {
                self.count_in(&class, MESSAGE);
                Ok(Message::Process(self.work(class, headers)))
            }
        }
    }

    /// Shadow work of its own, for the shadow twin of a job, from a token.
    ///
    /// # Errors
    /// When the token does not verify, its run takes nothing new, or this hop only observes.
    pub fn shadow_work(&self, token: &str) -> Result<Work, Error> {
        let claims = Claims::new(Some(token.as_bytes()), None, None);
        let proved = classify(&self.0.verifier, &claims, Position::Edge, self.0.now_unix_s());
        // A root of shadow work, so the rule of the edge holds: a draining run starts nothing.
        match ingress(Position::Edge, self.0.mode, proved) {
            Ingress::Accept { class: class @ Class::Shadow(_), .. } => {
                let token = token.parse().map_err(|refusal: Refusal| refused_token(refusal))?;
                Ok(Work::new(class, Stamp::Token(token), self.0.header.clone()))
            }
            Ingress::Accept { .. } => {
                Err(self.refuse(&Class::Unknown, refused_token(Refusal::MalformedToken)))
            }
            Ingress::Refuse { refused, .. } => Err(self.refuse(&Class::Unknown, refused)),
        }
    }

    fn claims<'h>(&self, headers: &'h HeaderMap) -> Claims<'h> {
        let all = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        Claims {
            header: all(self.0.header.as_str()),
            baggage: all(baggage::HEADER),
            traceparent: all(traceparent::HEADER),
        }
    }

    fn count_in(&self, class: &Class, resource: &'static str) {
        let outcome = match class {
            Class::Live => Outcome::LiveIn,
            Class::Unknown => Outcome::UnknownIn,
            Class::Shadow(_) => Outcome::ShadowIn,
        };
        self.count(class, resource, outcome);
        if matches!(class, Class::Shadow(Shadow { by: By::Mark, .. })) {
            self.count(class, resource, Outcome::TagLost);
        }
    }

    /// The work of accepted headers.
    fn work(&self, class: Class, headers: &HeaderMap) -> Work {
        let stamp = match class {
            Class::Live => Stamp::Live,
            Class::Unknown => Stamp::Nothing,
            Class::Shadow(_) => self.token(headers).map_or(Stamp::Nothing, Stamp::Token),
        };
        let mut parents = headers.get_all(traceparent::HEADER).iter();
        let trace = match (parents.next(), parents.next()) {
            (Some(one), None) => Traceparent::parse(one.as_bytes()).ok(),
            _ => None,
        };
        Work::new(class, stamp, self.0.header.clone()).with_context(headers, trace)
    }

    /// The token that was verified; `None` when the mark alone told that the work is shadow.
    fn token(&self, headers: &HeaderMap) -> Option<Token> {
        let parse = |text: &[u8]| std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok();
        let header = headers.get(&self.0.header).and_then(|value| parse(value.as_bytes()));
        header.or_else(|| {
            let claims = self.claims(headers);
            parse(baggage::find(&claims.baggage).ok()??.value())
        })
    }
}

fn refused_token(refusal: Refusal) -> Refused {
    Refused::new(refusal.code(), "job", refusal.to_string())
}
