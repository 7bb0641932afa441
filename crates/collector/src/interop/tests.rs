use peakdrill_trace_model::{Link, PeerKind, Span, SpanKind};
use proptest::prelude::*;

use super::*;

const JAEGER: &str = r#"{"data":[{"traceID":"5b8efff798038103d269b633813fc60c","spans":[
 {"traceID":"5b8efff798038103d269b633813fc60c","spanID":"eee19b7ec3c1b174","operationName":"GET /orders","references":[],
  "startTime":1700000000000000,"duration":5000,"tags":[{"key":"span.kind","type":"string","value":"server"},
  {"key":"http.status_code","type":"int64","value":503}],"logs":[],"processID":"p1","warnings":null},
 {"traceID":"5b8efff798038103d269b633813fc60c","spanID":"a1","operationName":"SELECT","references":[
  {"refType":"FOLLOWS_FROM","traceID":"77","spanID":"88"},
  {"refType":"CHILD_OF","traceID":"5b8efff798038103d269b633813fc60c","spanID":"eee19b7ec3c1b174"}],
  "startTime":1700000000001000,"duration":2000,"tags":[{"key":"span.kind","type":"string","value":"client"},
  {"key":"db.type","type":"string","value":"postgresql"},{"key":"peer.hostname","type":"string","value":"db-1"},
  {"key":"error","type":"bool","value":true}],"processID":"p1"},
 {"spanID":7}],
 "processes":{"p1":{"serviceName":"order","tags":[{"key":"hostname","type":"string","value":"h1"}]}}}],
 "total":0,"limit":0,"offset":0,"errors":null}"#;

const ZIPKIN: &str = r#"[
 {"traceId":"d269b633813fc60c","id":"1","name":"get","kind":"CLIENT","timestamp":1700000000000000,"duration":5000,
  "localEndpoint":{"serviceName":"gateway","ipv4":"10.0.0.1"},"remoteEndpoint":{"serviceName":"order","port":80}},
 {"traceId":"d269b633813fc60c","id":"1","name":"get /orders","kind":"SERVER","shared":true,"timestamp":"1700000000001000",
  "duration":3000,"localEndpoint":{"serviceName":"order"},"tags":{"http.status_code":"500","error":""}},
 {"traceId":"d269b633813fc60c","id":"2","parentId":"1","kind":"PRODUCER","timestamp":1700000000002000,
  "localEndpoint":{"serviceName":"order"},"tags":{"kafka.topic":"mail"}},
 {"traceId":"d269b633813fc60c","id":"3","parentId":"1","name":"query","kind":"CLIENT","timestamp":1700000000002000,
  "duration":500.9,"localEndpoint":{"serviceName":"order"},"remoteEndpoint":{"ipv4":"10.0.0.9","port":3306},
  "tags":{"sql.query":"select 1"}},
 {"traceId":1,"id":"4"}]"#;

fn spans(text: &str) -> (Vec<Span>, u64) {
    let decoded = decode_any(text.as_bytes(), &mut Texts::default()).unwrap();
    (decoded.items, decoded.counters.get(counter::BAD_SPANS))
}

#[test]
fn jaegers_traces_are_read() {
    let (found, bad) = spans(JAEGER);
    assert_eq!((found.len(), bad), (2, 1));
    let (server, call) = (&found[0], &found[1]);
    assert_eq!((&*server.service, &*server.instance, server.kind), ("order", "h1", SpanKind::Server));
    assert_eq!((server.status, server.error, server.parent), (503, true, 0));
    assert_eq!((server.start_ns, server.duration_ns()), (1_700_000_000_000_000_000, 5_000_000));
    assert_eq!((call.id, call.parent, call.kind, call.error), (0xa1, server.id, SpanKind::Client, true));
    assert_eq!(call.links.as_slice(), [Link { trace: 0x77, span: 0x88 }]);
    let peer = call.peer.as_ref().unwrap();
    assert_eq!((&*peer.node, peer.kind), ("postgresql@db-1", PeerKind::Database));
}

#[test]
fn a_jaeger_trace_and_a_span_may_stand_alone() {
    let data: serde_json::Value = serde_json::from_str(JAEGER).unwrap();
    let trace = &data["data"][0];
    assert_eq!(spans(&trace.to_string()), spans(JAEGER));
    assert_eq!(spans(&format!("[{trace}]")), spans(JAEGER));
    let mut span = trace["spans"][0].clone();
    span["process"] = trace["processes"]["p1"].clone();
    assert_eq!(spans(&span.to_string()).0, spans(JAEGER).0[..1]);
}

