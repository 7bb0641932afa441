use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Script, Server};

fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_request_is_echoed_and_kept() {
    let server = Server::start(Script::Echo).unwrap();
    let answer = ask(&server, "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(r#""method":"POST","path":"/a?b","headers":[["host","x"]"#), "{answer}");
    let log = server.log();
    assert_eq!((server.accepted(), server.requests(), log.len()), (1, 1, 1));
    assert_eq!((log[0].header("host"), log[0].body.as_slice()), (Some("x"), b"abc".as_slice()));
}

#[test]
fn a_delay_is_kept_to_the_millisecond() {
    let server = Server::start(Script::Delay(Duration::from_millis(30))).unwrap();
    let begun = Instant::now();
    ask(&server, "GET / HTTP/1.1\r\n\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    let seen = &server.log()[0];
    let took = seen.answered.unwrap() - seen.arrived;
    assert!(took >= Duration::from_millis(30) && took < Duration::from_millis(130), "{took:?}");
}

#[test]
fn a_frozen_server_answers_when_it_thaws() {
    let freeze = Script::Freeze { period: Duration::from_secs(60), frozen: Duration::from_millis(200) };
    let server = Server::start(freeze).unwrap();
    ask(&server, "GET / HTTP/1.1\r\n\r\n");
    let answered = server.log()[0].answered.unwrap();
    assert!(answered >= server.epoch() + Duration::from_millis(200));
    ask(&server, "GET / HTTP/1.1\r\n\r\n");
    let later = &server.log()[1];
    assert!(later.answered.unwrap() - later.arrived < Duration::from_millis(100));
}

#[test]
fn statuses_come_in_turn_and_garbage_is_garbage() {
    let server = Server::start(Script::Statuses(vec![200, 503])).unwrap();
    assert!(ask(&server, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert!(ask(&server, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 "));
    let server = Server::start(Script::Garbage).unwrap();
    assert!(!ask(&server, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/"));
    let server = Server::start(Script::Close).unwrap();
    assert_eq!(ask(&server, "GET / HTTP/1.1\r\n\r\n"), "");
}
