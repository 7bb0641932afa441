//! Against a real server: who is believed, and what is said when somebody is not.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use peakdrill_drill_model::plan::{Tls, TlsIdentity};
use peakdrill_testkit::tls::{CA, CLIENT, CLIENT_CA, CLIENT_KEY, Front, server_config};
use peakdrill_tls::{ALPN_HTTP1, Client, Keys};

/// A server in the clear that sends back the first bytes of each connection.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 64];
            let read = stream.read(&mut bytes).unwrap_or(0);
            // Who is under test may have gone.
            let _ = stream.write_all(&bytes[..read]);
        }
    });
    address
}

fn believing(ca: Option<&str>) -> Tls {
    Tls { ca: ca.map(str::to_owned), ..Tls::default() }
}

fn shown(cert: &str, key: &str) -> Tls {
    let identity = TlsIdentity { cert: Some(cert.into()), key: Some(key.into()), ..TlsIdentity::default() };
    Tls { identity, ..believing(Some(CA)) }
}

/// Says a word to a server and hears it again; else why not.
fn talk(address: SocketAddr, tls: &Tls, keys: Keys) -> Result<(), String> {
    let client = Client::new(tls, "127.0.0.1", ALPN_HTTP1, keys).unwrap();
    let mut stream = client.over(TcpStream::connect(address).unwrap()).unwrap();
    let mut heard = [0; 4];
    let said = stream.write_all(b"word").and_then(|()| stream.flush());
    let said = said.and_then(|()| stream.read_exact(&mut heard));
    said.map_err(|error| client.why(&error).unwrap_or_else(|| format!("no word on TLS: {error}")))?;
    assert_eq!(&heard, b"word");
    Ok(())
}

#[test]
fn an_authority_or_the_explicit_key_is_needed() {
    let front = Front::start(server_config(None).unwrap(), echo()).unwrap();
    assert_eq!(talk(front.address(), &believing(Some(CA)), Keys::Scenario), Ok(()));
    let insecure = Tls { insecure: true, ..Tls::default() };
    assert_eq!(talk(front.address(), &insecure, Keys::Scenario), Ok(()));
    let unknown = talk(front.address(), &believing(None), Keys::Scenario).unwrap_err();
    assert!(unknown.ends_with("name the PEM file of that authority in `tls.ca`"), "{unknown}");
    let unknown = talk(front.address(), &believing(None), Keys::Flags("--to")).unwrap_err();
    assert!(unknown.ends_with("in `--to-ca`"), "{unknown}");
}

#[test]
fn another_name_is_told() {
    let front = Front::start(server_config(None).unwrap(), echo()).unwrap();
    let named = |name: &str| {
        let identity = TlsIdentity { server_name: Some(name.to_owned()), ..TlsIdentity::default() };
        talk(front.address(), &Tls { identity, ..believing(Some(CA)) }, Keys::Scenario)
    };
    assert_eq!(named("localhost"), Ok(()));
    let other = named("other.test").unwrap_err();
    assert!(
        other.contains("for another name: write one that it has in the URL or in `tls.server_name` ("),
        "{other}"
    );
}

#[test]
fn a_server_that_wants_to_know_its_client_is_shown_a_certificate() {
    let front = Front::start(server_config(Some(CLIENT_CA)).unwrap(), echo()).unwrap();
    assert_eq!(talk(front.address(), &shown(CLIENT, CLIENT_KEY), Keys::Scenario), Ok(()));
    let none = talk(front.address(), &believing(Some(CA)), Keys::Scenario).unwrap_err();
    assert!(none.contains("wants a client certificate: name one in `tls.cert`"), "{none}");
}

#[test]
fn a_server_in_the_clear_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // To the end, so that what was written arrives.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let clear = talk(address, &believing(Some(CA)), Keys::Scenario).unwrap_err();
    serving.join().unwrap();
    assert!(clear.contains("does not answer in TLS"), "{clear}");
}

#[test]
fn a_setting_that_cannot_be_used_is_told_with_its_key() {
    let said = |tls: &Tls, host: &str| {
        Client::new(tls, host, ALPN_HTTP1, Keys::Flags("--to")).map(drop).unwrap_err().to_string()
    };
    let missing = said(&believing(Some("no/such.pem")), "h");
    assert!(missing.starts_with("`--to-ca`: no/such.pem: ") && missing.contains("expected"), "{missing}");
    let no_key = said(&shown(CLIENT, "no/such.key"), "h");
    assert!(no_key.starts_with("`--to-key`: no/such.key: "), "{no_key}");
    let no_key = said(&shown(CLIENT, CA), "h");
    assert!(no_key.starts_with("`--to-key`: ") && no_key.contains("expected a PEM file with a private key"));
    let other = said(&shown(CA, CLIENT_KEY), "h");
    assert!(other.contains("do not fit together"), "{other}");
    let name = said(&believing(Some(CA)), "a b");
    assert!(name.starts_with("`a b`: ") && name.contains("`--to-server-name`"), "{name}");
}
