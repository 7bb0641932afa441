//! Against the `h2` crate as the server: what it is told to answer is what is found here, however the bytes are cut and
//! whatever it has set.

use bytes::Bytes;
use h2::Reason;
use h2::server::{self, SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request as HttpRequest, Response};
use peakdrill_wire_http1::{Fields, Method};
use peakdrill_wire_http2::hpack::{Secrecy, put_field};
use peakdrill_wire_http2::{Code, Connection, Ended, Error, How, Limits, Request};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::check::Told;

const LIMITS: Limits = Limits { head_bytes: 64 * 1024, body_bytes: 1 << 20, streams: 8 };
/// What fits between the two, in bytes.
const PIPE_BYTES: usize = 10_000;

type FieldList = Vec<(String, String)>;

#[derive(Debug, Clone)]
struct Exchange {
    head_only: bool,
    fields: FieldList,
    body: usize,
    answer: Answer,
}

#[derive(Debug, Clone)]
enum Answer {
    Whole {
        hint: bool,
        status: u16,
        fields: FieldList,
        length: bool,
        parts: Vec<usize>,
        trailers: Option<FieldList>,
    },
    Reset {
        after: Option<usize>,
        reason: u32,
    },
}

#[derive(Debug, Clone)]
struct Settings {
    window: u32,
    streams: u32,
    table: u32,
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn map(fields: &FieldList) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let mut value = HeaderValue::from_str(value).unwrap();
        value.set_sensitive(name.len() == 3);
        map.append(HeaderName::try_from(name.as_str()).unwrap(), value);
    }
    map
}

fn sorted(fields: Fields<'_>) -> FieldList {
    let mut found: FieldList = Vec::new();
    for line in fields.as_bytes().split(|c| *c == b'\n').filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|c| *c == b':').unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        found.push((text(&line[..colon]), text(line[colon + 2..].strip_suffix(b"\r").unwrap())));
    }
    found.sort();
    found
}

/// Answers one request as planned, after it has read all of its body.
async fn answer(request: HttpRequest<h2::RecvStream>, mut respond: SendResponse<Bytes>, plan: Vec<Exchange>) {
    let number: usize = request.uri().path()[1..].parse().unwrap();
    let one = &plan[number];
    assert_eq!(request.method(), if one.head_only { "HEAD" } else { "POST" });
    let mut fields: FieldList =
        request.headers().iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
    fields.sort();
    let mut wanted = one.fields.clone();
    wanted.sort();
    assert_eq!(fields, wanted);
    let (mut got, mut stream) = (Vec::new(), request.into_body());
    while let Some(part) = stream.data().await {
        let part = part.unwrap();
        got.extend_from_slice(&part);
        stream.flow_control().release_capacity(part.len()).unwrap();
    }
    assert_eq!(got, body(one.body));
    match &one.answer {
        Answer::Reset { after: None, reason } => respond.send_reset(Reason::from(*reason)),
        Answer::Reset { after: Some(length), reason } => {
            let mut sending = respond.send_response(Response::new(()), false).unwrap();
            send(&mut sending, *length, false).await;
            sending.send_reset(Reason::from(*reason));
        }
        Answer::Whole { hint, status, fields, length, parts, trailers } => {
            if *hint {
                let hint = Response::builder().status(103).header("link", "x").body(()).unwrap();
                respond.send_informational(hint).unwrap();
            }
            let mut head = Response::builder().status(*status).body(()).unwrap();
            *head.headers_mut() = map(fields);
            let bodiless = one.head_only || matches!(status, 204 | 304);
            if *length {
                let sum: usize = parts.iter().sum();
                head.headers_mut().insert("content-length", HeaderValue::from(sum));
            }
            let mut sending = respond.send_response(head, bodiless).unwrap();
            if bodiless {
                return;
            }
            for (at, part) in parts.iter().enumerate() {
                send(&mut sending, *part, at + 1 == parts.len() && trailers.is_none()).await;
            }
            match trailers {
                Some(trailers) => sending.send_trailers(map(trailers)).unwrap(),
                None if parts.is_empty() => sending.send_data(Bytes::new(), true).unwrap(),
                None => {}
            }
        }
    }
}

