//! How a target is reached beyond its URL: how connections are shared and renewed, from where and to where they go, and
//! who the generator says it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Most local addresses that connections of one target may come from.
pub const LOCAL_ADDRESSES_MAX: u32 = 4_096;
/// Most addresses that a target may be given in place of those of its name.
pub const FIXED_ADDRESSES_MAX: usize = 64;

/// How connections to a target are shared and renewed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConnectionRules {
    /// Who uses a connection.
    #[serde(default)]
    pub per: Sharing,
    /// `max_connections` holds for each generator, and is not split over them.
    #[serde(default)]
    pub max_is_per_agent: bool,
    /// An idle connection that is older is closed, in nanoseconds, give or take [`LIFETIME_SPREAD`]; `None`: never.
    #[serde(default)]
    pub lifetime_ns: Option<u64>,
    /// Local addresses that connections come from, in turn; empty: the system chooses.
    #[serde(default)]
    pub from: Vec<Subnet>,
}

/// By what share of its length a connection's lifetime is drawn to be shorter or longer.
pub const LIFETIME_SPREAD: f64 = 0.1;

/// Who uses a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// All journeys: one that has nothing to do serves whoever comes next.
    #[default]
    Pool,
    /// One journey in progress: opened with its first request, closed at its end.
    User,
}

/// Which addresses a target has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResolveRules {
    /// The name is looked up again so often, in nanoseconds, also without new connections; `None`: only when one is
    /// opened and the addresses are old.
    #[serde(default)]
    pub refresh_ns: Option<u64>,
    /// Addresses in place of those of the name.
    #[serde(default)]
    pub addresses: Vec<SocketAddr>,
}

/// TLS to a server: whom of servers the drill believes, and who it says it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tls {
    /// Path of a PEM file with further certificate authorities.
    #[serde(default)]
    pub ca: Option<String>,
    /// Do not verify the server's certificate. Only by an explicit key, and reported.
    #[serde(default)]
    pub insecure: bool,
    /// Who is who.
    #[serde(flatten)]
    pub identity: TlsIdentity,
}

/// Who the generator says it is in TLS, and who the server is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsIdentity {
    /// Path of a PEM file with the client's certificate, and those that lead to its authority.
    #[serde(default)]
    pub cert: Option<String>,
    /// Path of the PEM file with its private key. The key itself is never in a plan.
    #[serde(default)]
    pub key: Option<String>,
    /// The name that the server is asked for and its certificate is held against, in place of the URL's host.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Whether a connection takes up the session of one before it, which spares both sides most of the handshake.
    #[serde(default = "yes")]
    pub resume: bool,
}

fn yes() -> bool {
    true
}

impl Default for TlsIdentity {
    fn default() -> Self {
        Self { cert: None, key: None, server_name: None, resume: true }
    }
}

/// An address, or all that share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// The address, or the first one.
    pub address: IpAddr,
    /// Bits that are the same in all of them: 0..=32, or 0..=128.
    pub prefix: u8,
}

impl Subnet {
    /// Reads `127.0.0.2`, `127.0.0.0/28`, `::1`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.trim().parse().map_err(|_| format!("`{text}` is no IP address"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix.map(|text| text.trim().parse::<u8>()) {
            None => bits,
            Some(Ok(prefix)) if prefix <= bits => prefix,
            Some(_) => return Err(format!("`{text}` has no prefix of 0 to {bits} bits")),
        };
        let subnet = Self { address, prefix };
        if prefix < bits && subnet.first() != address {
            return Err(format!("`{text}` has bits beyond its prefix: write {}/{prefix}", subnet.first()));
        }
        Ok(subnet)
    }

    fn bits(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    fn first(&self) -> IpAddr {
        let free = u32::from(self.bits().saturating_sub(self.prefix));
        match self.address {
            IpAddr::V4(four) => {
                let mask = u32::MAX.checked_shl(free).unwrap_or(0);
                Ipv4Addr::from_bits(four.to_bits() & mask).into()
            }
            IpAddr::V6(six) => {
                let mask = u128::MAX.checked_shl(free).unwrap_or(0);
                Ipv6Addr::from_bits(six.to_bits() & mask).into()
            }
        }
    }

    /// Whether the first and the last address are no hosts' own: the network's, and the broadcast address.
    fn has_ends(&self) -> bool {
        self.address.is_ipv4() && self.prefix <= 30
    }

    /// How many addresses a host of it may have; at most `u32::MAX`.
    #[must_use]
    pub fn size(&self) -> u32 {
        let free = u32::from(self.bits().saturating_sub(self.prefix));
        let all = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
        let own = if self.has_ends() { all - 2 } else { all };
        u32::try_from(own).unwrap_or(u32::MAX)
    }

    /// The addresses that a host of it may have, in order.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let (first, skip) = (self.address, u32::from(self.has_ends()));
        (0..self.size()).map(move |k| match first {
            IpAddr::V4(four) => Ipv4Addr::from_bits(four.to_bits().saturating_add(k + skip)).into(),
            IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits().saturating_add(u128::from(k))).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        Subnet::parse(text).unwrap().hosts().map(|address| address.to_string()).collect()
    }

    #[test]
    fn a_subnet_is_the_addresses_of_its_hosts() {
        assert_eq!(hosts("127.0.0.2"), ["127.0.0.2"]);
        assert_eq!(hosts("10.0.0.8/30"), ["10.0.0.9", "10.0.0.10"]);
        assert_eq!(hosts("10.0.0.8/31"), ["10.0.0.8", "10.0.0.9"]);
        assert_eq!(hosts("::1"), ["::1"]);
        assert_eq!(hosts("fd00::/127"), ["fd00::", "fd00::1"]);
        let (slash_28, all) = (Subnet::parse("127.0.0.0/28").unwrap(), Subnet::parse("0.0.0.0/0").unwrap());
        assert_eq!((slash_28.size(), slash_28.hosts().last()), (14, "127.0.0.14".parse().ok()));
        assert_eq!((all.size(), Subnet::parse("::/0").unwrap().size()), (u32::MAX - 1, u32::MAX));
    }

    #[test]
    fn what_is_no_subnet_is_told() {
        for bad in ["", "host", "127.0.0.1/33", "::1/129", "127.0.0.1/8", "127.0.0.1/", "127.0.0.1/x"] {
            assert!(Subnet::parse(bad).is_err(), "{bad}");
        }
        assert!(Subnet::parse("127.0.0.1/8").unwrap_err().contains("127.0.0.0/8"));
    }
}
