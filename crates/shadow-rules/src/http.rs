//! Calls that leave the service.

use std::fmt;

use peakdrill_shadow_tag::Class;

use crate::mode::Mode;
use crate::refused::{Refused, code};
use crate::rules::{Rules, Stub};

/// Longest host name that is looked at, in bytes (RFC 1035).
const HOST_MAX_BYTES: usize = 253;

/// Where a call goes: a host name in lower case without its final dot, and a port where one is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// A host of a parsed URL, with the port that the call will use.
    #[must_use]
    pub fn new(name: &str, port: u16) -> Self {
        Self { name: canonical(name), port: Some(port) }
    }

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, tail) = rest.split_once(']')?;
                (format!("[{name}]"), tail.strip_prefix(':').or(tail.is_empty().then_some(""))?)
            }
            None => match text.split_once(':') {
                Some((_, "")) => return None,
                Some((name, port)) => (name.to_owned(), port),
                None => (text.to_owned(), ""),
            },
        };
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        let name = canonical(&name);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        let fits = !name.is_empty() && name.len() <= HOST_MAX_BYTES && name.bytes().all(plain);
        fits.then_some(Self { name, port })
    }
}

/// The hosts that a rule means: `host`, `host:port` or `*.host`, with any port where none is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    host: Host,
    below: bool,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix("*.");
        Some(Self { host: Host::parse(bare.unwrap_or(text))?, below: bare.is_some() })
    }

    /// How closely it names its hosts: a host by its whole name before all below a name, with a port before any port,
    /// and a longer name before a shorter one.
    fn closeness(&self) -> (bool, bool, usize) {
        (!self.below, self.host.port.is_some(), self.host.name.len())
    }

    fn matches(&self, host: &Host) -> bool {
        let Self { host: wanted, below } = self;
        let named = if *below {
            host.name.strip_suffix(&wanted.name).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
        } else {
            host.name == wanted.name
        };
        named && wanted.port.is_none_or(|port| host.port == Some(port))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.host)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Egress<'r> {
    /// To a host inside: with all carriers.
    Internal,
    /// To a third party, by live work: without any of our carriers.
    ThirdParty,
    /// Nowhere: the stub answers.
    Mock(&'r Stub),
}

/// Decides about a call. A host with a stub is a third party, whatever else the rules say of it. Of several stubs that
/// could answer, the one whose pattern names the host most closely does.
///
/// # Errors
/// [`Refused`] when shadow work would leave the house, or unknown work would go anywhere where the hop enforces.
pub fn egress<'r>(rules: &'r Rules, class: &Class, mode: Mode, host: &Host) -> Result<Egress<'r>, Refused> {
    let stubs = rules.stub_hosts.iter().zip(&rules.stubs).filter(|(pattern, _)| pattern.matches(host));
    let stub = stubs.max_by_key(|(pattern, _)| pattern.closeness()).map(|(_, stub)| stub);
    let internal = stub.is_none() && rules.internal_hosts.iter().any(|pattern| pattern.matches(host));
    match class {
        Class::Unknown if mode == Mode::Enforce => Err(unstamped(resource(host))),
        _ if internal => Ok(Egress::Internal),
        Class::Live | Class::Unknown => Ok(Egress::ThirdParty),
        Class::Shadow(_) => match stub {
            Some(stub) => Ok(Egress::Mock(stub)),
            None => Err(Refused::new(
                code::THIRD_PARTY,
                resource(host),
                "shadow work may not leave the house, and no stub stands for this host",
            )
            .with_rule(format!("isolation.stubs: {{ host: {host} }}, or internal_hosts: [{host}]"))),
        },
    }
}

/// What the ledger calls a host.
#[must_use]
pub fn resource(host: &Host) -> String {
    format!("http:{host}")
}

pub(crate) fn unstamped(resource: impl Into<std::borrow::Cow<'static, str>>) -> Refused {
    Refused::new(
        code::UNSTAMPED,
        resource,
        "the work is neither stamped as live nor tagged, and this hop enforces",
    )
}

#[cfg(test)]
mod tests;
