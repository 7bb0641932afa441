use std::sync::Arc;

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{Check, Receive, Until as Wanted};

use super::*;
use crate::message::Until;

const OWNER: Owner = Owner { key: 1, birth: 2, connection: 0 };
const AT: MonoNs = MonoNs(5);

fn socket(keeps: bool) -> WebSocket {
    let mut socket = WebSocket::new(Opening {
        owner: OWNER,
        accept: String::new(),
        offered: Vec::new(),
        not_after_unix_s: 100,
        granted: 0,
        keeps,
    });
    socket.known = true;
    socket
}

/// The frame of a short text of a server.
fn frame(text: &str) -> Vec<u8> {
    [&[0x81, text.len() as u8], text.as_bytes()].concat()
}

fn until(text: &str) -> Option<Arc<Until>> {
    let check = Check::Json { path: "$.op".into(), op: Op::Eq, value: text.into() };
    Until::compile(&Receive { until: Some(Wanted::Check(check)), count: 1 }).unwrap()
}

struct Bench {
    socket: WebSocket,
    told: VecDeque<Completion>,
    seq: u32,
}

impl Bench {
    fn new(keeps: bool) -> Self {
        Self { socket: socket(keeps), told: VecDeque::new(), seq: 0 }
    }

    /// A step that sends `text`, or only waits.
    fn say(&mut self, text: Option<&str>, until: Option<Arc<Until>>, now_unix_s: u64) -> ExchangeId {
        self.begin(text, Some(Awaited { until, expected: Vec::new(), left: 1 }), now_unix_s)
    }

    /// A step that sends `text`, and waits for nothing.
    fn only_say(&mut self, text: &str) {
        self.begin(Some(text), None, 0);
    }

    fn begin(&mut self, text: Option<&str>, wanted: Option<Awaited>, now_unix_s: u64) -> ExchangeId {
        self.seq += 1;
        let id = ExchangeId { key: 1, seq: self.seq };
        let payload = text.map(|text| (Kind::Text, text.as_bytes().to_vec()));
        let message = Message { id, owner: OWNER, payload, wanted, keep_body: true };
        let answer = Answer::new(Vec::new(), crate::answer::Wanted { body: true, frames: false });
        self.socket.say(message, answer, (AT, now_unix_s), [0; 4], &mut self.told);
        id
    }

    fn hear(&mut self, texts: &[&str]) -> Turn {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(text)).collect();
        self.socket.received(&bytes, AT, &mut self.told)
    }

    fn written(&mut self) -> Vec<u8> {
        self.written_at(0, Writing::Done)
    }

    fn written_at(&mut self, now_unix_s: u64, writing: Writing) -> Vec<u8> {
        let out = self.socket.take_out((AT, now_unix_s), || [0; 4], &mut self.told);
        self.socket.handed(writing, AT, &mut self.told);
        out
    }

    /// What was told, as text.
    fn told(&mut self) -> Vec<String> {
        let text = |told| match told {
            Completion::Sent { id, .. } => format!("sent {}", id.seq),
            Completion::Done { id, result: Ok(answer), .. } => {
                format!("done {} {}", id.seq, String::from_utf8_lossy(answer.content()))
            }
            Completion::Done { id, result: Err(fault), .. } => format!("failed {} {}", id.seq, fault.class),
            Completion::Passed { id, passed } => {
                format!("passed {} {} {}", id.seq, passed.over, passed.dropped)
            }
            Completion::NotSent { id, why, .. } => format!("not sent {} {why:?}", id.seq),
        };
        self.told.drain(..).map(text).collect()
    }
}

#[test]
fn what_comes_before_a_message_is_sent_is_no_answer_to_it() {
    let mut bench = Bench::new(true);
    bench.hear(&["tick", "tick"]);
    bench.say(Some("ping"), None, 0);
    assert_eq!(bench.written(), b"\x81\x84\0\0\0\0ping");
    bench.hear(&["pong", "late"]);
    assert_eq!(bench.told(), ["sent 1", "passed 1 2 0", "done 1 pong"]);
    bench.say(None, None, 0);
    assert_eq!(bench.told(), ["sent 2", "done 2 late"], "what came behind the answer is kept");
}

