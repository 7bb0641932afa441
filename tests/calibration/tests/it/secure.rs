//! TLS: a certificate is believed for a reason, or not at all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Plan, Sharing};
use peakdrill_loadgen::{StartError, start};
use peakdrill_testkit::tls::{CA, CLIENT, CLIENT_CA, CLIENT_KEY, server_config};
use rustls::{HandshakeKind, ServerConnection, StreamOwned};

use crate::common::{MS, S, config, get, hold, node, plan, run};

/// What a server sees and does.
#[derive(Default)]
struct Server {
    /// Wants a certificate of this authority.
    client_ca: Option<&'static str>,
    /// Ends a connection after each answer.
    closes: bool,
    /// Takes its time before a handshake.
    pause: Duration,
}

/// What was seen of one connection.
#[derive(Debug, Default)]
struct Connection {
    answered: usize,
    resumed: bool,
    name: Option<String>,
    client: bool,
}

/// Serves so many WebSockets over TLS, one after the other, each to its end: answers each message with itself. Tells
/// the numbers of messages and of close frames.
pub(crate) fn serve_sockets(connections: usize) -> (SocketAddr, JoinHandle<(usize, usize)>) {
    let config = Arc::new(server_config(None).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut messages, mut closes) = (0, 0);
        for _ in 0..connections {
            let (tcp, _) = listener.accept().unwrap();
            tcp.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            let mut socket = tungstenite::accept(tls).unwrap();
            while let Ok(message) = socket.read() {
                closes += usize::from(message.is_close());
                if message.is_text() {
                    messages += 1;
                    socket.send(message).unwrap();
                }
            }
        }
        (messages, closes)
    });
    (address, serving)
}

/// Serves so many TLS connections, one after the other, each to its end; how many requests it has answered.
fn serve(connections: usize) -> (SocketAddr, JoinHandle<usize>) {
    let (address, serving) = serve_as(Server::default(), connections);
    let sum = move || serving.join().unwrap().iter().map(|connection| connection.answered).sum();
    (address, std::thread::spawn(sum))
}

