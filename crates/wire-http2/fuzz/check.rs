//! What must hold for every input.

use peakdrill_wire_http1::{Fields, Method, Sink as Http1Sink};
use peakdrill_wire_http2::{Connection, Error, How, Limits, Request, Sink};

/// Small enough that inputs reach them.
pub(crate) const LIMITS: Limits = Limits { head_bytes: 1024, body_bytes: 2048, streams: 4 };
/// Body of the requests, in bytes: more than a peer takes at once.
const BODY_BYTES: usize = 70_000;

/// All that was told of one exchange.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) number: usize,
    pub(crate) heads: Vec<(u16, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Vec<u8>>,
}

impl Http1Sink for Told {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        assert!((200..1000).contains(&status), "{status}");
        assert!(self.heads.is_empty() && self.body.is_empty() && self.trailers.is_empty());
        assert_eq!(Fields::new(fields.as_bytes()), fields, "the lengths of the names");
        self.heads.push((status, fields.as_bytes().to_vec()));
    }

    fn body(&mut self, part: &[u8]) {
        assert!(self.heads.len() == 1 && self.trailers.is_empty() && !part.is_empty());
        self.body.extend_from_slice(part);
    }
}

impl Sink for Told {
    fn trailers(&mut self, fields: Fields<'_>) {
        assert!(self.heads.len() == 1 && self.trailers.is_empty());
        self.trailers.push(fields.as_bytes().to_vec());
    }
}

/// What one run came to: how each exchange ended, what was sent, and whether the peer kept to the protocol.
type Run = (Vec<(Told, How)>, Vec<u8>, Result<(), Error>);

/// A request with or without a body.
pub(crate) fn request(method: Method, body: usize) -> Request {
    // `:method GET`, `:scheme http`, `:path /`.
    let head = [0x82, 0x86, 0x84];
    Request { bytes: [&head[..], &vec![b'x'; body]].concat(), head_bytes: head.len(), method }
}

fn run(requests: usize, input: &[u8], size: usize) -> Run {
    let mut connection = Connection::new(LIMITS);
    let mut sent = connection.take_out(Vec::new());
    let (mut begun, mut ended) = (0, Vec::new());
    for number in 0..requests {
        let (method, body) =
            if number == 1 { (Method::Head, 0) } else { (Method::Other, number / 2 * BODY_BYTES) };
        let told = Told { number, ..Told::default() };
        begun += usize::from(connection.open(request(method, body), told).is_ok());
    }
    let mut result = Ok(());
    for part in input.chunks(size.max(1)) {
        result = connection.receive(part);
        if result.is_err() {
            break;
        }
    }
    sent.extend(connection.take_out(Vec::new()));
    connection.end();
    assert_eq!(connection.under_way(), 0);
    while let Some(one) = connection.next_ended() {
        assert!(one.sink.body.len() as u64 <= LIMITS.body_bytes);
        assert!(one.how != How::Answered || one.sink.heads.len() == 1);
        assert!(one.how != How::Unprocessed || one.sink.heads.is_empty());
        ended.push((one.sink, one.how));
    }
    let mut numbers: Vec<usize> = ended.iter().map(|(told, _)| told.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() == begun && ended.len() == begun, "each exchange ends once");
    (ended, sent, result)
}

/// What comes of it does not depend on where the bytes were cut. The first byte of the input says how.
pub(crate) fn frames(data: &[u8]) {
    let Some((mode, input)) = data.split_first() else { return };
    let (requests, size) = (usize::from(mode & 3) + 1, usize::from(mode >> 2) + 1);
    let whole = run(requests, input, input.len());
    let parts = run(requests, input, size);
    assert_eq!(parts, whole);
}
