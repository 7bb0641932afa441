//! The same bytes, cut at the same places, for this codec and for hyper's client: both find the same response, or both
//! find none.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::rt::{Read, ReadBufCursor, Write};
use peakdrill_wire_http1::{Fields, Limits, Method, Progress, ResponseDecoder, Sink};
use proptest::prelude::*;

/// Far over what the responses here measure: the two differ in their limits.
const LIMITS: Limits = Limits { head_bytes: 64 * 1024, body_bytes: 1 << 20 };

#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sink for Found {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        self.status = status;
        for line in fields.as_bytes().split(|c| *c == b'\n').filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|c| *c == b':').unwrap();
            let name = String::from_utf8(line[..colon].to_vec()).unwrap().to_lowercase();
            self.fields.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
        self.fields.sort();
    }

    fn body(&mut self, part: &[u8]) {
        self.body.extend_from_slice(part);
    }
}

fn ours(method: Method, parts: &[Vec<u8>]) -> Result<Found, String> {
    let (mut decoder, mut found) = (ResponseDecoder::new(LIMITS), Found::default());
    decoder.begin(method);
    for part in parts {
        match decoder.feed(part, &mut found) {
            Ok(Progress::More) => {}
            Ok(Progress::Done { .. } | Progress::Switched { .. }) => return Ok(found),
            Err(error) => return Err(error.to_string()),
        }
    }
    decoder.finish().map(|()| found).map_err(|error| error.to_string())
}

/// A peer that takes a request, sends these parts, one per read, and closes.
struct Peer {
    parts: VecDeque<Vec<u8>>,
    asked: bool,
    reader: Option<Waker>,
}

impl Read for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.asked {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some(mut part) = self.parts.pop_front() {
            let rest = part.split_off(part.len().min(buf.remaining()));
            buf.put_slice(&part);
            if !rest.is_empty() {
                self.parts.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Peer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.asked = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn hypers(method: &str, parts: &[Vec<u8>]) -> Result<Found, String> {
    let parts = parts.iter().filter(|part| !part.is_empty()).cloned().collect();
    let peer = Peer { parts, asked: false, reader: None };
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(peer).await.unwrap();
    let request = hyper::Request::builder().method(method).uri("/").body(Empty::new()).unwrap();
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| format!("{error:?}"))?;
        let (head, body) = response.into_parts();
        if head.status == 101 {
            return Err("switched".to_owned());
        }
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes().to_vec();
        let fields = head.headers.iter().map(|(k, v)| (k.as_str().to_owned(), v.as_bytes().to_vec()));
        let mut found = Found { status: head.status.as_u16(), fields: fields.collect(), body };
        found.fields.sort();
        Ok(found)
    };
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        found = exchange => found,
        () = driven => unreachable!("it never ends"),
    }
}

/// The next line without its end, and whether a line feed alone ended it.
fn line<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, more) = (&rest[..end], &rest[end + 1..]);
    *rest = more;
    Some(line.strip_suffix(b"\r").map_or((line, true), |line| (line, false)))
}

/// What is behind the last chunk of a response that came in chunks; `None` where it ends before.
fn behind_the_last_chunk(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    let mut start = line(&mut rest)?.0;
    loop {
        while start.is_empty() {
            start = line(&mut rest)?.0;
        }
        while !line(&mut rest)?.0.is_empty() {}
        if start.get(9) != Some(&b'1') {
            break;
        }
        start = line(&mut rest)?.0;
    }
    loop {
        let size = str::from_utf8(line(&mut rest)?.0).ok()?.split(';').next()?;
        match usize::from_str_radix(size.trim(), 16).ok()? {
            0 => return Some(rest),
            size => rest = rest.get(size..)?,
        }
        line(&mut rest)?;
    }
}

/// Whether hyper refused a trailer only because it counts trailers by their carriage returns, where one ends in a line
/// feed alone (which RFC 9112, section 2.2, lets a recipient accept, and both accept in heads).
fn miscounts_trailers(bytes: &[u8], error: &str) -> bool {
    let Some(mut rest) = behind_the_last_chunk(bytes) else { return false };
    let lines = std::iter::from_fn(|| line(&mut rest).filter(|(line, _)| !line.is_empty()));
    error.contains("TooManyHeaders") && lines.into_iter().any(|(_, bare)| bare)
}

#[test]
fn only_trailers_are_taken_for_miscounted() {
    let of = |bytes: &str| miscounts_trailers(bytes.as_bytes(), "TooManyHeaders");
    let head = "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n";
    assert!(of(&format!("{head}2\r\nd\n\r\n0\r\nt: 1\nu: 2\r\n\r\n")));
    assert!(!of(&format!("{head}2\r\nd\n\r\n0\r\nt: 1\r\nu: 2\r\n\r\n")), "in the head and in a chunk");
    assert!(!of(&format!("{head}2\r\nd\n\r\n0\r\nt: 1\r\n\r\nHTTP/1.1 200 OK\n\n")), "in what follows");
    assert!(!of("HTTP/1.1 200 OK\ncontent-length: 5\n\nhello"));
}

