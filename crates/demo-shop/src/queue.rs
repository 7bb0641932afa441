//! The queue of placed orders: in memory, bounded, first in first out.
//!
//! The consumer's capacity is booked when a message is sent, in the order of sending; so the queue is exactly as
//! fast as was planted, and a message starts to be processed at the computed moment.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use peakdrill_shadow_tag::traceparent;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::hop::Hop;
use crate::slots::{Booking, Slots};
use crate::trace::{self, Incoming};

/// The name of the queue.
pub(crate) const DESTINATION: &str = "order-placed";
/// Most messages in the queue; an order that finds it full is not placed.
pub(crate) const QUEUE_MAX_MESSAGES: usize = 65_536;

/// A message: the carriers of tag and trace, and the body.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A message and when it is its turn.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) booking: Booking,
    pub(crate) message: Message,
}

/// The sending end.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Queued>,
    slots: Arc<Slots>,
}

/// A place in the queue that is kept for one message.
#[derive(Debug)]
pub(crate) struct Place(mpsc::OwnedPermit<Queued>);

impl Queue {
    /// A queue whose consumer has these slots, and its receiving end.
    pub(crate) fn new(slots: Arc<Slots>) -> (Self, mpsc::Receiver<Queued>) {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX_MESSAGES);
        (Self { sender, slots }, receiver)
    }

    /// Keeps a place.
    pub(crate) fn reserve(&self) -> Result<Place, Failure> {
        let full = |_| {
            let text = format!("the queue {DESTINATION} is full or closed");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "queue_full", text)
        };
        self.sender.clone().try_reserve_owned().map(Place).map_err(full)
    }

    /// Sends a message on behalf of this work.
    pub(crate) fn send(
        &self,
        Place(place): Place,
        hop: &Hop,
        work: &Incoming,
        body: &impl Serialize,
    ) -> Result<(), Failure> {
        let attributes = vec![
            KeyValue::new("messaging.system", "demo"),
            KeyValue::new("messaging.destination.name", DESTINATION),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("service.peer.name", "queue"),
        ];
        let name = format!("send {DESTINATION}");
        let span = trace::open(&hop.tracer, SpanKind::Producer, name, attributes, work);
        let mut headers = hop.carriers(work);
        if let Some(value) = trace::traceparent_of(&span.work().context) {
            headers.insert(traceparent::HEADER, value);
        }
        let sent = serde_json::to_vec(body)
            .map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error))
            .and_then(|body| Ok((body, self.slots.book()?)))
            .map(|(body, booking)| {
                place.send(Queued { booking, message: Message { headers, body: body.into() } });
            });
        span.end(sent.as_ref().err().map(|failure| failure.code));
        sent
    }
}
