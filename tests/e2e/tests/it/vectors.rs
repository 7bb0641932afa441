//! Every negative test vector over real HTTP: refused at the edge and at an inner hop.

use std::sync::Arc;

use peakdrill_shadow_router::{Mode, Position, Router, Rules, Verifier};
use peakdrill_shadow_tag::{RunTable, VECTORS_V1, VerifyingKeys};
use serde_json::Value;

use crate::hop::{REACHED, ask, serve};

async fn hop(vectors: &Value, position: Position) -> std::net::SocketAddr {
    let now = vectors["now"].as_u64().unwrap();
    let keys = VerifyingKeys::from_json(&vectors["keys"].to_string()).unwrap();
    let table = RunTable::from_json(&vectors["run_table"].to_string()).unwrap();
    let verifier = Verifier::new(vectors["env"].as_str().unwrap().parse().unwrap(), keys, table);
    let router = Router::builder("hop")
        .position(position)
        .mode(Mode::Enforce)
        .verifier(verifier)
        .rules(Rules::default())
        .clock(Arc::new(move || now))
        .build()
        .unwrap();
    serve(&router).await
}

fn headers(case: &Value) -> Vec<(&'static str, &str)> {
    [("x-peakdrill", "header"), ("baggage", "baggage"), ("traceparent", "traceparent")]
        .into_iter()
        .filter_map(|(name, key)| Some((name, case[key].as_str()?)))
        .collect()
}

#[tokio::test]
async fn no_forged_claim_gets_through() {
    let vectors: Value = serde_json::from_str(VECTORS_V1).unwrap();
    let mut refused = 0;
    for (position, word) in [(Position::Edge, "edge"), (Position::Inner, "inner")] {
        let address = hop(&vectors, position).await;
        for case in vectors["refused"].as_array().unwrap() {
            let at = case["position"].as_str().unwrap();
            if at != "any" && at != word {
                continue;
            }
            let sent = headers(case);
            // A value that HTTP itself does not allow never reaches the router; the server refuses it.
            let answer = ask(address, &sent).await;
            let name = case["name"].as_str().unwrap();
            assert!(!answer.contains(REACHED), "{word}: {name}: {answer}");
            let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
            assert!((400..600).contains(&status), "{word}: {name}: {answer}");
            let code = format!("x-peakdrill-refused: {}", case["expect"].as_str().unwrap());
            assert!(status == 400 || answer.to_ascii_lowercase().contains(&code), "{word}: {name}: {answer}");
            refused += 1;
        }
    }
    assert!(refused >= 60, "only {refused} vectors were tried");
}

#[tokio::test]
async fn true_claims_get_through_and_the_unstamped_does_not_where_a_hop_enforces() {
    let vectors: Value = serde_json::from_str(VECTORS_V1).unwrap();
    let edge = hop(&vectors, Position::Edge).await;
    let inner = hop(&vectors, Position::Inner).await;
    assert!(ask(edge, &[]).await.contains(REACHED), "a request without any claim is live at the edge");
    let unstamped = ask(inner, &[]).await;
    assert!(
        !unstamped.contains(REACHED) && unstamped.to_ascii_lowercase().contains("x-peakdrill-refused"),
        "{unstamped}"
    );
    assert!(ask(inner, &[("baggage", "peakdrill=live")]).await.contains(REACHED));
    let good =
        vectors["accepted"].as_array().unwrap().iter().find(|case| case["header"].is_string()).unwrap();
    assert!(ask(edge, &headers(good)).await.contains(REACHED), "{good}");
}
