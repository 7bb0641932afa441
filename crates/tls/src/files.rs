//! Certificates and keys, from PEM files and from the system.

use std::sync::OnceLock;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Keys;

/// Certificate authorities read from one file, at most.
pub const CA_CERTIFICATES_MAX: usize = 10_000;
/// Certificates of the client's own chain, at most.
pub const CHAIN_CERTIFICATES_MAX: usize = 16;

/// The client's certificates and its private key.
pub(crate) fn identity(
    (cert, key): (&str, &str),
    keys: Keys,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(cert, CHAIN_CERTIFICATES_MAX).map_err(|why| at(keys, "cert", &why))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        let why = format!("{key}: {}; expected a PEM file with a private key", reason(&error));
        at(keys, "key", &why)
    })?;
    Ok((chain, secret))
}

/// The system's authorities, and those of a file.
pub(crate) fn roots(ca_file: Option<&str>, keys: Keys) -> Result<RootCertStore, String> {
    /// Read once: a drill has many servers.
    static NATIVE: OnceLock<(Vec<CertificateDer<'static>>, Option<String>)> = OnceLock::new();
    let mut store = RootCertStore::empty();
    if let Some(path) = ca_file {
        for certificate in certificates(path, CA_CERTIFICATES_MAX).map_err(|why| at(keys, "ca", &why))? {
            store.add(certificate).map_err(|error| at(keys, "ca", &format!("{path}: {error}")))?;
        }
    }
    let (native, why) = NATIVE.get_or_init(|| {
        let native = rustls_native_certs::load_native_certs();
        (native.certs, native.errors.first().map(ToString::to_string))
    });
    store.add_parsable_certificates(native.iter().cloned());
    if store.is_empty() {
        let ca = keys.of("ca");
        let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        return Err(format!(
            "no certificate authority is known on this machine: name a PEM file in {ca}{why}"
        ));
    }
    Ok(store)
}

fn at(keys: Keys, key: &str, why: &str) -> String {
    format!("{}: {why}", keys.of(key))
}

fn certificates(path: &str, most: usize) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |error: Error| format!("{path}: {}; expected a PEM file with certificates", reason(&error));
    let read = CertificateDer::pem_file_iter(path).map_err(bad)?;
    let found = read.take(most + 1).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    match found.len() {
        0 => Err(format!("{path} holds no certificate; expected a PEM file with certificates")),
        // Without the rest of them a peer would be refused, or refuse, for a reason that nobody could see.
        held if held > most => Err(format!(
            "{path} holds more than {most} certificates, the most that are taken: leave some out"
        )),
        _ => Ok(found),
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "nothing of that kind is in it".to_owned(),
        other => other.to_string(),
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
        assert!(held(0).unwrap_err().contains("holds no certificate"));
        let error = held(3).unwrap_err();
        assert!(error.contains("holds more than 2 certificates") && error.starts_with(path), "{error}");
    }
}
