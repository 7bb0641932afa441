//! Local addresses that connections come from.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use peakdrill_drill_model::plan::{LOCAL_ADDRESSES_MAX, Subnet};
use tokio::net::{TcpSocket, TcpStream};

/// Local addresses in turn; none: the system chooses.
#[derive(Debug, Default)]
pub(super) struct Local {
    four: Vec<IpAddr>,
    six: Vec<IpAddr>,
    next: AtomicUsize,
}

impl Local {
    pub(super) fn new(from: &[Subnet]) -> Self {
        let all = from.iter().flat_map(Subnet::hosts).take(LOCAL_ADDRESSES_MAX as usize);
        let (four, six) = all.partition(IpAddr::is_ipv4);
        Self { four, six, next: AtomicUsize::new(0) }
    }

    /// Looks whether all of them are addresses of this machine.
    ///
    /// # Errors
    /// The first that is not, and what to do.
    pub(super) fn check(&self) -> Result<(), String> {
        for ip in self.four.iter().chain(&self.six) {
            socket_for(*ip).and_then(|socket| bind(&socket, *ip)).map_err(|error| not_bound(*ip, &error))?;
        }
        Ok(())
    }

    /// The address that is next towards a peer; `None`: the system's choice.
    fn next_for(&self, peer: SocketAddr) -> Result<Option<IpAddr>, String> {
        if self.four.is_empty() && self.six.is_empty() {
            return Ok(None);
        }
        let (all, family) = if peer.is_ipv4() { (&self.four, "IPv4") } else { (&self.six, "IPv6") };
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        match all.get(turn % all.len().max(1)) {
            Some(ip) => Ok(Some(*ip)),
            None => Err(format!("{peer}: `connections.from` has no {family} address to reach it from")),
        }
    }

    /// Connects to a peer from the address whose turn it is.
    pub(super) async fn connect(&self, peer: SocketAddr) -> Result<TcpStream, (io::ErrorKind, String)> {
        let from = self.next_for(peer).map_err(|text| (io::ErrorKind::AddrNotAvailable, text))?;
        let connected = match from {
            None => TcpStream::connect(peer).await,
            Some(ip) => {
                let bound = socket_for(ip).and_then(|socket| bind(&socket, ip).map(|()| socket));
                let socket = bound.map_err(|error| (error.kind(), not_bound(ip, &error)))?;
                socket.connect(peer).await
            }
        };
        connected.map_err(|error| (error.kind(), not_connected(peer, from, &error)))
    }
}

fn socket_for(ip: IpAddr) -> io::Result<TcpSocket> {
    if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

fn bind(socket: &TcpSocket, ip: IpAddr) -> io::Result<()> {
    peakdrill_sockets::bind_without_port(socket.as_fd())?;
    socket.bind(SocketAddr::new(ip, 0))
}

fn not_bound(ip: IpAddr, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        return format!("{ip} is no address of this machine: `ip addr add {ip} dev DEVICE` makes it one");
    }
    format!("{ip} cannot be a local address: {}", with_advice(error))
}

fn not_connected(peer: SocketAddr, from: Option<IpAddr>, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        let from = from.map_or_else(String::new, |ip| format!(" from {ip}"));
        return format!(
            "{peer}: no local port is free towards it{from}: add local addresses (`connections: {{ from: [...] }}`), or \
             widen the range (`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`)"
        );
    }
    format!("{peer}: {}", with_advice(error))
}

/// EMFILE: this process has as many files as it may.
const TOO_MANY_FILES: i32 = 24;

fn with_advice(error: &io::Error) -> String {
    if error.raw_os_error() == Some(TOO_MANY_FILES) {
        return format!("{error}: raise the limit with `ulimit -n`, or lower `connections.max`");
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(from: &[&str]) -> Local {
        Local::new(&from.iter().map(|text| Subnet::parse(text).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn addresses_take_turns_by_family() {
        let both = local(&["10.0.0.0/30", "fd00::7"]);
        let next = |peer: &str| both.next_for(peer.parse().unwrap()).unwrap().unwrap().to_string();
        let seen: Vec<String> = (0..4).map(|_| next("1.2.3.4:80")).collect();
        assert_eq!(seen, ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"]);
        assert_eq!(next("[::1]:80"), "fd00::7");
        let four = local(&["10.0.0.1"]);
        assert!(four.next_for("[::1]:80".parse().unwrap()).unwrap_err().contains("no IPv6 address"));
        assert_eq!(Local::default().next_for("[::1]:80".parse().unwrap()), Ok(None));
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        assert_eq!(local(&["127.0.0.9", "127.1.0.0/30"]).check(), Ok(()));
        let error = local(&["127.0.0.9", "192.0.2.1"]).check().unwrap_err();
        assert!(error.contains("192.0.2.1 is no address of this machine"), "{error}");
        let error = not_connected("10.0.0.1:80".parse().unwrap(), None, &io::Error::from_raw_os_error(99));
        assert!(error.contains("no local port is free"), "{error}");
        let error = not_connected("10.0.0.1:80".parse().unwrap(), None, &io::Error::from_raw_os_error(24));
        assert!(error.contains("ulimit -n"), "{error}");
    }
}