#[test]
fn a_process_is_copied_once_a_request_and_requests_stay_small() {
    let spans = 2 * SPANS_PER_REQUEST + 10;
    let span = |i: usize| {
        format!(r#"{{"traceID":"1","spanID":"{:x}","startTime":1,"processID":"p{}"}}"#, i + 1, i % 3)
    };
    let list: Vec<String> = (0..spans).map(span).collect();
    let text = format!(
        r#"{{"spans":[{}],"processes":{{"p0":{{"serviceName":"a"}},"p1":{{"serviceName":"b"}}}}}}"#,
        list.join(",")
    );
    let mut texts = Texts::default();
    let mut out = Requests::new(&mut texts);
    out.item(&text);
    assert_eq!((out.requests, out.held, out.decoded.items.len()), (2, 10, 2 * SPANS_PER_REQUEST));
    let of = |name: &str| {
        let said = |group: &&ResourceSpans| {
            let attributes = &group.resource.as_ref().unwrap().attributes;
            attributes.iter().any(|one| *one == super::text("service.name", name))
        };
        out.groups.iter().filter(said).count()
    };
    assert_eq!((of("a"), of("b")), (1, 1), "however often the process changes");
    let decoded = out.decoded();
    let named = |name: &str| decoded.items.iter().filter(|span| &*span.service == name).count();
    assert_eq!((decoded.items.len(), named("a"), named("b")), (spans, spans.div_ceil(3), spans.div_ceil(3)));
    let mut out = Requests::new(&mut texts);
    list.iter().for_each(|span| out.item(span));
    assert_eq!((out.requests, out.held), (2, 10), "spans on their own as well");
}

#[test]
fn what_only_follows_in_the_same_trace_has_it_as_its_parent() {
    let text = r#"{"traceID":"1","spanID":"2","startTime":1,"references":[{"refType":"FOLLOWS_FROM","traceID":"1","spanID":"3"}]}"#;
    let (found, _) = spans(text);
    assert_eq!((found[0].parent, found[0].links.len()), (3, 0));
    let old = r#"{"traceID":"1","spanID":"2","startTime":1,"parentSpanID":"4"}"#;
    assert_eq!(spans(old).0[0].parent, 4);
}

#[test]
fn zipkins_spans_are_read() {
    let (found, bad) = spans(ZIPKIN);
    assert_eq!((found.len(), bad), (4, 1));
    let both: Vec<_> =
        found.iter().filter(|span| span.id == 1).map(|span| (&*span.service, span.kind)).collect();
    assert_eq!(both, [("gateway", SpanKind::Client), ("order", SpanKind::Server)], "one id, two sides");
    assert_eq!((found[1].status, found[1].error, found[1].duration_ns()), (500, true, 3_000_000));
    let peers: Vec<_> =
        found.iter().map(|span| span.peer.as_ref().map(|peer| (&*peer.node, peer.kind))).collect();
    assert_eq!(
        peers,
        [
            Some(("order", PeerKind::Service)),
            None,
            Some(("kafka/mail", PeerKind::Queue)),
            Some(("other_sql@10.0.0.9:3306", PeerKind::Database)),
        ]
    );
    let list: serde_json::Value = serde_json::from_str(ZIPKIN).unwrap();
    assert_eq!(spans(&format!("[{list}]")), spans(ZIPKIN), "a list of traces");
    assert_eq!(spans(&list[0].to_string()).0, found[..1], "a span on its own");
}

#[test]
fn what_is_no_trace_is_refused_and_an_odd_part_spoils_itself_alone() {
    for bad in ["", "x", "7", "\"a\"", "{\"data\":7}", "[1", "{\"data\":[}"] {
        assert!(decode_any(bad.as_bytes(), &mut Texts::default()).is_err(), "{bad}");
    }
    for (odd, wanted) in
        [("[]", 0), ("{\"data\":[]}", 0), ("[1,null,[2],{}]", 4), ("{\"data\":[7,{\"spans\":3}]}", 2)]
    {
        let decoded = decode_any(odd.as_bytes(), &mut Texts::default()).unwrap();
        assert_eq!((decoded.items.len(), decoded.counters.get(counter::BAD_SPANS)), (0, wanted), "{odd}");
    }
}

#[test]
fn ids_and_times_that_cannot_be_are_counted_by_name() {
    let one = |trace: &str, id: &str, start: &str| {
        let text = format!(r#"[{{"traceId":"{trace}","id":"{id}","timestamp":{start},"duration":-1}}]"#);
        let decoded = decode_any(text.as_bytes(), &mut Texts::default()).unwrap();
        (decoded.items.len(), decoded.counters.map().keys().next().copied())
    };
    assert_eq!(one("zz", "1", "1"), (0, Some(counter::BAD_TRACE_ID)));
    assert_eq!(one("+1", "1", "1"), (0, Some(counter::BAD_TRACE_ID)));
    assert_eq!(one("00", "1", "1"), (0, Some(counter::BAD_TRACE_ID)));
    assert_eq!(one("1", "11111111111111111", "1"), (0, Some(counter::BAD_SPAN_ID)));
    assert_eq!(one("1", "1", "99999999999999999999999"), (0, Some(counter::BAD_TIME)));
    assert_eq!(one("1", "1", "1").0, 1);
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for whole in [JAEGER, ZIPKIN] {
            let mut bytes = whole.as_bytes().to_vec();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let _ = decode_any(&bytes, &mut Texts::default());
            let _ = decode_any(&whole.as_bytes()[..cut.index(whole.len())], &mut Texts::default());
        }
    }
}
