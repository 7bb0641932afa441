use peakdrill_drill_model::condition::Limit;
use proptest::prelude::*;

use super::*;

fn code(text: &str, kind: Kind) -> &'static str {
    parse_condition(text, kind).unwrap_err().code.0
}

#[test]
fn reads_what_the_language_shows() {
    let checkout = parse_condition("p99{journey=checkout} < 300ms", Kind::Gate).unwrap();
    assert_eq!(checkout.stat, Stat::Latency(0.99));
    assert_eq!(checkout.select.journey.as_deref(), Some("checkout"));
    assert_eq!((checkout.op, checkout.limit), (Op::Lt, Limit::Value(300e6)));

    let errors = parse_condition("error_rate{journey=checkout} > 2% for 3s", Kind::Guard).unwrap();
    assert_eq!((errors.stat, errors.for_ns), (Stat::ErrorRate, 3_000_000_000));
    assert_eq!(errors.limit, Limit::Value(0.02));

    let sent = parse_condition("rate >= 99.5% of target", Kind::Gate).unwrap();
    assert_eq!(sent.limit, Limit::OfTarget(0.995));
    assert_eq!(parse_condition("leaks == 0", Kind::Gate).unwrap().limit, Limit::Value(0.0));
    assert_eq!(parse_condition("capacity >= 110000/s", Kind::Gate).unwrap().limit, Limit::Value(110_000.0));
    assert_eq!(parse_condition("p(99.9) < 1s", Kind::Gate).unwrap().stat, Stat::Latency(0.999));
    assert_eq!(parse_condition("service_p50<1ms", Kind::Until).unwrap().stat, Stat::Service(0.5));
    assert_eq!(parse_condition("max < 2s", Kind::Gate).unwrap().stat, Stat::Latency(1.0));
    let step = parse_condition("p95{step='GET /a b'} < 1s", Kind::Gate).unwrap();
    assert_eq!(step.select.step.as_deref(), Some("GET /a b"));
}

#[test]
fn says_what_is_wrong() {
    assert_eq!(code("p99", Kind::Gate), "E0501");
    assert_eq!(code("p99 < 200", Kind::Gate), "E0401");
    assert_eq!(code("p99 < 5%", Kind::Gate), "E0503");
    assert_eq!(code("error_rate < 0.05", Kind::Gate), "E0401");
    assert_eq!(code("error_rate < 200%", Kind::Gate), "E0403");
    assert_eq!(code("p101 < 1s", Kind::Gate), "E0502");
    assert_eq!(code("http_req_duration < 1s", Kind::Gate), "E0502");
    assert_eq!(code("capacity < 5/s", Kind::Guard), "E0504");
    assert_eq!(code("in_flight < 500", Kind::Gate), "E0504");
    assert_eq!(parse_condition("in_flight > 500 for 2s", Kind::Guard).unwrap().stat, Stat::InFlight);
    assert_eq!(code("p99 < 1s for 3s", Kind::Gate), "E0504");
    assert_eq!(code("p99{cell=a} < 1s", Kind::Gate), "E0313");
    assert_eq!(code("p99 <= baseline + 5%", Kind::Gate), "E0313");
    assert_eq!(code("prom(live_errors) > 1%", Kind::Guard), "E0313");
    assert_eq!(code("leaks{journey=a} > 0", Kind::Guard), "E0504");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        for kind in [Kind::Guard, Kind::Gate, Kind::Until] {
            if let Err(error) = parse_condition(&text, kind) {
                prop_assert!(text.get(error.range).is_some());
            }
        }
    }

    #[test]
    fn near_conditions_do_not_panic(text in "(p|p99|rate|max|leaks)[{}()a-z=,é ]{0,8} ?[<>=!]{1,2} ?[0-9a-z%/. é]{0,12}") {
        if let Err(error) = parse_condition(&text, Kind::Guard) {
            prop_assert!(text.get(error.range).is_some());
        }
    }
}
