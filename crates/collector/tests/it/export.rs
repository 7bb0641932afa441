//! The drill's own metrics, sent to a receiver over TLS.

use peakdrill_collector::counters::counter;
use peakdrill_collector::export::{Endpoint, Family, Receiver};
use peakdrill_drill_model::plan::{Tls, TlsIdentity};
use peakdrill_testkit::tls::{CA, Front, server_config};
use peakdrill_tls::Keys;

use crate::support::{self, PATIENCE};

#[test]
fn what_is_sent_over_tls_arrives_where_the_authority_is_known() {
    let collector = support::start(None);
    let behind = collector.addresses().1.unwrap();
    let front = Front::start(server_config(None).unwrap(), behind).unwrap();
    let receiver = |tls| {
        let authority = front.address().to_string();
        let endpoint = Endpoint { authority, path: "/v1/metrics".to_owned(), tls: Some(tls) };
        Receiver::new(endpoint, Keys::Flags("--to"))
    };
    let sent = Family { name: "sent_total", help: "Sent.", grows: true, samples: vec![(vec![], 1.0)] };
    let send = |receiver: &Receiver| receiver.push(std::slice::from_ref(&sent), 1, 2, PATIENCE);
    let known = receiver(Tls { ca: Some(CA.to_owned()), ..Tls::default() }).unwrap();
    send(&known).unwrap();
    send(&known).unwrap();
    let arrived = collector.wait_until(PATIENCE, |collector| {
        (collector.view().counters.get(counter::METRIC_REQUESTS) == 2).then_some(())
    });
    assert!(arrived.is_some());
    assert_eq!((front.handshakes(), front.resumed()), ((2, 0), 1));
    let identity = TlsIdentity { resume: false, ..TlsIdentity::default() };
    let anew = receiver(Tls { ca: Some(CA.to_owned()), identity, ..Tls::default() }).unwrap();
    send(&anew).unwrap();
    send(&anew).unwrap();
    assert_eq!((front.handshakes(), front.resumed()), ((4, 0), 1));
    send(&receiver(Tls { insecure: true, ..Tls::default() }).unwrap()).unwrap();

    let why = send(&receiver(Tls::default()).unwrap()).unwrap_err().to_string();
    assert!(why.contains("an authority that is not known") && why.ends_with("in `--to-ca`"), "{why}");
    let missing = receiver(Tls { ca: Some("no/such.pem".to_owned()), ..Tls::default() }).map(drop);
    assert!(missing.unwrap_err().to_string().contains("`--to-ca`: no/such.pem: "));
    let end = collector.finish().unwrap();
    assert_eq!(end.view.counters.get(counter::METRIC_REQUESTS), 5);
}
