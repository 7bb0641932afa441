//! What goes out: requests, bodies within windows, acknowledgements.

use peakdrill_wire_http1::Method;
use peakdrill_wire_http2::{CONNECTION_WINDOW_BYTES, Connection, How, Limits, OUT_MAX_BYTES, Request};

use crate::check::{Told, request};
use crate::peer::{
    END_HEADERS, END_STREAM, LAST_HEAD, LIMITS, begin, connection, data, ended, frame, frames, go_away, head,
    number, settings,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of bodies in some frames, and whether the last of stream 1 is marked as such.
fn bodies(sent: &[u8]) -> (usize, bool) {
    let data: Vec<_> = frames(sent).into_iter().filter(|frame| frame.0 == 0).collect();
    let ended = data.iter().rfind(|frame| frame.2 == 1).is_some_and(|frame| frame.1 & END_STREAM != 0);
    (data.iter().map(|frame| frame.3.len()).sum(), ended)
}

#[test]
fn it_begins_with_its_settings() {
    let mut connection = Connection::<Told>::new(LIMITS);
    let out = connection.take_out(Vec::new());
    let found = frames(out.strip_prefix(PREFACE).unwrap());
    assert_eq!((found.len(), found[0].0, found[1].0, found[1].2), (2, 4, 8, 0));
    assert_eq!(found[0].3[..6], [0, 2, 0, 0, 0, 0], "nothing may be pushed");
    connection.receive(&settings(&[])).unwrap();
    assert_eq!(frames(&connection.take_out(Vec::new())), [(4, 1, 0, Vec::new())]);
    connection.receive(&frame(6, 0, 0, b"12345678")).unwrap();
    assert_eq!(frames(&connection.take_out(Vec::new())), [(6, 1, 0, b"12345678".to_vec())]);
    assert!(!connection.has_out());
}

#[test]
fn no_more_streams_than_either_side_allows() {
    let mut few = connection(0);
    few.receive(&settings(&[(3, 2)])).unwrap();
    begin(&mut few, 0, Method::Other, 0);
    begin(&mut few, 1, Method::Other, 0);
    let (back, told) = few.open(request(Method::Other, 0), Told::default()).unwrap_err();
    assert_eq!((back, told.number), (request(Method::Other, 0), 0));
    few.receive(&head(LAST_HEAD, 3, &[(":status", "200")])).unwrap();
    assert!(few.has_room());
    let many = connection(LIMITS.streams as usize);
    assert!(!many.has_room() && !many.is_closing());
}

#[test]
fn a_long_head_goes_on_in_further_frames() {
    let mut connection = connection(0);
    let head = vec![0x88; 40_000];
    let request =
        Request { bytes: [&head[..], b"body"].concat(), head_bytes: head.len(), method: Method::Other };
    connection.open(request, Told::default()).unwrap();
    let sent = frames(&connection.take_out(Vec::new()));
    let shape: Vec<_> = sent.iter().map(|frame| (frame.0, frame.1, frame.2)).collect();
    assert_eq!(shape, [(1, 0, 1), (9, 0, 1), (9, END_HEADERS, 1), (0, END_STREAM, 1)]);
    assert_eq!(sent[..3].iter().flat_map(|frame| frame.3.clone()).collect::<Vec<_>>(), head);
    assert_eq!(sent[3].3, b"body");
}

/// A peer that keeps less of our table than it did has to be told that it is empty, once.
#[test]
fn a_smaller_table_is_said_to_be() {
    let mut connection = connection(0);
    connection.receive(&settings(&[(1, 0)])).unwrap();
    begin(&mut connection, 0, Method::Other, 0);
    begin(&mut connection, 1, Method::Other, 0);
    let sent = frames(&connection.take_out(Vec::new()));
    let blocks: Vec<_> = sent.iter().filter(|frame| frame.0 == 1).map(|frame| frame.3.clone()).collect();
    assert_eq!(blocks, [vec![0x20, 0x82, 0x86, 0x84], vec![0x82, 0x86, 0x84]]);
}

#[test]
fn a_body_waits_for_its_windows() {
    let mut connection = connection(0);
    begin(&mut connection, 0, Method::Other, 100_000);
    assert_eq!(bodies(&connection.take_out(Vec::new())), (65_535, false));
    // The stream's window alone, then the connection's.
    connection.receive(&number(8, 1, 50_000)).unwrap();
    assert!(!connection.has_out());
    connection.receive(&number(8, 0, 20_000)).unwrap();
    assert_eq!(bodies(&connection.take_out(Vec::new())), (20_000, false));
    connection.receive(&number(8, 0, 50_000)).unwrap();
    assert_eq!(bodies(&connection.take_out(Vec::new())), (14_465, true));
}

/// A smaller initial window makes those of streams under way smaller, below zero if need be (RFC 9113, 6.9.2).
#[test]
fn a_window_can_be_negative() {
    let mut connection = connection(0);
    begin(&mut connection, 0, Method::Other, 100_000);
    let _ = connection.take_out(Vec::new());
    connection.receive(&number(8, 0, 1_000_000)).unwrap();
    connection.receive(&settings(&[(4, 100)])).unwrap();
    connection.receive(&number(8, 1, 65_435)).unwrap();
    assert_eq!(bodies(&connection.take_out(Vec::new())).0, 0);
    connection.receive(&number(8, 1, 1)).unwrap();
    assert_eq!(bodies(&connection.take_out(Vec::new())).0, 1);
    connection.receive(&settings(&[(4, 65_535)])).unwrap();
    assert_eq!(bodies(&connection.take_out(Vec::new())), (34_464, true));
}

/// Bodies take turns, and one whose window is shut holds up no other.
#[test]
fn bodies_share_the_connection() {
    let mut connection = connection(0);
    connection.receive(&[settings(&[(4, 30_000)]), number(8, 0, 1_000_000)].concat()).unwrap();
    begin(&mut connection, 0, Method::Other, 100_000);
    begin(&mut connection, 1, Method::Other, 100_000);
    assert_eq!(bodies(&connection.take_out(Vec::new())).0, 60_000);
    connection.receive(&number(8, 3, 70_000)).unwrap();
    let sent = frames(&connection.take_out(Vec::new()));
    assert!(sent.iter().filter(|frame| frame.0 == 0).all(|frame| frame.2 == 3));
    assert_eq!(sent.last().map(|frame| frame.1), Some(END_STREAM));
}

#[test]
fn what_waits_to_be_handed_over_is_bounded() {
    let mut connection = connection(0);
    connection.receive(&[settings(&[(4, 0x7fff_ffff)]), number(8, 0, 0x7000_0000)].concat()).unwrap();
    begin(&mut connection, 0, Method::Other, 3 * OUT_MAX_BYTES);
    assert!(!connection.has_room(), "nothing else begins meanwhile");
    let (mut sum, mut last) = (0, false);
    while connection.has_out() {
        let out = connection.take_out(Vec::new());
        assert!(out.len() < OUT_MAX_BYTES + 17_000);
        let (bytes, ended) = bodies(&out);
        (sum, last) = (sum + bytes, ended);
    }
    assert_eq!((sum, last), (3 * OUT_MAX_BYTES, true));
}

#[test]
fn an_answer_before_the_whole_request_ends_that() {
    let mut connection = connection(0);
    begin(&mut connection, 0, Method::Other, 100_000);
    let _ = connection.take_out(Vec::new());
    connection.receive(&head(LAST_HEAD, 1, &[(":status", "413")])).unwrap();
    assert_eq!(ended(&mut connection), [(0, How::Answered)]);
    assert_eq!(frames(&connection.take_out(Vec::new())), [(3, 0, 1, 8_u32.to_be_bytes().to_vec())]);
    connection.receive(&number(8, 0, 100_000)).unwrap();
    assert!(!connection.has_out());
}

/// What is taken is told in large pieces, and a peer that goes over its windows is given up.
#[test]
fn the_peer_has_room_for_large_bodies() {
    let limits = Limits { body_bytes: u64::MAX, ..LIMITS };
    let mut connection = Connection::<Told>::new(limits);
    connection.receive(&settings(&[])).unwrap();
    for number in 0..8 {
        begin(&mut connection, number, Method::Other, 0);
    }
    let _ = connection.take_out(Vec::new());
    let part = vec![b'x'; 16_384];
    let mut updates = Vec::new();
    for stream in (1..16).step_by(2) {
        connection.receive(&head(END_HEADERS, stream, &[(":status", "200")])).unwrap();
        for _ in 0..1200 {
            connection.receive(&data(0, stream, &part)).unwrap();
            updates.extend(frames(&connection.take_out(Vec::new())));
        }
    }
    let of = |stream: u32| updates.iter().filter(|frame| frame.0 == 8 && frame.2 == stream).count();
    assert_eq!((of(1), of(15)), (2, 2));
    assert_eq!(of(0), 8 * 1200 * 16_384 / (CONNECTION_WINDOW_BYTES as usize / 2 + 16_384));
    assert!(updates.iter().all(|frame| frame.3.len() == 4));
}

#[test]
fn what_did_not_leave_is_unprocessed() {
    let mut connection = connection(1);
    begin(&mut connection, 1, Method::Other, 0);
    let _ = connection.take_out(Vec::new());
    begin(&mut connection, 2, Method::Other, 0);
    connection.not_sent();
    assert_eq!(ended(&mut connection), [(1, How::Unprocessed), (2, How::Unprocessed)]);
    assert!(!connection.has_room() && !connection.has_out());
    // The first left before, and may have been answered.
    connection.receive(&head(LAST_HEAD, 1, &[(":status", "200")])).unwrap();
    assert_eq!(ended(&mut connection), [(0, How::Answered)]);
}

/// What was not taken out is taken back whole: nothing of it leaves, its windows are given back, and what comes next is
/// as if it had never been.
#[test]
fn what_is_taken_back_does_not_leave() {
    let mut connection = connection(1);
    connection.receive(&frame(6, 0, 0, b"12345678")).unwrap();
    begin(&mut connection, 1, Method::Other, 30_000);
    begin(&mut connection, 2, Method::Other, 0);
    connection.recall();
    assert_eq!(ended(&mut connection), [(1, How::Unprocessed), (2, How::Unprocessed)]);
    assert_eq!(frames(&connection.take_out(Vec::new())), [(6, 1, 0, b"12345678".to_vec())]);
    assert_eq!(connection.under_way(), 1, "what had left goes on");
    // The whole first window is there.
    begin(&mut connection, 3, Method::Other, 65_535);
    assert_eq!(bodies(&connection.take_out(Vec::new())).0, 65_535);
    connection.receive(&head(LAST_HEAD, 1, &[(":status", "200")])).unwrap();
    assert_eq!(ended(&mut connection), [(0, How::Answered)]);
}

#[test]
fn what_is_given_up_before_it_left_does_not_leave() {
    let mut connection = connection(0);
    begin(&mut connection, 0, Method::Other, 10);
    begin(&mut connection, 1, Method::Other, 10);
    assert!(connection.cancel(|told| told.number == 0).is_some());
    let sent: Vec<_> = frames(&connection.take_out(Vec::new())).into_iter().map(|f| (f.0, f.2)).collect();
    assert_eq!(sent, [(1, 3), (0, 3)]);
    assert!(connection.cancel(|told| told.number == 1).is_some());
    assert_eq!(frames(&connection.take_out(Vec::new())), [(3, 0, 3, vec![0, 0, 0, 8])]);
}

#[test]
fn a_peer_that_goes_away_gets_nothing_that_it_will_not_look_at() {
    let mut connection = connection(1);
    begin(&mut connection, 1, Method::Other, 10);
    connection.receive(&go_away(1, 0)).unwrap();
    assert_eq!(ended(&mut connection), [(1, How::Unprocessed)]);
    assert!(frames(&connection.take_out(Vec::new())).is_empty());
}

/// A connection that is given up still says why, and sends no request any more.
#[test]
fn last_words_hold_no_request() {
    let mut connection = connection(0);
    begin(&mut connection, 0, Method::Other, 10);
    assert!(connection.receive(&frame(5, 0, 1, b"")).is_err());
    assert_eq!(ended(&mut connection), [(0, How::Unprocessed)]);
    connection.withhold();
    let sent: Vec<_> = frames(&connection.take_out(Vec::new())).into_iter().map(|f| f.0).collect();
    assert_eq!(sent, [7]);
}