fn field() -> impl Strategy<Value = String> {
    let any = prop_oneof![
        Just("content-length: 5"),
        Just("Content-Length: 0"),
        Just("content-length: 5, 5"),
        Just("content-length: 18446744073709551615"),
        Just("content-length: x"),
        Just("Transfer-Encoding: chunked"),
        Just("transfer-encoding: gzip"),
        Just("transfer-encoding: gzip, CHUNKED"),
        Just("connection: close"),
        Just("Connection: keep-alive"),
        Just("X-Odd:\t a b \t"),
        Just("x-latin: \u{fc}"),
        Just("Set-Cookie: a=b; Path=/"),
        Just("empty:"),
        Just(" folded"),
        Just("no colon"),
        Just("space before : colon"),
    ];
    any.prop_map(str::to_owned)
}

fn chunk() -> impl Strategy<Value = String> {
    let size = prop_oneof![
        8 => (0..20_usize).prop_map(|n| (n, format!("{n:x}"))),
        1 => Just((3, "003 ".to_owned())),
        1 => Just((2, "2;a=\"b\"".to_owned())),
        1 => Just((1, "g".to_owned())),
        1 => Just((1, "fffffffffffffffff".to_owned())),
    ];
    let end = prop_oneof![10 => Just("\r\n"), 1 => Just("\n"), 1 => Just("")];
    (size, end).prop_map(|((n, text), end)| format!("{text}\r\n{}{end}", "d".repeat(n)))
}

fn body() -> impl Strategy<Value = String> {
    let tail = prop_oneof![
        6 => Just("0\r\n\r\n"),
        1 => Just("0\r\nt: 1\r\nu: 2\r\n\r\n"),
        1 => Just("0\r\nbad\r\n\r\n"),
        1 => Just("0\r\n"),
        1 => Just(""),
        1 => Just("00\r\n\r\nrest"),
    ];
    let chunks = proptest::collection::vec(chunk(), 0..4);
    let chunked = (chunks, tail).prop_map(|(chunks, tail)| format!("{}{tail}", chunks.concat()));
    prop_oneof![Just(String::new()), Just("hello".to_owned()), Just("hello and more".to_owned()), chunked]
}

/// Responses, most of them nearly right; some with a byte changed.
pub(crate) fn any_response() -> impl Strategy<Value = Vec<u8>> {
    let before = prop_oneof![
        6 => Just(""),
        1 => Just("\r\n"),
        1 => Just("HTTP/1.1 100 Continue\r\n\r\n"),
        1 => Just("HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"),
    ];
    let start = prop_oneof![
        8 => Just("HTTP/1.1 200 OK"),
        1 => Just("HTTP/1.1 204 No Content"),
        1 => Just("HTTP/1.1 304"),
        1 => Just("HTTP/1.0 404 Not Found"),
        1 => Just("HTTP/1.1 101 Switching Protocols"),
        1 => Just("HTTP/1.1 042 Odd"),
        1 => Just("HTTP/1.1 999 Odd \u{fc}"),
        1 => Just("HTTP/2 200 OK"),
    ];
    let end = prop_oneof![6 => Just("\r\n"), 1 => Just("\n")];
    let fields = proptest::collection::vec(field(), 0..4);
    let change = proptest::option::weighted(0.2, (any::<proptest::sample::Index>(), any::<u8>()));
    (before, start, end, fields, body(), change).prop_map(|(before, start, end, fields, body, change)| {
        let fields: String = fields.iter().map(|field| format!("{field}{end}")).collect();
        let mut bytes = format!("{before}{start}{end}{fields}{end}{body}").into_bytes();
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn the_same_as_hyper(
        bytes in any_response(),
        head in any::<bool>(),
        cuts in proptest::collection::vec(1..40_usize, 0..12),
    ) {
        let mut parts = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts {
            let (part, more) = rest.split_at(cut.min(rest.len()));
            parts.push(part.to_vec());
            rest = more;
        }
        parts.push(rest.to_vec());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (method, name) = if head { (Method::Head, "HEAD") } else { (Method::Other, "GET") };
        let (mine, theirs) = (ours(method, &parts), runtime.block_on(hypers(name, &parts)));
        match (&mine, &theirs) {
            (Ok(mine), Ok(theirs)) => prop_assert_eq!(mine, theirs),
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) if miscounts_trailers(&bytes, error) => {}
            _ => prop_assert!(false, "{:?}\nours: {:?}\nhyper: {:?}", String::from_utf8_lossy(&bytes), mine, theirs),
        }
    }
}
