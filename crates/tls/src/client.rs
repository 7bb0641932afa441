//! What connections to one server share.

use std::io::{self, Read, Write};
use std::sync::Arc;

use peakdrill_drill_model::plan::Tls;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, InvalidMessage, StreamOwned,
};

use crate::files::{identity, roots};
use crate::unverified::Unverified;
use crate::{Keys, SetupError};

/// The name of HTTP/1.1 among what is agreed on in TLS (RFC 7301, 6).
pub const ALPN_HTTP1: &[u8] = b"http/1.1";
/// The name of HTTP/2 among what is agreed on in TLS (RFC 9113, 3.2).
pub const ALPN_HTTP2: &[u8] = b"h2";

/// Characters kept of a reason that lists what a certificate holds.
const WHY_CHARS_MAX: usize = 200;

/// TLS to one server, set up. Copies share its sessions.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    keys: Keys,
    /// Whether it has a certificate of its own.
    named: bool,
}

impl Client {
    /// Reads the files. `host`: that of the URL, without brackets; the server is asked for by it unless the settings give
    /// another name. `alpn`: what is to be spoken. Blocks while files are read.
    ///
    /// # Errors
    /// [`SetupError`] when a file cannot be read or does not hold what it should, certificate and key do not fit together,
    /// no authority is known, or a name is none.
    pub fn new(tls: &Tls, host: &str, alpn: &[u8], keys: Keys) -> Result<Self, SetupError> {
        let config = Arc::new(config(tls, alpn, keys).map_err(SetupError)?);
        let wanted = tls.identity.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(wanted.to_owned()).map_err(|error| {
            let key = keys.of("server_name");
            SetupError(format!("`{wanted}`: {error}; expected a host's name in the URL or in {key}"))
        })?;
        Ok(Self { config, name, keys, named: tls.identity.cert.is_some() })
    }

    /// The configuration, for connections of a runtime.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Whom the server is to be.
    #[must_use]
    pub fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// TLS over a socket that blocks. The handshake is done by the first write or read, and fails them.
    ///
    /// # Errors
    /// When no connection can be made of the configuration.
    pub fn over<S: Read + Write>(&self, socket: S) -> io::Result<impl Read + Write + use<S>> {
        let connection = ClientConnection::new(self.config(), self.name()).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, socket))
    }

    /// What an error of a connection means, and which key to change; `None` when it is not one of TLS.
    #[must_use]
    pub fn why(&self, error: &io::Error) -> Option<String> {
        use AlertDescription as Alert;
        let told: &Error = error.get_ref()?.downcast_ref()?;
        Some(match told {
            Error::InvalidCertificate(why) => self.unbelieved(why),
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            ) => format!("it does not answer in TLS, as its URL says: change the URL, or its port ({told})"),
            Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::HandshakeFailure
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError,
            ) => self.refused(told),
            other => format!("TLS: {other}"),
        })
    }

    /// Why the server's certificate is not believed. What to do comes before what may be long.
    fn unbelieved(&self, why: &CertificateError) -> String {
        let key = |key: &str| self.keys.of(key);
        match why {
            CertificateError::UnknownIssuer => format!(
                "its certificate is from an authority that is not known here: name the PEM file of that authority in {}",
                key("ca")
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let why: String = why.to_string().chars().take(WHY_CHARS_MAX).collect();
                format!(
                    "its certificate is for another name: write one that it has in the URL or in {} ({why})",
                    key("server_name")
                )
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                format!("its certificate is not valid now: renew it, or set this machine's clock ({why})")
            }
            // webpki's own error, of which rustls keeps the name alone.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => format!(
                "it shows an authority's certificate as its own: expected one with CA:FALSE, signed by an authority of {}",
                key("ca")
            ),
            other => format!(
                "its certificate is not accepted: {other}; expected one that an authority of {} signed",
                key("ca")
            ),
        }
    }

    /// What an alert of the server means that may be about the client's certificate. Servers differ in which one they send.
    fn refused(&self, told: &Error) -> String {
        let (cert, key) = (self.keys.of("cert"), self.keys.of("key"));
        match (self.named, told) {
            (true, _) => format!("it does not accept the client certificate of {cert} ({told})"),
            (false, Error::AlertReceived(AlertDescription::CertificateRequired)) => {
                format!("it wants a client certificate: name one in {cert} and its key in {key}")
            }
            (false, _) => {
                format!(
                    "it refused TLS; if it wants a client certificate, name one in {cert} and its key in {key} ({told})"
                )
            }
        }
    }
}

fn config(tls: &Tls, alpn: &[u8], keys: Keys) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if tls.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        builder.with_root_certificates(roots(tls.ca.as_deref(), keys)?)
    };
    let mut config = match (&tls.identity.cert, &tls.identity.key) {
        (Some(cert), Some(key)) => {
            let (chain, secret) = identity((cert, key), keys)?;
            let built = builder.with_client_auth_cert(chain, secret);
            built.map_err(|error| {
                let (of_cert, of_key) = (keys.of("cert"), keys.of("key"));
                format!("{of_cert} {cert} and {of_key} {key} do not fit together: {error}")
            })?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            let (cert, key) = (keys.of("cert"), keys.of("key"));
            return Err(format!(
                "a client certificate needs its key, and a key its certificate: name both, {cert} and {key}"
            ));
        }
    };
    if !tls.identity.resume {
        config.resumption = Resumption::disabled();
    }
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}