fn serve_as(server: Server, connections: usize) -> (SocketAddr, JoinHandle<Vec<Connection>>) {
    let config = Arc::new(server_config(server.client_ca).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let mut all = Vec::new();
        for _ in 0..connections {
            let (tcp, _) = listener.accept().unwrap();
            tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            std::thread::sleep(server.pause);
            let (mut buffer, mut head, mut seen) = ([0; 4096], Vec::new(), Connection::default());
            while let Ok(read) = tls.read(&mut buffer)
                && read > 0
            {
                seen.resumed = tls.conn.handshake_kind() == Some(HandshakeKind::Resumed);
                seen.name = tls.conn.server_name().map(str::to_owned);
                seen.client = tls.conn.peer_certificates().is_some();
                head.extend_from_slice(&buffer[..read]);
                if head.ends_with(b"\r\n\r\n") {
                    head.clear();
                    seen.answered += 1;
                    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                    tls.flush().unwrap();
                    if server.closes {
                        tls.conn.send_close_notify();
                        let _ = tls.flush();
                        break;
                    }
                }
            }
            all.push(seen);
        }
        all
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

/// Ten requests in a second, one at a time.
fn ten(address: SocketAddr) -> Plan {
    let mut plan = plan(&format!("https://{address}"), hold(10.0, S), vec![node(get(0, "/"))]);
    plan.targets[0].max_connections = 1;
    plan.targets[0].tls_ca = Some(CA.into());
    plan
}

#[test]
fn a_session_is_taken_up_unless_every_connection_is_to_be_a_new_users() {
    for (resume, expected) in [(true, 9), (false, 0)] {
        let (address, serving) = serve_as(Server { closes: true, ..Server::default() }, 10);
        let mut plan = ten(address);
        plan.targets[0].tls.resume = resume;
        let told = run(plan);
        told.assert_sums();
        assert_eq!(told.step(0).error_count(), 0, "{:?}", told.samples);
        let seen = serving.join().unwrap();
        assert_eq!(seen.iter().filter(|connection| connection.resumed).count(), expected, "{seen:?}");
    }
}

#[test]
fn a_server_that_wants_to_know_its_client_gets_a_certificate() {
    let wants = || Server { client_ca: Some(CLIENT_CA), ..Server::default() };
    let (address, serving) = serve_as(wants(), 1);
    let mut plan = ten(address);
    plan.targets[0].tls.cert = Some(CLIENT.into());
    plan.targets[0].tls.key = Some(CLIENT_KEY.into());
    let told = run(plan);
    told.assert_sums();
    assert_eq!(told.step(0).error_count(), 0, "{:?}", told.samples);
    let seen = serving.join().unwrap();
    assert!(seen[0].client && seen[0].answered == 10, "{seen:?}");

    // Without one the server ends the connection, of which the client hears only after its own part of the handshake.
    let (address, serving) = serve_as(wants(), 10);
    let told = run(ten(address));
    told.assert_sums();
    assert_eq!(told.step(0).error_count(), 10);
    assert!(serving.join().unwrap().iter().all(|connection| connection.answered == 0));
}

#[test]
fn a_server_is_asked_for_by_another_name_where_one_is_given() {
    for (name, errors) in [("localhost", 0), ("other.test", 10)] {
        let (address, serving) = serve_as(Server::default(), if errors > 0 { 10 } else { 1 });
        let mut plan = ten(address);
        plan.targets[0].tls.server_name = Some(name.into());
        let told = run(plan);
        told.assert_sums();
        assert_eq!(told.step(0).error_count(), errors, "{name}: {:?}", told.samples);
        let seen = serving.join().unwrap();
        if errors == 0 {
            assert_eq!(seen[0].name.as_deref(), Some(name));
        }
        let failed: Vec<_> = told.samples.iter().filter(|sample| sample.error.is_some()).collect();
        assert!(failed.iter().all(|sample| sample.detail.contains("in `tls.server_name` (")), "{failed:?}");
        assert_eq!(failed.is_empty(), errors == 0);
    }
}

#[test]
fn the_handshake_of_a_journeys_own_connection_is_part_of_its_first_requests_latency() {
    let (address, serving) = serve_as(Server { pause: Duration::from_millis(150), ..Server::default() }, 3);
    let steps = vec![node(get(0, "/a")), node(get(1, "/b"))];
    let mut plan = plan(&format!("https://{address}"), hold(3.0, S), steps);
    plan.targets[0].connections.per = Sharing::User;
    plan.targets[0].tls_ca = Some(CA.into());
    let told = run(plan);
    told.assert_sums();
    assert_eq!(told.step(0).error_count() + told.step(1).error_count(), 0, "{:?}", told.samples);
    assert!(told.step(0).latency.quantile(0.0).unwrap() >= 150 * MS);
    assert!(told.step(0).conn_wait.quantile(0.0).unwrap() >= 150 * MS, "it is seen by itself");
    assert!(told.step(0).service.quantile(0.5).unwrap() < 150 * MS, "the exchange is not charged with it");
    assert!(told.step(1).latency.quantile(0.5).unwrap() < 150 * MS);
    assert!(serving.join().unwrap().iter().all(|connection| connection.answered == 2));
}

#[test]
fn a_broken_identity_is_told_with_its_file_at_once() {
    let told = |cert: Option<&str>, key: Option<&str>| {
        let mut plan = ten("127.0.0.1:1".parse().unwrap());
        plan.targets[0].tls.cert = cert.map(str::to_owned);
        plan.targets[0].tls.key = key.map(str::to_owned);
        let error = start(config(plan)).map(drop).unwrap_err();
        assert!(matches!(error, StartError::Tls { .. }), "{error}");
        error.to_string()
    };
    let missing = told(Some("no/such.pem"), Some(CLIENT_KEY));
    assert!(missing.contains("no/such.pem: "), "{missing}");
    let missing = told(Some(CLIENT), Some("no/such.key"));
    assert!(missing.contains("no/such.key: "), "{missing}");
    let empty = told(Some(CLIENT_KEY), Some(CLIENT_KEY));
    assert!(empty.contains("client.key holds no certificate"), "{empty}");
    let other = told(Some(CA), Some(CLIENT_KEY));
    assert!(other.contains("do not fit together"), "{other}");
    assert!(told(Some(CLIENT), None).contains("needs its key"));
}
