//! TLS of targets.

use peakdrill_drill_model::plan::{Protocol, Target};
use peakdrill_tls::{ALPN_HTTP1, ALPN_HTTP2, Client, Keys};

use crate::error::StartError;
use crate::target::Address;

/// Sets up TLS for a target that is reached so. Sessions are resumed across its connections unless the plan says otherwise.
pub(crate) fn client(target: &Target, address: &Address) -> Result<Option<Client>, StartError> {
    if !address.tls {
        return Ok(None);
    }
    let alpn = match target.protocol {
        Protocol::Http1 => ALPN_HTTP1,
        Protocol::Http2 { .. } => ALPN_HTTP2,
    };
    let client = Client::new(&target.trust(), &address.domain, alpn, Keys::Scenario);
    client
        .map(Some)
        .map_err(|error| StartError::Tls { target: target.name.clone(), because: error.to_string() })
}
