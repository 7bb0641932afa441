//! The reader in place beside the generated decoder: whatever that one accepts, both say the same of.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as ot, ResourceSpans, ScopeSpans, Status};
use peakdrill_trace_model::Span;
use proptest::prelude::*;
use prost::Message;

use super::{T, text};
use crate::otlp::{Decoded, Format, Texts, decode_traces, spans};

const RECV_NS: i64 = T as i64 + 1_000;

fn in_place(bytes: &[u8]) -> Option<Decoded<Span>> {
    decode_traces(bytes, Format::Protobuf, RECV_NS, &mut Texts::default()).ok()
}

fn generated(bytes: &[u8]) -> Option<Decoded<Span>> {
    let request = ExportTraceServiceRequest::decode(bytes).ok()?;
    Some(spans::normalise(&request, RECV_NS, &mut Texts::default()))
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zA-Z/ 0-9?{}.-]{0,24}", "\\PC{0,12}", Just("x".repeat(300))]
}

fn any_name() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 28] = [
        "service.name",
        "service.instance.id",
        "host.name",
        "process.pid",
        "peer.service",
        "server.address",
        "server.port",
        "db.system.name",
        "db.system",
        "db.query.text",
        "db.operation.name",
        "db.collection.name",
        "rpc.system",
        "rpc.method",
        "messaging.system",
        "messaging.destination.name",
        "messaging.operation.type",
        "messaging.message.id",
        "messaging.kafka.offset",
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "error.type",
        "peakdrill.mocked",
        "peakdrill.key",
        "db.query.parameter.item",
        "messaging.kafka.message.key",
        "url.path",
    ];
    prop_oneof![4 => prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => any_text()]
}

fn any_value() -> impl Strategy<Value = Option<AnyValue>> {
    use any_value::Value;
    let value = prop_oneof![
        4 => any_text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => prop_oneof![any::<i64>(), 0..600_i64].prop_map(Value::IntValue),
        1 => prop_oneof![any::<f64>(), Just(503.0)].prop_map(Value::DoubleValue),
        1 => prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::BytesValue),
        1 => Just(Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(Value::IntValue(1)) }] })),
        1 => Just(Value::StringValueStrindex(3)),
    ];
    prop::option::weighted(0.9, prop::option::weighted(0.9, value).prop_map(|value| AnyValue { value }))
}

fn any_attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair =
        (any_name(), any_value()).prop_map(|(key, value)| KeyValue { key, value, ..Default::default() });
    prop::collection::vec(pair, 0..8)
}

fn any_id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    let whole = prop::collection::vec(any::<u8>(), bytes);
    prop_oneof![8 => whole, 1 => Just(vec![0; bytes]), 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => T..T + 2_000, 1 => any::<u64>(), 1 => Just(0)]
}

prop_compose! {
    fn any_span()(
        (trace_id, span_id, parent_span_id) in (any_id(16), any_id(8), any_id(8)),
        name in any_text(),
        kind in prop_oneof![0..7_i32, any::<i32>()],
        (start, end) in (any_time(), any_time()),
        attributes in any_attributes(),
        links in prop::collection::vec((any_id(16), any_id(8)), 0..3),
        status in prop::option::of(0..4_i32),
        unread in any::<bool>(),
    ) -> ot::Span {
        let links = links.into_iter().map(|(trace_id, span_id)| ot::span::Link {
            trace_id,
            span_id,
            attributes: vec![text("a", "b")],
            ..Default::default()
        });
        let event = ot::span::Event { name: "e".to_owned(), time_unix_nano: T, ..Default::default() };
        ot::Span {
            trace_id,
            span_id,
            parent_span_id,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            links: links.collect(),
            status: status.map(|code| Status { code, message: "m".to_owned() }),
            trace_state: if unread { "k=v".to_owned() } else { String::new() },
            events: if unread { vec![event] } else { Vec::new() },
            flags: u32::from(unread),
            ..Default::default()
        }
    }
}

