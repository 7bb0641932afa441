//! Single answers: what is told, and what is refused.

use peakdrill_wire_http1::Method;
use peakdrill_wire_http2::{Code, Error, How, INFORMATIONAL_MAX};

use crate::peer::{
    END_HEADERS, END_STREAM, LAST_HEAD, LIMITS, answered, begin, block, connection, data, ended, frame,
    frames, go_away, head, number,
};

const OK: (&str, &str) = (":status", "200");

fn failed(frames: &[Vec<u8>]) -> Error {
    match answered(Method::Other, frames).1 {
        How::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_form_of_an_answer_is_read() {
    let length = ("content-length", "4");
    let (told, how) = answered(
        Method::Other,
        &[head(END_HEADERS, 1, &[OK, length]), data(0, 1, b"ab"), data(END_STREAM, 1, b"cd")],
    );
    assert_eq!((told.heads, how), (vec![(200, b"content-length: 4\r\n".to_vec())], How::Answered));
    assert_eq!(told.body, b"abcd");
    let (told, how) = answered(Method::Other, &[head(END_HEADERS, 1, &[OK]), data(END_STREAM, 1, b"")]);
    assert_eq!((told.heads, told.body, how), (vec![(200, Vec::new())], Vec::new(), How::Answered));
    let (told, how) = answered(Method::Head, &[head(LAST_HEAD, 1, &[OK, length])]);
    assert_eq!((told.heads.len(), how), (1, How::Answered));
    for status in ["204", "304"] {
        assert_eq!(
            answered(Method::Other, &[head(LAST_HEAD, 1, &[(":status", status), length])]).1,
            How::Answered
        );
    }
}

#[test]
fn trailers_are_told() {
    let trailers = head(LAST_HEAD, 1, &[("grpc-status", "0"), ("grpc-message", "fine")]);
    let (told, how) =
        answered(Method::Other, &[head(END_HEADERS, 1, &[OK]), data(0, 1, b"x"), trailers.clone()]);
    assert_eq!(how, How::Answered);
    assert_eq!(told.trailers, [b"grpc-status: 0\r\ngrpc-message: fine\r\n".to_vec()]);
    assert_eq!(answered(Method::Other, &[head(END_HEADERS, 1, &[OK]), trailers]).0.trailers.len(), 1);
}

#[test]
fn heads_may_be_padded_cut_and_prioritized() {
    let fields = block(&[OK, ("a", "b")]);
    let (one, two) = fields.split_at(1);
    let padded = [&[3][..], &[0, 0, 0, 0, 7], one, &[0; 3]].concat();
    let (told, how) = answered(
        Method::Other,
        &[frame(1, 0x8 | 0x20 | END_STREAM, 1, &padded), frame(9, 0, 1, &[]), frame(9, END_HEADERS, 1, two)],
    );
    assert_eq!((told.heads, how), (vec![(200, b"a: b\r\n".to_vec())], How::Answered));
    let (told, _) =
        answered(Method::Other, &[head(END_HEADERS, 1, &[OK]), data(0x8 | END_STREAM, 1, b"\x02ab\0\0")]);
    assert_eq!(told.body, b"ab");
}

#[test]
fn informational_answers_are_passed_over() {
    let hint = || head(END_HEADERS, 1, &[(":status", "103"), ("link", "x")]);
    let most: Vec<_> = (0..INFORMATIONAL_MAX).map(|_| hint()).collect();
    let (told, how) = answered(Method::Other, &[most.concat(), head(LAST_HEAD, 1, &[(":status", "204")])]);
    assert_eq!((told.heads.len(), how), (1, How::Answered));
    assert!(matches!(failed(&[most.concat(), hint()]), Error::HeadTooLarge(_)));
}

#[test]
fn a_malformed_answer_ends_its_stream_alone() {
    let go_on = [
        head(LAST_HEAD, 1, &[("a", "b")]),
        head(LAST_HEAD, 1, &[(":status", "101")]),
        head(LAST_HEAD, 1, &[(":status", "100")]),
        head(LAST_HEAD, 1, &[OK, ("A", "b")]),
        data(0, 1, b"x"),
        [head(END_HEADERS, 1, &[OK]), head(END_HEADERS, 1, &[("a", "b")])].concat(),
        [head(END_HEADERS, 1, &[OK]), head(LAST_HEAD, 1, &[OK])].concat(),
        [head(END_HEADERS, 1, &[OK, ("content-length", "1")]), data(0, 1, b"xy")].concat(),
        [head(END_HEADERS, 1, &[(":status", "204")]), data(0, 1, b"x")].concat(),
    ];
    for bad in go_on {
        let mut connection = connection(2);
        connection.receive(&[bad, head(LAST_HEAD, 3, &[OK])].concat()).unwrap();
        let ended = ended(&mut connection);
        assert!(
            matches!(ended[..], [(0, How::Failed(Error::Malformed(_))), (1, How::Answered)]),
            "{ended:?}"
        );
    }
}

#[test]
fn the_limits_hold() {
    let long = "x".repeat(LIMITS.head_bytes);
    assert!(matches!(failed(&[head(LAST_HEAD, 1, &[OK, ("a", &long)])]), Error::HeadTooLarge(_)));
    let many: Vec<_> = (0..LIMITS.head_bytes / 34 + 1).map(|_| ("a", "b")).collect();
    assert!(matches!(failed(&[head(LAST_HEAD, 1, &[&[OK], &many[..]].concat())]), Error::HeadTooLarge(_)));
    let promised = head(END_HEADERS, 1, &[OK, ("content-length", "100001")]);
    assert_eq!(failed(&[promised]), Error::BodyTooLarge(100_000));
    let parts: Vec<_> = (0..11).map(|_| data(0, 1, &[b'x'; 10_000])).collect();
    assert_eq!(failed(&[head(END_HEADERS, 1, &[OK]), parts.concat()]), Error::BodyTooLarge(100_000));
    assert_eq!(
        failed(&[head(END_HEADERS, 1, &[OK, ("content-length", "2")]), data(END_STREAM, 1, b"a")]),
        Error::BodyShort
    );
}

#[test]
fn a_peer_that_resets_a_stream_is_told_from_one_that_refuses_it() {
    let mut refused = connection(3);
    refused.receive(&head(END_HEADERS, 3, &[OK])).unwrap();
    refused.receive(&[number(3, 1, 7), number(3, 3, 7), number(3, 5, 8)].concat()).unwrap();
    let reset = |code| How::Failed(Error::Reset(code));
    let wanted = [(0, How::Unprocessed), (1, reset(Code::REFUSED_STREAM)), (2, reset(Code::CANCEL))];
    assert_eq!(ended(&mut refused), wanted);
    assert!(refused.has_room());
}

#[test]
fn what_a_peer_that_goes_away_has_not_looked_at_is_unprocessed() {
    let mut connection = connection(3);
    connection.receive(&go_away(3, 0)).unwrap();
    assert_eq!(ended(&mut connection), [(2, How::Unprocessed)]);
    assert!(!connection.has_room() && connection.is_closing());
    connection.receive(&head(LAST_HEAD, 1, &[OK])).unwrap();
    connection.receive(&head(END_HEADERS, 3, &[OK])).unwrap();
    connection.end();
    assert_eq!(ended(&mut connection), [(0, How::Answered), (1, How::Failed(Error::BodyCut))]);
}

/// A peer that has begun to answer has looked at the request, whatever it says.
#[test]
fn what_was_begun_to_be_answered_is_not_unprocessed() {
    for begun in [head(END_HEADERS, 1, &[OK]), head(END_HEADERS, 1, &[(":status", "103")])] {
        for (denial, error) in [
            (go_away(0, 1), Error::GoneAway(Code::PROTOCOL_ERROR)),
            (number(3, 1, 7), Error::Reset(Code::REFUSED_STREAM)),
        ] {
            let mut connection = connection(1);
            connection.receive(&[begun.clone(), denial].concat()).unwrap();
            assert_eq!(ended(&mut connection), [(0, How::Failed(error))]);
        }
    }
}

#[test]
fn the_end_of_a_connection_tells_why() {
    let mut quiet = connection(1);
    begin(&mut quiet, 1, Method::Other, 0);
    quiet.end();
    // The second request never left.
    assert_eq!(ended(&mut quiet), [(0, How::Failed(Error::Closed)), (1, How::Unprocessed)]);
    let mut angry = connection(1);
    angry.receive(&go_away(1, 11)).unwrap();
    angry.end();
    assert_eq!(ended(&mut angry), [(0, How::Failed(Error::GoneAway(Code::ENHANCE_YOUR_CALM)))]);
}

/// Frames of a stream that was given up are passed over, but their fields are in the table all the same.
#[test]
fn what_comes_late_is_passed_over() {
    let mut connection = connection(2);
    assert!(connection.cancel(|told| told.number == 0).is_some());
    assert!(connection.cancel(|told| told.number == 0).is_none());
    assert_eq!(frames(&connection.take_out(Vec::new())), [(3, 0, 1, 8_u32.to_be_bytes().to_vec())]);
    // `x: y`, to be indexed; then by its index.
    let indexed = [0x88, 0x40, 1, b'x', 1, b'y'];
    connection.receive(&frame(1, END_HEADERS, 1, &indexed)).unwrap();
    connection
        .receive(&[data(END_STREAM, 1, b"late"), frame(1, LAST_HEAD, 3, &[0x88, 0xbe])].concat())
        .unwrap();
    let ended = connection.next_ended().unwrap();
    assert_eq!(ended.sink.heads, [(200, b"x: y\r\n".to_vec())]);
}