async fn send(sending: &mut h2::SendStream<Bytes>, length: usize, last: bool) {
    sending.send_data(Bytes::from(body(length)), last).unwrap();
}

async fn serve(io: DuplexStream, settings: Settings, plan: Vec<Exchange>) {
    let mut builder = server::Builder::new();
    builder.initial_window_size(settings.window).max_concurrent_streams(settings.streams);
    builder.header_table_size(settings.table).max_send_buffer_size(1 << 20);
    let mut connection = builder.handshake(io).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(request) = connection.accept().await {
        let (request, respond) = request.unwrap();
        tasks.spawn(answer(request, respond, plan.clone()));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

fn request(number: usize, one: &Exchange) -> Request {
    let mut bytes = Vec::new();
    let method: &[u8] = if one.head_only { b"HEAD" } else { b"POST" };
    let path = format!("/{number}");
    for (name, value) in [(&b":method"[..], method), (b":scheme", b"http"), (b":path", path.as_bytes())] {
        put_field(&mut bytes, name, value, Secrecy::Open);
    }
    put_field(&mut bytes, b":authority", b"a.test", Secrecy::Open);
    for (name, value) in &one.fields {
        let secrecy = if name.len() == 3 { Secrecy::Secret } else { Secrecy::Open };
        put_field(&mut bytes, name.as_bytes(), value.as_bytes(), secrecy);
    }
    let head_bytes = bytes.len();
    bytes.extend(body(one.body));
    let method = if one.head_only { Method::Head } else { Method::Other };
    Request { bytes, head_bytes, method }
}

/// Makes all exchanges over one connection, reading so many bytes at a time.
async fn exchange(mut io: DuplexStream, plan: &[Exchange], read: usize) -> Vec<Ended<Told>> {
    let (mut connection, mut ended, mut next) = (Connection::new(LIMITS), Vec::new(), 0);
    let mut room = vec![0; read];
    while ended.len() < plan.len() {
        let more = |connection: &Connection<Told>, next| {
            connection.is_greeted() && connection.has_room() && next < plan.len()
        };
        while more(&connection, next) {
            let told = Told { number: next, ..Told::default() };
            assert!(connection.open(request(next, &plan[next]), told).is_ok());
            next += 1;
        }
        while connection.has_out() {
            // Both ends write at once: what cannot be written is no reason not to read.
            let out = connection.take_out(Vec::new());
            let (mut reader, mut writer) = tokio::io::split(&mut io);
            let mut written = std::pin::pin!(writer.write_all(&out));
            loop {
                tokio::select! {
                    result = &mut written => break result.unwrap(),
                    count = reader.read(&mut room) => {
                        let count = count.unwrap();
                        assert!(count > 0, "the server ended");
                        connection.receive(&room[..count]).unwrap();
                    }
                }
            }
        }
        ended.extend(std::iter::from_fn(|| connection.next_ended()));
        if ended.len() < plan.len() && !more(&connection, next) && !connection.has_out() {
            let count = io.read(&mut room).await.unwrap();
            assert!(count > 0, "the server ended");
            connection.receive(&room[..count]).unwrap();
        }
    }
    ended.sort_by_key(|one| one.sink.number);
    ended
}

fn compare(one: &Exchange, found: &Ended<Told>) -> Result<(), TestCaseError> {
    match &one.answer {
        Answer::Reset { reason, .. } => {
            // The server drops what waits to be sent on a stream that it resets: a head may have come, or not.
            let refused = found.sink.heads.is_empty() && *reason == Code::REFUSED_STREAM.0;
            let reset = How::Failed(Error::Reset(Code(*reason)));
            prop_assert_eq!(found.how, if refused { How::Unprocessed } else { reset });
        }
        Answer::Whole { status, fields, length, parts, trailers, .. } => {
            prop_assert_eq!(found.how, How::Answered);
            let (got, lines) = &found.sink.heads[0];
            prop_assert_eq!(got, status);
            let mut wanted = fields.clone();
            if *length {
                wanted.push(("content-length".to_owned(), parts.iter().sum::<usize>().to_string()));
            }
            wanted.sort();
            prop_assert_eq!(sorted(Fields::new(lines)), wanted);
            let bodiless = one.head_only || matches!(status, 204 | 304);
            let whole: Vec<u8> = parts.iter().filter(|_| !bodiless).flat_map(|part| body(*part)).collect();
            prop_assert_eq!(&found.sink.body, &whole);
            let mut wanted = trailers.clone().filter(|_| !bodiless).into_iter().collect::<Vec<_>>();
            wanted.iter_mut().for_each(|fields| fields.sort());
            let trailers: Vec<_> =
                found.sink.trailers.iter().map(|lines| sorted(Fields::new(lines))).collect();
            prop_assert_eq!(trailers, wanted);
        }
    }
    Ok(())
}

fn fields() -> impl Strategy<Value = FieldList> {
    let name =
        prop_oneof!["x-[a-z]{1,12}", "[a-z]{3}", Just("server".to_owned()), Just("set-cookie".to_owned())];
    // `te` alone of the short names means something.
    let name = name.prop_filter("a name of its own", |name| name != "te");
    let value = prop_oneof![4 => "[!-~]([ -~]{0,40}[!-~])?", 1 => "[a-z]{300}", 1 => Just(String::new())];
    prop::collection::vec((name, value), 0..6)
}

fn whole() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![4 => Just(200), 1 => Just(204), 1 => Just(304), 1 => Just(404), 1 => Just(599)];
    let parts = prop::collection::vec(prop_oneof![1..200_usize, 1..40_000_usize], 0..5);
    let trailers = prop::option::weighted(0.3, fields());
    (any::<bool>(), status, fields(), any::<bool>(), parts, trailers).prop_map(
        |(hint, status, fields, length, parts, trailers)| Answer::Whole {
            hint,
            status,
            fields,
            length,
            parts,
            trailers,
        },
    )
}

fn exchanges() -> impl Strategy<Value = Vec<Exchange>> {
    let reset = (prop::option::of(1..2000_usize), prop_oneof![Just(2_u32), Just(7), Just(8), Just(11)]);
    let reset = reset.prop_map(|(after, reason)| Answer::Reset { after, reason });
    let size = prop_oneof![3 => Just(0_usize), 2 => 1..500_usize, 1 => 1..150_000_usize];
    let one = (prop::bool::weighted(0.1), fields(), size, prop_oneof![6 => whole(), 1 => reset]);
    let one = one.prop_map(|(head_only, fields, body, answer)| {
        // An answer to HEAD has no body to be cut within.
        let answer = match answer {
            Answer::Reset { reason, .. } if head_only => Answer::Reset { after: None, reason },
            other => other,
        };
        Exchange { head_only, fields, body: if head_only { 0 } else { body }, answer }
    });
    prop::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_same_as_h2(
        plan in exchanges(),
        window in prop_oneof![Just(65_535_u32), Just(1_u32 << 20), 1..5000_u32],
        streams in prop_oneof![Just(100_u32), 1..4_u32],
        table in prop_oneof![Just(4096_u32), Just(0), Just(100), Just(60_000)],
        read in prop_oneof![Just(16_384_usize), 1..64_usize, 100..3000_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (ours, theirs) = duplex(PIPE_BYTES);
        let settings = Settings { window, streams, table };
        let served = plan.clone();
        let ended = runtime.block_on(async {
            let server = tokio::spawn(serve(theirs, settings, served));
            let ended = exchange(ours, &plan, read).await;
            server.await.unwrap();
            ended
        });
        for (one, found) in plan.iter().zip(&ended) {
            compare(one, found)?;
        }
    }
}
