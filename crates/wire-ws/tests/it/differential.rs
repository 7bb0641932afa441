//! What `tungstenite` writes as a server is read here, and what is written here is read by it.

use std::io::{Cursor, Read, Write};

use peakdrill_wire_ws::{Close, Decoder, Kind, Sink, put_close, put_message, put_pong};
use proptest::prelude::*;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// Two ends of a connection in memory.
struct Pipe {
    input: Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.input.read(room)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn server(input: Vec<u8>) -> WebSocket<Pipe> {
    let pipe = Pipe { input: Cursor::new(input), output: Vec::new() };
    WebSocket::from_raw_socket(pipe, Role::Server, Some(WebSocketConfig::default()))
}

#[derive(Default)]
struct Told(Vec<Message>);

impl Sink for Told {
    fn message(&mut self, kind: Kind, payload: &[u8]) {
        self.0.push(match kind {
            Kind::Text => Message::text(std::str::from_utf8(payload).unwrap()),
            Kind::Binary => Message::binary(payload.to_vec()),
        });
    }

    fn ping(&mut self, payload: &[u8]) {
        self.0.push(Message::Ping(payload.to_vec().into()));
    }

    fn close(&mut self, close: Close<'_>) {
        let frame = |code: u16| CloseFrame { code: code.into(), reason: close.reason.into() };
        self.0.push(Message::Close(close.code.map(frame)));
    }
}

/// A message as a server may send it, and in how many frames.
fn any_message() -> impl Strategy<Value = (Message, usize)> {
    let text = (".{0,200}", 1..4_usize).prop_map(|(text, parts)| (Message::text(text), parts));
    let bytes = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (65_000..66_000_usize).prop_map(|length| vec![7; length]),
    ];
    let binary = (bytes, 1..4_usize).prop_map(|(bytes, parts)| (Message::binary(bytes), parts));
    let ping = prop::collection::vec(any::<u8>(), 0..126);
    let ping = ping.prop_map(|payload| (Message::Ping(payload.into()), 1));
    prop_oneof![text, binary, ping]
}

/// Sends a message in parts, cut anywhere.
fn send(server: &mut WebSocket<Pipe>, message: &Message, parts: usize) {
    let opcode = match message {
        Message::Text(_) => Data::Text,
        Message::Binary(_) => Data::Binary,
        other => return server.send(other.clone()).unwrap(),
    };
    let payload = message.clone().into_data();
    let size = payload.len().div_ceil(parts).max(1);
    let chunks: Vec<&[u8]> = if payload.is_empty() { vec![&[]] } else { payload.chunks(size).collect() };
    for (k, chunk) in chunks.iter().enumerate() {
        let opcode = if k == 0 { opcode } else { Data::Continue };
        let frame = Frame::message(chunk.to_vec(), OpCode::Data(opcode), k + 1 == chunks.len());
        server.send(Message::Frame(frame)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_a_server_sends_is_read(
        messages in prop::collection::vec(any_message(), 0..10), cut in 1..2000_usize, code in 3000..4999_u16,
    ) {
        let mut server = server(Vec::new());
        messages.iter().for_each(|(message, parts)| send(&mut server, message, *parts));
        let goodbye = CloseFrame { code: code.into(), reason: "bye".into() };
        server.close(Some(goodbye.clone())).unwrap();
        let (mut decoder, mut told) = (Decoder::new(1 << 20), Told::default());
        for part in server.get_ref().output.chunks(cut) {
            decoder.feed(part, &mut told).unwrap();
        }
        let mut wanted: Vec<Message> = messages.into_iter().map(|(message, _)| message).collect();
        wanted.push(Message::Close(Some(goodbye)));
        prop_assert_eq!(told.0, wanted);
    }

    #[test]
    fn what_a_client_sends_is_read(
        messages in prop::collection::vec((any_message(), any::<[u8; 4]>()), 0..10), mask in any::<[u8; 4]>(),
    ) {
        let mut bytes = Vec::new();
        for ((message, _), mask) in &messages {
            match message {
                Message::Ping(payload) => put_pong(&mut bytes, payload, *mask),
                Message::Text(text) => put_message(&mut bytes, Kind::Text, text.as_bytes(), *mask),
                other => put_message(&mut bytes, Kind::Binary, &other.clone().into_data(), *mask),
            }
        }
        put_close(&mut bytes, 1000, mask);
        let mut server = server(bytes);
        for ((message, _), _) in &messages {
            let wanted = match message {
                Message::Ping(payload) => Message::Pong(payload.clone()),
                other => other.clone(),
            };
            prop_assert_eq!(server.read().unwrap(), wanted);
        }
        let closed = server.read().unwrap();
        prop_assert!(matches!(closed, Message::Close(Some(frame)) if u16::from(frame.code) == 1000));
    }
}
