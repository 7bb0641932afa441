//! Single responses: what is told, and what is refused.

use peakdrill_wire_http1::{
    Error, FIELDS_MAX, Fields, INFORMATIONAL_MAX, Limits, Method, Progress, ResponseDecoder, Sink,
};

const LIMITS: Limits = Limits { head_bytes: 4096, body_bytes: 100 };

#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    status: u16,
    fields: String,
    body: String,
}

impl Sink for Told {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        self.status = status;
        self.fields = String::from_utf8(fields.as_bytes().to_vec()).unwrap();
    }

    fn body(&mut self, part: &[u8]) {
        self.body.push_str(std::str::from_utf8(part).unwrap());
    }
}

fn told(status: u16, fields: &str, body: &str) -> Told {
    Told { status, fields: fields.into(), body: body.into() }
}

/// The response in one piece; when it needs more, the connection ends.
fn decode(method: Method, input: &str) -> (Told, Result<Progress, Error>) {
    let (mut decoder, mut told) = (ResponseDecoder::new(LIMITS), Told::default());
    decoder.begin(method);
    let fed = decoder.feed(input.as_bytes(), &mut told);
    let end = match fed {
        Ok(Progress::More) => decoder.finish().map(|()| Progress::More),
        other => other,
    };
    (told, end)
}

fn refused(input: &str) -> Error {
    decode(Method::Other, input).1.unwrap_err()
}

fn done(used: usize, reusable: bool) -> Result<Progress, Error> {
    Ok(Progress::Done { used, reusable })
}

#[test]
fn an_upgrade_ends_with_its_head() {
    let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    let (got, end) = decode(Method::Upgrade, &format!("{head}\u{1}\u{2}"));
    assert_eq!(got, told(101, "upgrade: websocket\r\n", ""));
    assert_eq!(end, Ok(Progress::Switched { used: head.len() }));
    let (got, end) = decode(Method::Upgrade, "HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno");
    assert_eq!((got.status, got.body.as_str()), (403, "no"));
    assert!(matches!(end, Ok(Progress::Done { reusable: true, .. })));
}

#[test]
fn each_framing_is_read() {
    let head = "HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 2\r\n\r\n";
    let fields = "A: b\r\ncontent-length: 2\r\n";
    let (got, end) = decode(Method::Other, &format!("{head}okHTTP/1.1 more"));
    assert_eq!((got, end), (told(200, fields, "ok"), done(head.len() + 2, true)));
    let (got, end) = decode(Method::Head, head);
    assert_eq!((got, end), (told(200, fields, ""), done(head.len(), true)));
    let chunked = "HTTP/1.1 201 C\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nab\r\nA \r\n0123456789\r\n0\r\nt: 1\r\n\r\n";
    let (got, end) = decode(Method::Other, chunked);
    assert_eq!(got, told(201, "transfer-encoding: chunked\r\n", "ab0123456789"));
    assert_eq!(end, done(chunked.len(), true));
    let (got, end) = decode(Method::Other, "HTTP/1.0 200 OK\r\n\r\nto the end");
    assert_eq!((got, end), (told(200, "", "to the end"), Ok(Progress::More)));
}

#[test]
fn informational_responses_are_passed_over() {
    let hint = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let last = "HTTP/1.1 204 No Content\r\n\r\n";
    let most = hint.repeat(INFORMATIONAL_MAX as usize);
    let (got, end) = decode(Method::Other, &format!("{most}{last}"));
    assert_eq!((got, end), (told(204, "", ""), done(most.len() + last.len(), true)));
    assert!(matches!(refused(&format!("{most}{hint}{last}")), Error::HeadTooLarge(_)));
    assert_eq!(refused("HTTP/1.1 101 Switching\r\n\r\n"), Error::Switched);
    assert_eq!(refused(hint), Error::HeadShort);
}

