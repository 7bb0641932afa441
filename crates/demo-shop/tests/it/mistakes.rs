//! The mistakes that can be planted do what they say: these are what preflight must find.

use peakdrill_demo_shop::Service;

use crate::fixture::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_emptied_rules_a_service_refuses_shadow_and_serves_live() {
    for (service, code) in
        [(Service::Payment, "third_party"), (Service::Stock, "undeclared"), (Service::Order, "third_party")]
    {
        let shop = Shop::open(|config| config.mistakes.empty_rules_for = Some(service)).await;
        let refused = shop.order("shadow-1", &shop.control.tag().0).await;
        assert_eq!(
            (refused.status, refused.header("x-peakdrill-refused")),
            (403, code),
            "{service}: {refused:?}"
        );
        let live = shop.order("live-1", &[]).await;
        // Without internal hosts, the carriers are stripped from what leaves, and the next hop refuses.
        let expected = if service == Service::Order { 403 } else { 201 };
        assert_eq!(live.status, expected, "{service}: {live:?}");
        let shop = shop.close().await;
        assert_eq!(shop.json("bank.json")["shadow_calls"], 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_router_payment_leaks_and_the_bank_sees_it() {
    let shop = Shop::open(|config| config.mistakes.without_middleware = Some(Service::Payment)).await;
    let (tag, trace) = shop.control.tag();
    let answer = shop.order("shadow-1", &tag).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(shop.column("payment-db", "charges", "idempotency_key").await, ["shadow-1"]);
    assert_eq!(shop.column("order-db", "shadow_orders", "idempotency_key").await, ["shadow-1"]);
    let shop = shop.close().await;
    let bank = shop.json("bank.json");
    assert_eq!((&bank["shadow_calls"], &bank["marked_calls"]), (&1.into(), &1.into()), "{bank}");
    // Its spans are in the trace and do not say that they are of a drill; the others' do.
    for span in shop.trace(&trace) {
        let synthetic = span.attribute("user_agent.synthetic.type") == "test";
        assert_eq!(synthetic, span.service != "payment", "{span:?}");
    }
}
