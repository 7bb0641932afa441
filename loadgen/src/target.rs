//! Where a target is: the parts of its base URL.

use http::HeaderValue;
use peakdrill_drill_model::plan::Target;

use crate::error::StartError;

/// The address of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) tls: bool,
    /// Without brackets.
    pub(crate) domain: String,
    pub(crate) port: u16,
    /// The `host` header: without the port where it is the scheme's own.
    pub(crate) host: HeaderValue,
    /// Put before every path; empty, or with a leading and without a trailing slash.
    pub(crate) path_prefix: String,
}

impl Address {
    pub(crate) fn parse(target: &Target) -> Result<Self, StartError> {
        let bad = |because: String| StartError::Target { target: target.name.clone(), because };
        let url = url::Url::parse(&target.base_url).map_err(|error| bad(error.to_string()))?;
        let tls = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            other => return Err(bad(format!("`{other}` is not http, https, ws or wss"))),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("a base URL has no query and no fragment".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("a base URL has no user and no password: use a header".into()));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(bad("there is no host".into()));
        };
        let header = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let host_header = HeaderValue::from_str(&header).map_err(|error| bad(error.to_string()))?;
        if target.max_connections == 0 {
            return Err(bad("it may have no connection at all".into()));
        }
        Ok(Self {
            name: target.name.clone(),
            tls,
            domain: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            host: host_header,
            path_prefix: url.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, StartError> {
        Address::parse(&Target {
            name: "t".into(),
            base_url: url.into(),
            connect_timeout_ns: 1,
            request_timeout_ns: 1,
            max_connections: 1,
            exact_connections: false,
            ..Target::default()
        })
    }

    #[test]
    fn the_parts_of_a_base_url() {
        let plain = parse("http://shop.test:8080/api/v1/").unwrap();
        assert_eq!((plain.tls, plain.port, plain.path_prefix.as_str()), (false, 8080, "/api/v1"));
        assert_eq!(plain.host, "shop.test:8080");
        let socket = parse("wss://feed.test/v1").unwrap();
        assert_eq!((socket.tls, socket.port, socket.path_prefix.as_str()), (true, 443, "/v1"));
        let six = parse("https://[::1]").unwrap();
        assert_eq!((six.domain.as_str(), six.port, six.tls), ("::1", 443, true));
        assert_eq!((six.host.to_str().unwrap(), six.path_prefix.as_str()), ("[::1]", ""));
        for bad in ["shop.test", "ftp://a", "http://", "http://a?b", "http://u:p@a", "http://a:99999"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
