//! TLS: a certificate is believed for a reason, or not at all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_loadgen::{StartError, start};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::common::{S, config, get, hold, node, plan, run};

/// The authority of the certificate.
pub(crate) const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../fixtures/server.pem");
const KEY: &[u8] = include_bytes!("../../fixtures/server.key");

pub(crate) fn server_config() -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// Serves so many TLS connections, one after the other, each to its end.
fn serve(connections: usize) -> (SocketAddr, JoinHandle<usize>) {
    let config = Arc::new(server_config());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let mut answered = 0;
        for _ in 0..connections {
            let (tcp, _) = listener.accept().unwrap();
            tcp.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            let (mut buffer, mut head) = ([0; 4096], Vec::new());
            while let Ok(read) = tls.read(&mut buffer)
                && read > 0
            {
                head.extend_from_slice(&buffer[..read]);
                if head.ends_with(b"\r\n\r\n") {
                    head.clear();
                    answered += 1;
                    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                    tls.flush().unwrap();
                }
            }
        }
        answered
    });
    (address, serving)
}

#[test]
fn an_authority_or_an_explicit_flag_is_needed() {
    for (ca, insecure, expected) in
        [(Some(CA), false, None), (None, true, None), (None, false, Some(ErrorClass::Tls))]
    {
        // A refused handshake is a connection each; one that stands is used for all.
        let (address, serving) = serve(if expected.is_some() { 10 } else { 1 });
        let mut plan = plan(&format!("https://{address}"), hold(10.0, S), vec![node(get(0, "/"))]);
        plan.targets[0].max_connections = 1;
        plan.targets[0].tls_ca = ca.map(str::to_owned);
        plan.targets[0].tls_insecure = insecure;
        let told = run(plan);
        told.assert_sums();
        let errors = told.step(0).errors;
        match expected {
            None => assert!(errors.is_empty(), "{errors:?} {:?}", told.samples),
            Some(class) => assert_eq!(errors.get(&class), Some(&10), "{errors:?}"),
        }
        assert_eq!(serving.join().unwrap(), if expected.is_some() { 0 } else { 10 });
    }
}

#[test]
fn a_missing_authority_file_is_told_at_once() {
    let mut plan = plan("https://127.0.0.1:1", hold(10.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].tls_ca = Some("no/such/file.pem".into());
    assert!(matches!(start(config(plan)).map(drop), Err(StartError::Tls { .. })));
}
