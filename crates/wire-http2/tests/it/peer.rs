//! A peer by hand: frames as a server sends them, and a connection that takes them.

use peakdrill_wire_http1::Method;
use peakdrill_wire_http2::hpack::{Secrecy, put_field};
use peakdrill_wire_http2::{Connection, Error, How, Limits};

use crate::check::{Told, request};

pub(crate) const LIMITS: Limits = Limits { head_bytes: 4096, body_bytes: 100_000, streams: 8 };
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const LAST_HEAD: u8 = END_HEADERS | END_STREAM;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    [&[a, b, c, kind, flags, d, e, f, g][..], payload].concat()
}

pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        put_field(&mut out, name.as_bytes(), value.as_bytes(), Secrecy::Open);
    }
    out
}

pub(crate) fn head(flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, flags, stream, &block(fields))
}

pub(crate) fn data(flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(0, flags, stream, payload)
}

pub(crate) fn settings(parameters: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        parameters.iter().flat_map(|(k, v)| [&k.to_be_bytes()[..], &v.to_be_bytes()[..]].concat()).collect();
    frame(4, 0, 0, &payload)
}

pub(crate) fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(7, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

pub(crate) fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// A connection whose peer has sent its settings, with so many requests under way: streams 1, 3, 5 …
pub(crate) fn connection(requests: usize) -> Connection<Told> {
    let mut connection = Connection::new(LIMITS);
    connection.receive(&settings(&[])).unwrap();
    (0..requests).for_each(|number| begin(&mut connection, number, Method::Other, 0));
    let _ = connection.take_out(Vec::new());
    connection
}

pub(crate) fn begin(connection: &mut Connection<Told>, number: usize, method: Method, body: usize) {
    let told = Told { number, ..Told::default() };
    assert!(connection.open(request(method, body), told).is_ok());
}

/// What has ended, by the numbers of the exchanges.
pub(crate) fn ended(connection: &mut Connection<Told>) -> Vec<(usize, How)> {
    std::iter::from_fn(|| connection.next_ended()).map(|one| (one.sink.number, one.how)).collect()
}

/// What one answer to one request comes to.
pub(crate) fn answered(method: Method, frames: &[Vec<u8>]) -> (Told, How) {
    let mut connection = connection(0);
    begin(&mut connection, 0, method, 0);
    connection.receive(&frames.concat()).unwrap();
    let ended = connection.next_ended().unwrap();
    (ended.sink, ended.how)
}

/// Why a connection with two requests under way is given up over these frames.
pub(crate) fn given_up(frames: &[Vec<u8>]) -> Error {
    let mut connection = connection(2);
    let error = connection.receive(&frames.concat()).unwrap_err();
    assert_eq!(ended(&mut connection), [(0, How::Failed(error)), (1, How::Failed(error))]);
    assert!(connection.is_closing() && !connection.has_room());
    let out = connection.take_out(Vec::new());
    let last = out.len() - 17;
    assert_eq!(&out[last..last + 9], &frame(7, 0, 0, &[0; 8])[..9], "it is told: {out:?}");
    error
}

/// Kind, flags and stream of the frames that some bytes are, and their payloads.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(9) {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        found.push((header[3], header[4], stream, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
    found
}
