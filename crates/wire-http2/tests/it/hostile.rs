//! Peers that do not keep to the protocol: the connection is given up, and all its exchanges fail.

use peakdrill_wire_http2::{CONTINUATIONS_MAX, Code, Error, IDLE_FRAMES_MAX};

use crate::check::Told;
use crate::peer::{
    END_HEADERS, END_STREAM, LIMITS, connection, data, ended, frame, given_up, go_away, head, number,
    settings,
};

fn code(frames: &[Vec<u8>]) -> Code {
    match given_up(frames) {
        Error::Protocol(code, _) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_is_no_server_of_http2() {
    let mut connection = peakdrill_wire_http2::Connection::<Told>::new(LIMITS);
    let error = connection.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err();
    assert_eq!(error, Error::Protocol(Code::PROTOCOL_ERROR, "its first frame is not SETTINGS"));
    assert!(!connection.is_greeted());
}

#[test]
fn frames_that_are_none() {
    for bad in [
        frame(0, 0, 1, &[0; 16_385]),
        frame(2, 0, 1, &[0; 4]),
        frame(3, 0, 1, &[0; 3]),
        frame(4, 0, 0, &[0; 5]),
        frame(4, 1, 0, &[0; 6]),
        frame(6, 0, 0, &[0; 7]),
        frame(7, 0, 0, &[0; 7]),
        frame(8, 0, 1, &[0; 5]),
        frame(1, 0x20, 1, &[0; 4]),
    ] {
        assert_eq!(code(std::slice::from_ref(&bad)), Code::FRAME_SIZE_ERROR, "{bad:?}");
    }
}

#[test]
fn frames_out_of_place() {
    let open = || frame(1, 0, 1, &[0x88]);
    for bad in [
        frame(0, 0, 0, b""),
        frame(0, 0, 2, b""),
        frame(0, 0, 5, b""),
        frame(0, 8, 1, &[9]),
        frame(1, END_HEADERS, 0, &[0x88]),
        frame(1, END_HEADERS, 5, &[0x88]),
        frame(1, END_HEADERS | 8, 1, &[9]),
        frame(3, 0, 0, &[0; 4]),
        frame(3, 0, 9, &[0; 4]),
        frame(4, 0, 1, b""),
        frame(5, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
        frame(6, 0, 1, &[0; 8]),
        frame(7, 0, 1, &[0; 8]),
        frame(8, 0, 1, &[0; 4]),
        frame(8, 0, 9, &[0, 0, 0, 1]),
        frame(9, END_HEADERS, 1, &[0x88]),
        settings(&[(2, 1)]),
        [open(), data(0, 1, b"x")].concat(),
        [open(), frame(9, END_HEADERS, 3, b"")].concat(),
        [open(), frame(6, 0, 0, &[0; 8])].concat(),
    ] {
        assert_eq!(code(std::slice::from_ref(&bad)), Code::PROTOCOL_ERROR, "{bad:?}");
    }
    assert_eq!(code(&[frame(1, END_HEADERS, 1, &[0x80])]), Code::COMPRESSION_ERROR);
}

#[test]
fn windows_that_are_too_large() {
    assert_eq!(code(&[number(8, 0, 0x7fff_ffff)]), Code::FLOW_CONTROL_ERROR);
    assert_eq!(code(&[number(8, 1, 0x7fff_ffff)]), Code::FLOW_CONTROL_ERROR);
    assert_eq!(code(&[number(8, 1, 1000), settings(&[(4, 0x7fff_ffff)])]), Code::FLOW_CONTROL_ERROR);
    assert_eq!(code(&[settings(&[(4, 0x8000_0000)])]), Code::FLOW_CONTROL_ERROR);
}

/// Each kind of frame that costs the peer little and brings nothing.
#[test]
fn floods_are_bounded() {
    for idle in [
        frame(6, 0, 0, &[0; 8]),
        frame(6, 1, 0, &[0; 8]),
        settings(&[]),
        frame(4, 1, 0, b""),
        frame(2, 0, 1, &[0; 5]),
        frame(0x55, 0, 0, b""),
        number(8, 0, 1),
        go_away(0x7fff_ffff, 0),
        [head(END_HEADERS, 1, &[(":status", "200")]), data(0, 1, b"")].concat(),
    ] {
        let head_first = idle[3] == 1;
        let (first, idle) = if head_first { idle.split_at(10) } else { (&[][..], &idle[..]) };
        let (mut connection, mut count) = (connection(1), 0);
        connection.receive(first).unwrap();
        let error = loop {
            if let Err(error) = connection.receive(idle) {
                break error;
            }
            count += 1;
            assert!(count <= IDLE_FRAMES_MAX, "{idle:?}");
        };
        assert!(matches!(error, Error::Protocol(Code::ENHANCE_YOUR_CALM, _)), "{error:?}");
    }
    // Resets and windows of a stream that is over.
    for late in [number(3, 1, 8), number(8, 1, 1), data(END_STREAM, 1, b"")] {
        let mut connection = connection(1);
        connection.receive(&number(3, 1, 8)).unwrap();
        assert_eq!(ended(&mut connection).len(), 1);
        let error = connection.receive(&late.repeat(IDLE_FRAMES_MAX as usize + 1)).unwrap_err();
        assert!(matches!(error, Error::Protocol(Code::ENHANCE_YOUR_CALM, _)), "{error:?}");
    }
}

#[test]
fn a_header_block_ends() {
    let endless: Vec<_> = (0..=CONTINUATIONS_MAX).map(|_| frame(9, 0, 1, b"")).collect();
    assert!(matches!(given_up(&[frame(1, 0, 1, b""), endless.concat()]), Error::HeadTooLarge(_)));
    let long: Vec<_> = (0..3).map(|_| frame(9, 0, 1, &[0x88; 16_000])).collect();
    assert!(matches!(given_up(&[frame(1, 0, 1, b""), long.concat()]), Error::HeadTooLarge(_)));
}

/// What comes behind the error changes nothing.
#[test]
fn nothing_follows_an_error() {
    let mut connection = connection(1);
    connection.receive(&number(8, 0, 0)).unwrap_err();
    assert_eq!(ended(&mut connection).len(), 1);
    assert_eq!(connection.receive(b"whatever"), Ok(()));
    connection.end();
    assert!(connection.next_ended().is_none());
}