#[test]
fn the_limits_hold() {
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(LIMITS.head_bytes));
    assert!(matches!(refused(&long), Error::HeadTooLarge(_)));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(FIELDS_MAX + 1));
    assert!(matches!(refused(&many), Error::HeadTooLarge(_)));
    let told_long = "HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n";
    assert_eq!(refused(told_long), Error::BodyTooLarge(100));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(refused(&format!("{chunked}65\r\n")), Error::BodyTooLarge(100));
    let two = format!("{chunked}60\r\n{}\r\n5\r\n", "x".repeat(0x60));
    assert_eq!(refused(&two), Error::BodyTooLarge(100));
    assert_eq!(refused(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101))), Error::BodyTooLarge(100));
    let extension = format!("{chunked}1;{}", "x".repeat(20_000));
    assert!(matches!(refused(&extension), Error::Chunk(_)));
    for needless in ["0".repeat(20_000), format!("1{}", " ".repeat(20_000))] {
        assert!(matches!(refused(&format!("{chunked}{needless}")), Error::Chunk(_)));
    }
    assert!(matches!(refused(&"\r\n".repeat(LIMITS.head_bytes)), Error::HeadTooLarge(_)));
    let trailer = format!("{chunked}0\r\na: {}", "x".repeat(20_000));
    assert!(matches!(refused(&trailer), Error::HeadTooLarge(_)));
}

/// A head in single bytes is neither lost, nor read past its limit.
#[test]
fn a_slow_head_is_bounded() {
    let (mut decoder, mut got) = (ResponseDecoder::new(LIMITS), Told::default());
    decoder.begin(Method::Other);
    let mut fed = 0;
    let error = loop {
        let byte = b"HTTP/1.1 200 OK\r\na: ".get(fed).copied().unwrap_or(b'x');
        match decoder.feed(&[byte], &mut got) {
            Ok(Progress::More) => fed += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::HeadTooLarge(_)));
    assert_eq!(fed, LIMITS.head_bytes);
}

#[test]
fn an_end_too_early_is_named() {
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(refused(""), Error::Closed);
    assert_eq!(refused("HTTP/1.1 2"), Error::HeadShort);
    for short in [length.to_owned(), format!("{length}12345678"), chunked.to_owned(), format!("{chunked}5")] {
        assert!(matches!(refused(&short), Error::BodyShort(_)), "{short}");
    }
    for short in ["5\r\nab", "1\r\na", "1\r\na\r", "0\r\n", "0\r\nt: 1\r\n", "0\r\n\r"] {
        assert!(matches!(refused(&format!("{chunked}{short}")), Error::BodyShort(_)), "{short}");
    }
}

#[test]
fn garbage_is_refused() {
    for bad in [
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 2000 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\0\r\n\r\n",
    ] {
        assert!(matches!(refused(bad), Error::Head(_) | Error::Framing(_)), "{bad}");
    }
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for bad in
        ["x", "\r\n", "-1\r\n", "1\n", "1 2\r\n", "1\r\nab", "1\r\na\n", "1;x\n", "11111111111111111\r\n"]
    {
        assert!(matches!(refused(&format!("{chunked}{bad}")), Error::Chunk(_)), "{bad}");
    }
    for bad in ["0\r\nno field\r\n\r\n", "0\r\na: b\nc: d\r\r\n\r\n"] {
        assert!(matches!(refused(&format!("{chunked}{bad}")), Error::Chunk(_)), "{bad}");
    }
}

#[test]
fn one_decoder_reads_one_response_after_the_other() {
    let (mut decoder, mut got) = (ResponseDecoder::new(LIMITS), Told::default());
    for (method, text, body) in [
        (Method::Other, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a"),
        (Method::Head, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", ""),
        (Method::Other, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", ""),
    ] {
        got.body.clear();
        decoder.begin(method);
        let fed = decoder.feed(text.as_bytes(), &mut got);
        assert_eq!(got.body, body);
        assert_eq!(fed == Ok(Progress::More), text.contains("100"), "{text}");
    }
}
