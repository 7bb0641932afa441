//! TLS: the system's authorities, a plan's own ones, or none by an explicit flag.

use std::sync::Arc;

use peakdrill_drill_model::plan::{Protocol, Target};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::error::StartError;

/// Certificate authorities read from one file, at most.
pub const CA_CERTIFICATES_MAX: usize = 10_000;
/// Certificates of the client's own chain, at most.
const CHAIN_CERTIFICATES_MAX: usize = 16;

/// The name of HTTP/2 among what is agreed on in TLS (RFC 9113, 3.2).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// Sets up TLS for a target. Sessions are resumed across its connections unless the plan says otherwise.
pub(crate) fn connector(target: &Target) -> Result<TlsConnector, StartError> {
    let bad = |because: String| StartError::Tls { target: target.name.clone(), because };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?;
    let builder = if target.tls_insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Insecure(provider)))
    } else {
        builder.with_root_certificates(roots(target.tls_ca.as_deref()).map_err(bad)?)
    };
    let mut config = match (&target.tls.cert, &target.tls.key) {
        (Some(cert), Some(key)) => {
            let (chain, secret) = identity(cert, key).map_err(bad)?;
            let built = builder.with_client_auth_cert(chain, secret);
            built.map_err(|error| bad(format!("{cert} and {key} do not fit together: {error}")))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err(bad("a client certificate needs its key, and a key its certificate".into())),
    };
    if !target.tls.resume {
        config.resumption = Resumption::disabled();
    }
    config.alpn_protocols = vec![match target.protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 { .. } => ALPN_HTTP2.to_vec(),
    }];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The client's certificates and its private key.
fn identity(cert: &str, key: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(cert, CHAIN_CERTIFICATES_MAX)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{key}: {error}"))?;
    Ok((chain, secret))
}

fn certificates(path: &str, most: usize) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |error: rustls::pki_types::pem::Error| format!("{path}: {error}");
    let read = CertificateDer::pem_file_iter(path).map_err(bad)?;
    let found = read.take(most + 1).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    match found.len() {
        0 => Err(format!("{path} holds no certificate")),
        // Without the rest of them a peer would be refused, or refuse, for a reason that nobody could see.
        held if held > most => Err(format!(
            "{path} holds more than {most} certificates, the most that are taken: leave some out"
        )),
        _ => Ok(found),
    }
}

fn roots(ca_file: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        for certificate in certificates(path, CA_CERTIFICATES_MAX)? {
            store.add(certificate).map_err(|error| format!("{path}: {error}"))?;
        }
    }
    if store.is_empty() {
        return Err("no certificate authority is known on this machine, and the plan names none".into());
    }
    Ok(store)
}

/// Takes any certificate; still checks that the peer holds its key.
#[derive(Debug)]
struct Insecure(Arc<CryptoProvider>);

impl ServerCertVerifier for Insecure {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_taken_all_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("many.pem");
        let path = path.to_str().unwrap();
        let held = |count: usize| {
            std::fs::write(
                path,
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".repeat(count),
            )
            .unwrap();
            certificates(path, 2).map(|found| found.len())
        };
        assert_eq!(held(2), Ok(2));
        assert!(held(0).unwrap_err().ends_with("holds no certificate"));
        let error = held(3).unwrap_err();
        assert!(error.contains("holds more than 2 certificates") && error.starts_with(path), "{error}");
    }
}
