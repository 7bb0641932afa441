use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::StatusCode;
use peakdrill_shadow_router::{HttpClient, Outcome, Router, Work, with};
use serde_json::Value;

use crate::support::*;

const MEDIAN_NS: u64 = 30_000_000;

fn rules(stub: &str, internal: &str) -> String {
    format!(
        r#"{{"v":1,"internal_hosts":["{internal}"],"stubs":[{{"host":"{stub}","status":202,
            "latency_median_ns":{MEDIAN_NS},"latency_sigma":0,"body":"{{\"code\":0}}"}}]}}"#
    )
}

fn client(router: &Router) -> HttpClient {
    HttpClient::new(router, reqwest::Client::builder()).unwrap()
}

/// The headers that the server at the address saw.
async fn seen(client: &HttpClient, work: &Work, url: &str) -> Value {
    let call = client.get(url).header("baggage", "own=1").send();
    with(work.clone(), call).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn inside_all_carriers_go_on() {
    let (address, _) = echo().await;
    let router = inner(&rules("bank", &address.to_string()));
    let (client, url) = (client(&router), format!("http://{address}/"));

    let shadow = seen(&client, &shadow_work(&router, 7), &url).await;
    assert!(shadow["x-peakdrill"].as_str().unwrap().starts_with("pd1."));
    let baggage = shadow["baggage"].as_str().unwrap();
    assert!(baggage.starts_with("peakdrill=pd1.") && baggage.ends_with(",own=1"), "{baggage}");
    assert_eq!(shadow["traceparent"], trace(7).to_string());
    // What the next hop sees is shadow there too.
    let pairs: Vec<_> =
        shadow.as_object().unwrap().iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap())).collect();
    assert!(router.accept(&headers(&pairs)).unwrap().is_shadow());

    let live = seen(&client, &live_work(&router), &url).await;
    assert_eq!(live["baggage"], "peakdrill=live,own=1");
    assert!(live.get("x-peakdrill").is_none() && live.get("traceparent").is_none());
}

#[tokio::test]
async fn the_callers_span_is_the_parent_and_the_mark_stays() {
    let (address, _) = echo().await;
    let router = inner(&rules("bank", &address.to_string()));
    let client = client(&router);
    let mut other = trace(8);
    other.trace_id = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
    other.parent_id = "b7ad6b7169203331".parse().unwrap();
    let sent = |work: Work| {
        let call = client.get(format!("http://{address}/")).traceparent(other).send();
        async { with(work, call).await.unwrap().json::<Value>().await.unwrap()["traceparent"].clone() }
    };
    let kept = sent(shadow_work(&router, 7)).await;
    assert_eq!(kept, trace(7).to_string().replace("0101010101010101", "b7ad6b7169203331"));
    assert_eq!(sent(live_work(&router)).await, other.to_string());
}

#[tokio::test]
async fn the_stub_answers_and_the_bank_hears_nothing() {
    let (bank, calls) = echo().await;
    let router = inner(&rules(&bank.to_string(), "nowhere"));
    let (client, url) = (client(&router), format!("http://{bank}/pay"));
    let began = Instant::now();
    let answer = with(shadow_work(&router, 7), client.post(&*url).json(&1).send()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_nanos(MEDIAN_NS));
    assert!(answer.is_mocked() && answer.status() == StatusCode::ACCEPTED);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], 0);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let resource = format!("http:{bank}");
    assert_eq!(counted(&router, &resource, Outcome::Mocked), 1);

    // Live work reaches it, and nothing of ours goes with it, whatever the caller set.
    let call = client
        .get(&*url)
        .header("x-peakdrill", token())
        .header("baggage", format!("own=1,peakdrill={}", token()))
        .header("tracestate", "v=1")
        .traceparent(trace(5));
    let heard: Value = with(live_work(&router), call.send()).await.unwrap().json().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(heard["baggage"], "own=1");
    for name in ["x-peakdrill", "traceparent", "tracestate"] {
        assert!(heard.get(name).is_none(), "{heard}");
    }
}

