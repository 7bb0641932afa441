//! Trace requests as protocol buffers, straight from the bytes into the rows that the fold needs.
//!
//! What the fold does not read (events, scopes, trace state, unknown fields) is passed over by its length and not looked
//! into; so is an attribute whose name means nothing here. What is read is checked as any decoder of the format does.

use peakdrill_trace_model::Link;
use peakdrill_trace_model::Span;
use peakdrill_trace_model::semconv::{Attributes, Key, Value};
use smallvec::SmallVec;

use super::spans::{Parts, Rows, Source, span_id, trace_id};
use super::texts::Texts;
use super::wire::{Broken, Fields};
use super::{Decoded, Malformed};
use crate::limits::LINKS_PER_SPAN_MAX;

/// Bytes of a request per span, at least: what is set aside for its rows at once.
const SPAN_BYTES_MIN: usize = 256;

pub(super) fn traces(payload: &[u8], recv_ns: i64, texts: &mut Texts) -> Result<Decoded<Span>, Malformed> {
    let mut rows = Rows::new(texts, recv_ns, payload.len() / SPAN_BYTES_MIN);
    let mut fields = Fields::new(payload);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            group(field.bytes()?, &mut rows)?;
        }
    }
    Ok(rows.finish())
}

/// `ResourceSpans`: the resource may stand behind its spans, and in pieces.
fn group(message: &[u8], rows: &mut Rows<'_>) -> Result<(), Broken> {
    let mut resource = Attributes::default();
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            let mut inner = Fields::new(field.bytes()?);
            while let Some((number, field)) = inner.next()? {
                if number == 1 {
                    attribute(field.bytes()?, &mut resource)?;
                }
            }
        }
    }
    let source = rows.source(&resource);
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        if number == 2 {
            scope(field.bytes()?, &source, rows)?;
        }
    }
    Ok(())
}

/// `ScopeSpans`.
fn scope(message: &[u8], source: &Source, rows: &mut Rows<'_>) -> Result<(), Broken> {
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        if number == 2 {
            rows.take(&span(field.bytes()?)?, source);
        }
    }
    Ok(())
}

fn span(message: &[u8]) -> Result<Parts<'_>, Broken> {
    let mut span = Parts::default();
    let mut status = 0;
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => span.trace_id = field.bytes()?,
            2 => span.span_id = field.bytes()?,
            4 => span.parent_span_id = field.bytes()?,
            5 => span.name = field.text()?,
            6 => span.kind = field.varint()? as i32,
            7 => span.start_ns = field.fixed64()?,
            8 => span.end_ns = field.fixed64()?,
            9 => attribute(field.bytes()?, &mut span.attributes)?,
            13 => span.links.extend(link(field.bytes()?)?.filter(|_| span.links.len() < LINKS_PER_SPAN_MAX)),
            15 => status_code(field.bytes()?, &mut status)?,
            _ => {}
        }
    }
    span.status = status;
    Ok(span)
}

fn status_code(message: &[u8], code: &mut i32) -> Result<(), Broken> {
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        if number == 3 {
            *code = field.varint()? as i32;
        }
    }
    Ok(())
}

/// `None` of a link whose ids cannot be.
fn link(message: &[u8]) -> Result<Option<Link>, Broken> {
    let (mut trace, mut span): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => trace = field.bytes()?,
            2 => span = field.bytes()?,
            _ => {}
        }
    }
    Ok(trace_id(trace).zip(span_id(span)).map(|(trace, span)| Link { trace, span }))
}

/// `KeyValue`: of a value in pieces the last that says something counts.
fn attribute<'a>(message: &'a [u8], into: &mut Attributes<'a>) -> Result<(), Broken> {
    let mut name: &[u8] = &[];
    let mut values: SmallVec<[&[u8]; 1]> = SmallVec::new();
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => name = field.bytes()?,
            2 => values.push(field.bytes()?),
            _ => {}
        }
    }
    let Some(key) = Key::from_name(name) else { return Ok(()) };
    let mut value = None;
    for message in values {
        any_value(message, &mut value)?;
    }
    if let Some(value) = value {
        into.put(key, value);
    }
    Ok(())
}

/// `AnyValue`: lists, maps and bytes carry nothing that is read here.
fn any_value<'a>(message: &'a [u8], value: &mut Option<Value<'a>>) -> Result<(), Broken> {
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => *value = Some(Value::Text(field.text()?)),
            2 => *value = Some(Value::Bool(field.varint()? != 0)),
            3 => *value = Some(Value::Int(field.varint()? as i64)),
            4 => *value = Some(Value::Double(f64::from_bits(field.fixed64()?))),
            5..=8 => *value = None,
            _ => {}
        }
    }
    Ok(())
}
