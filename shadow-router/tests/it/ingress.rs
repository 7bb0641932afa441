use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use peakdrill_shadow_router::{
    Class, HttpClient, Message, Mode, Outcome, Position, REFUSED_HEADER, Router, carriers, current,
};
use peakdrill_shadow_tag::{RunState, ack};

use crate::support::*;

/// A service that tells its class and what it would send on.
async fn service(router: &Router) -> String {
    let app = axum::Router::new()
        .route(
            "/",
            get(async || {
                let work = current().unwrap();
                let class = match work.class() {
                    Class::Live => "live".to_owned(),
                    Class::Unknown => "unknown".to_owned(),
                    Class::Shadow(shadow) => format!("shadow {}", shadow.run),
                };
                let pairs = carriers();
                let lines = pairs.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap()));
                [vec![class], lines.collect()].concat().join("\n")
            }),
        )
        .layer(router.layer());
    format!("http://{}/", serve(app).await)
}

async fn get_with(url: &str, headers: HeaderMap) -> reqwest::Response {
    reqwest::Client::new().get(url).headers(headers).send().await.unwrap()
}

#[tokio::test]
async fn the_edge_stamps_live_and_acknowledges_shadow() {
    let router = router_with(Position::Edge, Mode::Enforce, r#"{"v":1}"#);
    let url = service(&router).await;

    let live = get_with(&url, headers(&[("baggage", "user=7")])).await;
    assert_eq!(live.status(), StatusCode::OK);
    assert!(live.headers().get(ack::HEADER).is_none());
    assert_eq!(live.text().await.unwrap(), "live\nbaggage=peakdrill=live,user=7");

    // A stamp from outside is no claim, and is set anew.
    let live = get_with(&url, stamped()).await;
    assert_eq!(live.text().await.unwrap(), "live\nbaggage=peakdrill=live");

    let trace = trace(77);
    let shadow = get_with(&url, tagged(77)).await;
    assert_eq!(shadow.status(), StatusCode::OK);
    assert!(ack::ack_matches(shadow.headers()[ack::HEADER].as_bytes(), trace.trace_id));
    let text = shadow.text().await.unwrap();
    let token = token();
    for expected in
        ["shadow run-1", "x-peakdrill=pd1.", "baggage=peakdrill=pd1.", ",user=7", &trace.to_string()]
    {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(token.split('.').count(), 7);
    assert_eq!(counted(&router, "ingress", Outcome::LiveIn), 2);
    assert_eq!(counted(&router, "ingress", Outcome::ShadowIn), 1);
}

/// A body that calls a third party and tells what became of it, while it is sent.
struct Calling(Option<Pin<Box<dyn Future<Output = Bytes> + Send>>>);

impl HttpBody for Calling {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(call) = &mut self.0 else { return Poll::Ready(None) };
        let told = std::task::ready!(call.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(told))))
    }
}