fn any_request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope = prop::collection::vec(any_span(), 0..4).prop_map(|spans| ScopeSpans {
        scope: Some(InstrumentationScope { name: "s".to_owned(), ..Default::default() }),
        spans,
        schema_url: "https://x".to_owned(),
    });
    let resource = prop::option::of(any_attributes())
        .prop_map(|pairs| pairs.map(|attributes| Resource { attributes, ..Default::default() }));
    let group = (resource, prop::collection::vec(scope, 0..3))
        .prop_map(|(resource, scope_spans)| ResourceSpans { resource, scope_spans, ..Default::default() });
    prop::collection::vec(group, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

/// A field of bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn both_say_the_same(request in any_request()) {
        let bytes = request.encode_to_vec();
        let expected = generated(&bytes);
        prop_assert!(expected.is_some());
        prop_assert_eq!(in_place(&bytes), expected);
    }

    #[test]
    fn both_say_the_same_of_damaged_requests(
        request in any_request(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = request.encode_to_vec();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => if let Some(there) = bytes.get_mut(at) { *there = byte },
            }
            // What only one of them looks into may be broken: then that one refuses.
            if let Some(expected) = generated(&bytes) {
                prop_assert_eq!(in_place(&bytes), Some(expected));
            }
        }
    }

    #[test]
    fn fields_may_stand_in_any_order_and_in_pieces(one in any_span(), more in any_span(), swap in any::<bool>()) {
        let pairs = [text("service.name", "a"), text("service.name", "b")].map(|pair| pair.encode_to_vec());
        let resources = pairs.map(|pair| field(1, &field(1, &pair)));
        // A span in two pieces is one span: what comes later counts, lists grow.
        let pieces = [one.encode_to_vec(), more.encode_to_vec()].concat();
        let spans = field(2, &field(2, &pieces));
        let group = if swap {
            [spans, resources.concat()].concat()
        } else {
            [&resources[0][..], &spans, &resources[1]].concat()
        };
        let bytes = field(1, &group);
        let expected = generated(&bytes);
        prop_assert!(expected.is_some());
        prop_assert_eq!(in_place(&bytes), expected);
    }

    #[test]
    fn an_attribute_may_be_in_pieces(values in prop::collection::vec(any_value(), 1..4), name_first in any::<bool>()) {
        let name = field(1, b"http.route");
        let values: Vec<u8> =
            values.into_iter().flatten().flat_map(|value| field(2, &value.encode_to_vec())).collect();
        let pair = if name_first { [name, values].concat() } else { [values, name].concat() };
        let method = text("http.request.method", "GET").encode_to_vec();
        let whole = super::span().encode_to_vec();
        let span = [whole, field(9, &pair), field(9, &method)].concat();
        let bytes = field(1, &field(2, &field(2, &span)));
        let expected = generated(&bytes);
        prop_assert!(expected.is_some());
        prop_assert_eq!(in_place(&bytes), expected);
    }
}

#[test]
fn old_groups_are_passed_over() {
    // Field 99 as a group that holds another, an integer, a text and fixed numbers.
    let group =
        [&[0x9b, 0x06, 0x0b, 0x08, 0x96, 0x01, 0x0c, 0x12, 0x01, b'x', 0x19][..], &[0; 8], &[0x25], &[0; 4]];
    let span = [super::span().encode_to_vec(), group.concat(), vec![0x9c, 0x06]].concat();
    let bytes = field(1, &field(2, &field(2, &span)));
    assert_eq!(in_place(&bytes).map(|decoded| decoded.items.len()), Some(1));
    assert_eq!(in_place(&bytes), generated(&bytes));
    // One that does not end, ends as another, or goes too deep.
    for broken in [vec![0x9b, 0x06], vec![0x9b, 0x06, 0x94, 0x06], vec![0x0c], vec![0x0b; 200]] {
        let bytes = field(1, &field(2, &field(2, &broken)));
        assert_eq!((in_place(&bytes), generated(&bytes)), (None, None), "{broken:?}");
    }
}