#[tokio::test]
async fn what_is_not_declared_is_refused_for_shadow_and_for_unknown_work() {
    let (address, calls) = echo().await;
    let router = inner(r#"{"v":1}"#);
    let (client, url) = (client(&router), format!("http://{address}/"));
    let refused = with(shadow_work(&router, 7), client.get(&*url).send()).await.unwrap_err();
    assert!(refused.is_refused());
    assert_eq!(refused.refused().unwrap().code(), "third_party");
    let unknown = client.get(&*url).send().await.unwrap_err();
    assert_eq!(unknown.refused().unwrap().code(), "unstamped");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(counted(&router, &format!("http:{address}"), Outcome::Refused), 2);
}

#[tokio::test]
async fn a_redirect_out_of_the_house_is_not_followed() {
    let (bank, calls) = echo().await;
    let to = format!("http://{bank}/");
    let app = axum::Router::new().fallback(async move || axum::response::Redirect::temporary(&to));
    let hop = serve(app).await;
    let router = inner(&rules("bank", &hop.to_string()));
    let call = client(&router).get(format!("http://{hop}/")).send();
    let answer = with(shadow_work(&router, 7), call).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_slow_third_party_is_a_slow_stub_with_a_queue() {
    let router = inner(&rules("bank.example", "nowhere"));
    let client = client(&router).stub_slots(NonZeroU32::new(2).unwrap());
    let work = shadow_work(&router, 7);
    let began = Instant::now();
    let calls: Vec<_> = (0..40)
        .map(|_| tokio::spawn(with(work.clone(), client.get("https://bank.example/pay").send())))
        .collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap().is_mocked());
    }
    // 40 calls by 2 slots of 30 ms: 20 rounds. The upper end leaves room for a busy machine.
    let took = began.elapsed().as_secs_f64();
    assert!((0.6..1.0).contains(&took), "{took}");

    let late = client.get("https://bank.example/pay").timeout(Duration::from_millis(1)).send();
    assert!(with(work, late).await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_call_that_is_shed_is_counted_once_and_by_the_name_of_its_host() {
    let rules = r#"{"v":1,"stubs":[{"host":"*.bank.example","status":200,"latency_median_ns":60000000000,
        "latency_sigma":0,"body":"","slots":1}]}"#;
    let router = inner(rules);
    let (client, work) = (client(&router), shadow_work(&router, 7));
    let call = |limit| client.get("https://eu.bank.example/").timeout(Duration::from_millis(limit)).send();
    assert!(with(work.clone(), call(1)).await.unwrap_err().is_timeout());
    let shed = with(work, call(60_000)).await.unwrap_err();
    assert_eq!(shed.refused().map(|refused| refused.code()), Some("overloaded"));
    let calls: Vec<_> = router
        .ledger_snapshot()
        .into_iter()
        .filter(|row| row.resource.starts_with("http:"))
        .map(|row| (row.resource, row.outcome, row.count))
        .collect();
    let host = "http:eu.bank.example:443".to_owned();
    assert_eq!(calls, [(host.clone(), Outcome::Mocked, 1), (host, Outcome::Refused, 1)]);
}

#[tokio::test]
async fn wrong_calls_are_said_to_be_wrong() {
    let router = inner(r#"{"v":1}"#);
    let client = client(&router);
    for call in [
        client.get("no url"),
        client.get("http://a/").header("host", "b"),
        client.get("http://a/").header("a b", "c"),
    ] {
        assert!(with(live_work(&router), call.send()).await.unwrap_err().is_config());
    }
    // Nobody listens on the port of a closed listener.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = with(live_work(&router), client.get(format!("http://{closed}/")).send()).await.unwrap_err();
    assert!(error.is_transport() && !error.is_timeout());
}
