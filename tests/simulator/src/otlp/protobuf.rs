//! A request as protocol buffers: fields in the order of their numbers, and none that has its default value.

use peakdrill_trace_model::Span;

use super::{Attribute, Export, SCOPE, STATUS_ERROR, Value, Wording, kind, unsigned};

pub(super) fn request(export: &Export, wording: Wording) -> Vec<u8> {
    let mut scope = Message::default();
    scope.text(1, SCOPE);
    let mut spans = Message::default();
    spans.message(1, &scope);
    export.spans.iter().for_each(|one| spans.message(2, &span(one, wording)));
    spans.text(3, wording.schema());
    let mut resource = Message::default();
    export.resource().iter().for_each(|one| resource.message(1, &attribute(one)));
    let mut group = Message::default();
    group.message(1, &resource);
    group.message(2, &spans);
    let mut request = Message::default();
    request.message(1, &group);
    request.0
}

fn span(span: &Span, wording: Wording) -> Message {
    let mut out = Message::default();
    out.bytes(1, &span.trace.to_be_bytes());
    out.bytes(2, &span.id.to_be_bytes());
    if span.parent != 0 {
        out.bytes(4, &span.parent.to_be_bytes());
    }
    out.text(5, &span.op);
    out.number(6, kind(span.kind));
    out.fixed64(7, unsigned(span.start_ns));
    out.fixed64(8, unsigned(span.end_ns));
    wording.attributes(span).iter().for_each(|one| out.message(9, &attribute(one)));
    for link in &span.links {
        let mut message = Message::default();
        message.bytes(1, &link.trace.to_be_bytes());
        message.bytes(2, &link.span.to_be_bytes());
        out.message(13, &message);
    }
    if span.error {
        let mut status = Message::default();
        status.number(3, STATUS_ERROR);
        out.message(15, &status);
    }
    out
}

fn attribute((name, value): &Attribute) -> Message {
    let mut any = Message::default();
    // One of several: told also where it is the default.
    match value {
        Value::Text(text) => any.delimited(1, text.as_bytes()),
        Value::Yes => any.varint_field(2, 1),
        Value::Number(number) => any.varint_field(3, number.cast_unsigned()),
    }
    let mut pair = Message::default();
    pair.text(1, name);
    pair.message(2, &any);
    pair
}

/// A message on its way.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint_field(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn delimited(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint_field(field, value);
        }
    }

    fn fixed64(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3 | 1);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.delimited(field, bytes);
        }
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.delimited(field, &message.0);
    }
}
