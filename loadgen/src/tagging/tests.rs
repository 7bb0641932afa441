use std::sync::Arc;

use peakdrill_drill_model::plan::Telemetry;
use peakdrill_shadow_tag::{MarkKey, SigningKey, Traceparent, ack};
use peakdrill_wire_http1::Fields;

use crate::form::Form;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::{Heads, NoToken, ShadowTagging, Stamper, Tagging, TokenCell};

fn token(run: &str) -> String {
    let key = SigningKey::from_seed("k".parse().unwrap(), &[7; 32]);
    let token = key.mint("test".parse().unwrap(), run.parse().unwrap(), 1_000, 1_060).unwrap();
    token.as_str().to_owned()
}

fn shadow() -> (Arc<ShadowTagging>, Stamper) {
    let tagging = Arc::new(ShadowTagging {
        mark: MarkKey::from_bytes([3; 16]),
        token: TokenCell::new(),
        header: "x-peakdrill".into(),
        ack_header: ack::HEADER.into(),
        check_ack: true,
    });
    let random = ChaCha8Rng::seed_from_u64(1);
    let stamper = Stamper::new(&Tagging::Shadow(Arc::clone(&tagging)), "r1", random).unwrap();
    (tagging, stamper)
}

/// The fields of a head, in order.
fn fields(head: &[u8]) -> Vec<(&str, &str)> {
    let text = std::str::from_utf8(head).unwrap();
    assert!(text.ends_with("\r\n"));
    text.lines().map(|line| line.split_once(": ").unwrap()).collect()
}

#[test]
fn every_carrier_is_filled() {
    let (tagging, mut stamper) = shadow();
    let text = token("r1");
    tagging.token.set(&text, u64::MAX);
    let (mut plain, mut joined) = (Vec::new(), Vec::new());
    let (ids, exp) = stamper.stamp(Form::Lines, &mut plain, None, 1_010).unwrap();
    assert_eq!(exp, 1_060, "the token's own end counts");
    let (other, _) = stamper.stamp(Form::Lines, &mut joined, Some(b"a=1,peakdrill=live"), 1_010).unwrap();
    assert_ne!(other.trace, ids.trace);
    for (head, ids, own) in [(&plain, ids, ""), (&joined, other, ",a=1")] {
        let [("baggage", baggage), ("x-peakdrill", header), ("traceparent", parent)] = fields(head)[..]
        else {
            panic!("{:?}", fields(head));
        };
        assert_eq!((header, baggage), (text.as_str(), format!("peakdrill={text}{own}").as_str()));
        let parent = Traceparent::parse(parent.as_bytes()).unwrap();
        assert!(tagging.mark.is_marked(parent.trace_id));
        assert_eq!(u128::from_be_bytes(parent.trace_id.to_bytes()), ids.trace);
        assert_eq!(u64::from_be_bytes(parent.parent_id.to_bytes()), ids.span);
    }
    assert_eq!(stamper.acked(Heads::default(), ids.trace), Some(false));
    let trace = peakdrill_shadow_tag::TraceId::from_bytes(ids.trace.to_be_bytes()).unwrap();
    let answer = format!("{}: {}\r\n", ack::HEADER, ack::ack_value(trace).as_str());
    let answer = Heads { fields: Fields::new(answer.as_bytes()), ..Heads::default() };
    assert_eq!(stamper.acked(answer, ids.trace), Some(true));
    assert_eq!(stamper.acked(answer, other.trace), Some(false), "an acknowledgement is for one request");
}

#[test]
fn without_a_valid_token_nothing_is_sent() {
    let (tagging, mut stamper) = shadow();
    let mut stamp = |now| stamper.stamp(Form::Lines, &mut Vec::new(), None, now).map(|_| ());
    assert_eq!(stamp(1_010), Err(NoToken));
    tagging.token.set(&token("r1"), 1_050);
    assert_eq!(stamp(1_049), Ok(()));
    assert_eq!(stamp(1_050), Err(NoToken), "expired");
    tagging.token.set(&token("r2"), 2_000);
    assert_eq!(stamp(1_010), Err(NoToken), "of another run");
    tagging.token.set(&token("r1"), 1_060);
    assert_eq!(stamp(1_010), Ok(()));
    tagging.token.set("nonsense", 2_000);
    assert_eq!(stamp(1_010), Err(NoToken), "not a token");
    tagging.token.set(&token("r1"), 1_060);
    tagging.token.clear();
    assert_eq!(stamp(1_010), Err(NoToken));
}

#[test]
fn plain_requests_carry_a_trace_and_their_own_baggage_alone() {
    let mut stamper = Stamper::new(&Tagging::Plain, "r1", ChaCha8Rng::seed_from_u64(1)).unwrap();
    let mut head = Vec::new();
    let (ids, exp) = stamper.stamp(Form::Lines, &mut head, Some(b"a=1"), 1).unwrap();
    let parent = format!("00-{:032x}-{:016x}-01", ids.trace, ids.span);
    assert_eq!(fields(&head), [("baggage", "a=1"), ("traceparent", parent.as_str())]);
    assert_eq!(exp, u64::MAX);
    assert_eq!(stamper.acked(Heads::default(), ids.trace), None);
}

#[test]
fn services_are_asked_for_the_spans_of_sampled_requests_alone() {
    let (tagging, stamper) = shadow();
    tagging.token.set(&token("r1"), u64::MAX);
    let telemetry = Telemetry { traces_ppm: Some(100_000), ..Telemetry::default() };
    let mut stamper = stamper.sampling(&telemetry);
    let mut sampled = 0;
    for form in [Form::Lines, Form::Block] {
        for _ in 0..1_000 {
            let mut head = Vec::new();
            let (ids, _) = stamper.stamp(form, &mut head, None, 1_010).unwrap();
            let parent = format!("00-{:032x}-{:016x}-0{}", ids.trace, ids.span, u8::from(ids.sampled));
            assert!(head.windows(parent.len()).any(|part| part == parent.as_bytes()), "{parent}");
            assert_eq!(ids.sampled, telemetry.is_sampled(ids.trace));
            sampled += u32::from(ids.sampled);
        }
    }
    assert!((120..280).contains(&sampled), "one in ten of 2000: {sampled}");
}