#[tokio::test]
async fn a_body_that_is_made_while_it_is_sent_keeps_its_class() {
    let (bank, calls) = echo().await;
    let router = inner(r#"{"v":1}"#);
    let client = HttpClient::new(&router, reqwest::Client::builder()).unwrap();
    let app = axum::Router::new().fallback(async move || {
        let call = client.get(format!("http://{bank}/"));
        let told = async move {
            // Waits first, so that the body is polled anew by the server.
            tokio::task::yield_now().await;
            let answer = call.send().await.err().map(|error| error.refused().unwrap().code());
            Bytes::from(format!("{:?} {answer:?}", current().unwrap().run().map(|run| run.to_string())))
        };
        axum::body::Body::new(Calling(Some(Box::pin(told))))
    });
    let url = format!("http://{}/", serve(app.layer(router.layer())).await);
    let shadow = get_with(&url, tagged(7)).await.text().await.unwrap();
    assert_eq!(shadow, r#"Some("run-1") Some("third_party")"#);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(get_with(&url, stamped()).await.text().await.unwrap(), "None None");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_in_one_carrier_goes_on_in_both() {
    let router = inner(r#"{"v":1}"#);
    let token = token();
    let member = format!("peakdrill={token}");
    for one in [headers(&[("x-peakdrill", &token)]), headers(&[("baggage", &member)])] {
        let sent = router.accept(&one).unwrap().carriers();
        let value =
            |name: &str| sent.iter().find(|(known, _)| known == name).unwrap().1.to_str().unwrap().to_owned();
        assert_eq!((value("x-peakdrill"), value("baggage")), (token.clone(), member.clone()));
    }
}

#[tokio::test]
async fn every_refusal_is_a_4xx_with_its_code() {
    let edge = service(&router_with(Position::Edge, Mode::Observe, r#"{"v":1}"#)).await;
    let inner_router = inner(r#"{"v":1}"#);
    let inner = service(&inner_router).await;
    let token = token();
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let expired = key().mint(env(), run(), now() - 100, now() - 40).unwrap().as_str().to_owned();
    let other_env = key().mint_lease("other".parse().unwrap(), run(), now()).unwrap().as_str().to_owned();
    let other_run = key().mint_lease(env(), "run-2".parse().unwrap(), now()).unwrap().as_str().to_owned();
    let (live, drill) = ("peakdrill=live", format!("peakdrill={token}"));
    let marked = trace(5).to_string();
    for (url, pairs, code) in [
        (&edge, vec![("x-peakdrill", forged.as_str())], "bad_signature"),
        (&inner, vec![("x-peakdrill", forged.as_str())], "bad_signature"),
        (&edge, vec![("x-peakdrill", "nonsense")], "malformed_token"),
        (&edge, vec![("x-peakdrill", expired.as_str())], "expired"),
        (&edge, vec![("x-peakdrill", other_env.as_str())], "other_environment"),
        (&inner, vec![("x-peakdrill", other_run.as_str())], "run_unknown"),
        (&edge, vec![("x-peakdrill", token.as_str()), ("x-peakdrill", token.as_str())], "duplicate_header"),
        (&edge, vec![("x-peakdrill", token.as_str()), ("baggage", live)], "live_and_drill"),
        (&inner, vec![("baggage", live), ("baggage", drill.as_str())], "duplicate_member"),
        (&edge, vec![("traceparent", marked.as_str())], "mark_alone_at_edge"),
        (&inner, vec![("baggage", live), ("traceparent", marked.as_str())], "live_and_drill"),
        (&inner, vec![], "unstamped"),
    ] {
        let response = get_with(url, headers(&pairs)).await;
        assert!(response.status().is_client_error(), "{code}: {}", response.status());
        assert_eq!(response.headers()[REFUSED_HEADER], code);
        let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body["error"]["code"], code);
        assert!(!body.to_string().contains("pd1."), "{body}");
    }
    assert_eq!(counted(&inner_router, "ingress", Outcome::Refused), 5);
    assert_eq!(counted(&inner_router, "ingress", Outcome::ShadowIn), 0);
}

#[tokio::test]
async fn a_mark_alone_inside_is_shadow_and_a_lost_tag() {
    let router = inner(r#"{"v":1}"#);
    let url = service(&router).await;
    let response = get_with(&url, headers(&[("traceparent", &trace(9).to_string())])).await;
    assert!(ack::ack_matches(response.headers()[ack::HEADER].as_bytes(), trace(9).trace_id));
    assert!(response.text().await.unwrap().starts_with("shadow run-1"));
    assert_eq!(counted(&router, "ingress", Outcome::TagLost), 1);
    assert_eq!(counted(&router, "ingress", Outcome::ShadowIn), 1);
}

#[tokio::test]
async fn an_observing_hop_lets_unknown_work_pass_and_counts_it() {
    let router = router_with(Position::Inner, Mode::Observe, r#"{"v":1}"#);
    let url = service(&router).await;
    assert_eq!(get_with(&url, HeaderMap::new()).await.text().await.unwrap(), "unknown");
    assert_eq!(counted(&router, "ingress", Outcome::UnknownIn), 1);
}

#[tokio::test]
async fn an_observing_hop_takes_no_shadow_work_whatever_it_declares() {
    for rules in [r#"{"v":1}"#, r#"{"v":1,"internal_hosts":["*.svc.local"]}"#] {
        for position in [Position::Edge, Position::Inner] {
            let router = router_with(position, Mode::Observe, rules);
            let rejected = router.accept(&tagged(7)).unwrap_err();
            assert_eq!((rejected.status(), rejected.refused().code()), (StatusCode::CONFLICT, "observing"));
            let refused = router.accept_message(&tagged(7)).unwrap_err();
            assert_eq!(refused.refused().unwrap().code(), "observing");
            let refused = router.shadow_work(&token()).unwrap_err();
            assert_eq!(refused.refused().unwrap().code(), "observing");
            assert_eq!(counted(&router, "ingress", Outcome::ShadowIn), 0);
            assert!(
                router.ledger_snapshot().iter().any(|row| row.run == "run-1" && row.resource == "message")
            );
        }
    }
}

#[tokio::test]
async fn a_draining_run_starts_nothing_and_a_closed_one_does_nothing() {
    let (edge, hop) = (router_with(Position::Edge, Mode::Enforce, r#"{"v":1}"#), inner(r#"{"v":1}"#));
    let code = |router: &Router| router.accept(&tagged(3)).err().map(|rejected| rejected.refused().code());
    assert_eq!((code(&edge), code(&hop)), (None, None));
    for (state, at_edge, inside) in
        [(RunState::Draining, "run_draining", None), (RunState::Closed, "run_closed", Some("run_closed"))]
    {
        edge.verifier().replace_runs(table(state));
        hop.verifier().replace_runs(table(state));
        assert_eq!((code(&edge), code(&hop)), (Some(at_edge), inside));
    }
}

#[test]
fn messages_outlive_their_lease_and_not_their_run() {
    let router = inner(r#"{"v":1}"#);
    let old = key().mint(env(), run(), now() - 100, now() - 40).unwrap().as_str().to_owned();
    let message = headers(&[("x-peakdrill", &old)]);
    assert!(matches!(router.accept_message(&message), Ok(Message::Process(work)) if work.is_shadow()));
    assert!(matches!(router.accept_message(&stamped()), Ok(Message::Process(work)) if !work.is_shadow()));
    assert_eq!(router.accept_message(&HeaderMap::new()).unwrap_err().refused().unwrap().code(), "unstamped");
    router.verifier().replace_runs(table(RunState::Closed));
    assert!(matches!(router.accept_message(&message), Ok(Message::Quarantine(id)) if id == run()));
    assert_eq!(counted(&router, "message", Outcome::Refused), 2);
}

#[test]
fn a_router_needs_a_verifier_and_a_header_of_its_own() {
    assert!(Router::builder("x").build().unwrap_err().is_config());
    let verifier = inner(r#"{"v":1}"#).verifier().clone();
    for header in ["baggage", "Traceparent", "not a header"] {
        let built = Router::builder("x").verifier(verifier.clone()).header(header).build();
        assert!(built.unwrap_err().is_config(), "{header}");
    }
}