#[test]
fn messages_are_passed_over_until_one_is_met() {
    let mut bench = Bench::new(false);
    bench.hear(&["nobody waits"]);
    bench.say(Some("sub"), until("ack"), 0);
    bench.written();
    bench.hear(&[r#"{"op":"tick"}"#, "no json", r#"{"op":"ack"}"#, "behind"]);
    assert_eq!(bench.told(), ["sent 1", "passed 1 3 0", r#"done 1 {"op":"ack"}"#]);
}

#[test]
fn of_too_many_that_are_kept_the_oldest_go() {
    let mut bench = Bench::new(true);
    for k in 0..WS_KEPT_MAX + 3 {
        bench.hear(&[&k.to_string()]);
    }
    bench.say(None, None, 0);
    assert_eq!(bench.told(), ["sent 1", "passed 1 0 3", "done 1 3"]);
    let large = "x".repeat(100);
    (0..WS_KEPT_MAX_BYTES / 100 + 10).for_each(|_| _ = bench.hear(&[&large]));
    assert!(bench.socket.ears.kept_bytes <= WS_KEPT_MAX_BYTES);
}

#[test]
fn a_step_passes_over_so_many_and_no_more() {
    let mut bench = Bench::new(false);
    bench.say(Some("sub"), until("ack"), 0);
    bench.written();
    for _ in 0..=WS_PASSED_MAX {
        bench.hear(&["tick"]);
    }
    let passed = WS_PASSED_MAX + 1;
    let told = ["sent 1".to_owned(), format!("passed 1 {passed} 0"), "failed 1 ws_unmatched".to_owned()];
    assert_eq!(bench.told(), told);
}

#[test]
fn what_was_passed_over_in_a_pause_is_not_held_against_the_step_behind_it() {
    let mut bench = Bench::new(false);
    (0..WS_PASSED_MAX).for_each(|_| _ = bench.hear(&["tick"]));
    bench.say(Some("sub"), until("ack"), 0);
    bench.written();
    bench.hear(&["tick", r#"{"op":"ack"}"#]);
    let passed = format!("passed 1 {} 0", WS_PASSED_MAX + 1);
    assert_eq!(bench.told(), ["sent 1".to_owned(), passed, r#"done 1 {"op":"ack"}"#.to_owned()]);
}

#[test]
fn the_time_of_a_message_runs_from_when_it_is_said() {
    let mut bench = Bench::new(false);
    bench.only_say("a");
    assert_eq!(bench.told(), ["sent 1"]);
    bench.written();
    assert_eq!(bench.told(), ["done 1 "]);
}

#[test]
fn what_waited_to_be_written_is_not_when_the_token_has_run_out_or_the_load_was_stopped() {
    type End = fn(&mut Bench);
    let ends: [End; 2] = [
        |bench| bench.socket.withdraw(AT, &mut bench.told),
        |bench| _ = bench.socket.received(b"\x89\x01p", AT, &mut bench.told),
    ];
    for (end, out) in ends.into_iter().zip([&b""[..], b"\x8a\x81\0\0\0\0p"]) {
        for answered in [false, true] {
            let mut bench = Bench::new(false);
            if answered {
                bench.say(Some("late"), None, 99);
            } else {
                bench.only_say("late");
            }
            end(&mut bench);
            assert_eq!(bench.written_at(100, Writing::Done), out, "pongs go out all the same");
            assert_eq!(bench.told(), ["sent 1", "failed 1 cancelled"]);
            assert!(bench.socket.is_idle());
        }
    }
}

#[test]
fn a_message_that_was_written_stays_so_when_the_load_is_stopped() {
    let mut bench = Bench::new(false);
    bench.say(Some("a"), None, 99);
    bench.written();
    bench.socket.withdraw(AT, &mut bench.told);
    bench.hear(&["b"]);
    assert_eq!(bench.told(), ["sent 1", "done 1 b"]);
}

#[test]
fn a_message_that_cannot_be_written_has_failed() {
    let mut bench = Bench::new(false);
    bench.only_say("a");
    bench.written_at(0, Writing::Failed);
    assert_eq!(bench.told(), ["sent 1", "failed 1 closed"]);
}

#[test]
fn behind_a_broken_frame_nothing_is_written() {
    for answered in [false, true] {
        let mut bench = Bench::new(false);
        if answered {
            bench.say(Some("a"), None, 0);
        } else {
            bench.only_say("a");
        }
        bench.socket.received(b"\xff\x00", AT, &mut bench.told);
        assert!(bench.written().is_empty());
        assert_eq!(bench.told(), ["sent 1", "failed 1 malformed"]);
    }
}

#[test]
fn nothing_is_sent_when_the_token_has_run_out_but_what_comes_is_heard() {
    let mut bench = Bench::new(true);
    bench.hear(&["push"]);
    bench.say(Some("late"), None, 100);
    assert_eq!(bench.told(), ["not sent 1 Expired"]);
    assert!(bench.written().is_empty());
    bench.say(None, None, 100);
    assert_eq!(bench.told(), ["sent 2", "done 2 push"]);
}

#[test]
fn a_peer_that_closes_gets_an_answer_and_its_last_messages_are_heard() {
    let mut bench = Bench::new(true);
    bench.say(Some("a"), None, 0);
    bench.written();
    let bytes = [frame("answer"), frame("last"), b"\x88\x05\x03\xe9bye".to_vec()].concat();
    let turn = bench.socket.received(&bytes, AT, &mut bench.told);
    assert!(!turn.open && turn.freed, "there is something to say before it is closed");
    assert_eq!(bench.written(), b"\x88\x82\0\0\0\0\x03\xe9");
    assert_eq!(bench.told(), ["sent 1", "done 1 answer"]);
    bench.say(None, None, 0);
    bench.say(None, None, 0);
    bench.say(Some("b"), None, 0);
    let told = ["sent 2", "done 2 last", "sent 3", "failed 3 ws_closed", "failed 4 ws_closed"];
    assert_eq!(bench.told(), told);
}

#[test]
fn each_way_to_end_has_its_class() {
    type End = fn(&mut Bench) -> Turn;
    let cases: [(End, &str); 4] = [
        (|bench| bench.socket.ended(None, AT, &mut bench.told), "closed"),
        (|bench| bench.socket.received(b"\xff\x00", AT, &mut bench.told), "malformed"),
        (|bench| bench.socket.received(b"\x81\x02\xc3\x28", AT, &mut bench.told), "malformed"),
        (|bench| bench.socket.received(b"\x82\x7f\0\0\0\0\x7f\0\0\0", AT, &mut bench.told), "body_too_large"),
    ];
    for (end, class) in cases {
        let mut bench = Bench::new(false);
        bench.say(Some("a"), None, 0);
        bench.written();
        assert!(!end(&mut bench).open);
        assert_eq!(bench.told(), ["sent 1".to_owned(), format!("failed 1 {class}")]);
    }
}

#[test]
fn pings_are_answered_and_leave_is_taken() {
    let mut bench = Bench::new(false);
    let turn = bench.socket.received(b"\x89\x01a\x89\x01b", AT, &mut bench.told);
    assert!(turn.freed, "there is something to write");
    assert_eq!(bench.written(), b"\x8a\x81\0\0\0\0b");
    bench.socket.leave();
    assert_eq!(bench.written(), b"\x88\x82\0\0\0\0\x03\xe8");
    assert!(bench.hear(&["still pushing"]).open);
    assert!(!bench.socket.received(b"\x88\x02\x03\xe8", AT, &mut bench.told).open);
    assert!(bench.told().is_empty());
}
