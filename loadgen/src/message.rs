//! Messages over a connection that belongs to a journey: what is sent, and which answer is waited for.

use std::sync::Arc;

use peakdrill_drill_model::plan::{Receive, Until as Wanted};
use peakdrill_wire_ws::Kind;

use crate::check::{Subject, Test, is_said_by};
use crate::driver::{ExchangeId, Owner};
use crate::error::StartError;
use crate::extract::Reply;
use crate::json::{Found, Paths};

/// A message, or a wait for one.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: ExchangeId,
    /// The connection it goes over.
    pub(crate) owner: Owner,
    /// What is sent; `None`: it only waits.
    pub(crate) payload: Option<(Kind, Vec<u8>)>,
    /// What answers it; `None`: nothing, it ends when it is handed over.
    pub(crate) wanted: Option<Awaited>,
    /// Whether the whole answer is wanted, or its beginning.
    pub(crate) keep_body: bool,
}

/// What answers a message.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) until: Option<Arc<Until>>,
    /// What the path of [`Until`] is compared with, where that differs between journeys.
    pub(crate) expected: Vec<u8>,
    /// So many of them are still to come.
    pub(crate) left: u32,
}

/// What a message must be, compiled.
#[derive(Debug)]
pub(crate) struct Until {
    paths: Paths,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Test(Test),
    /// The text at a path is the expected one.
    Same(usize),
}

impl Until {
    pub(crate) fn compile(receive: &Receive) -> Result<Option<Arc<Self>>, StartError> {
        let mut paths = Paths::default();
        let rule = match &receive.until {
            None => return Ok(None),
            Some(Wanted::Check(check)) => Rule::Test(Test::compile(check, &mut paths)?),
            Some(Wanted::Same { path, .. }) => Rule::Same(paths.add(path)?),
        };
        Ok(Some(Arc::new(Self { paths, rule })))
    }

    /// Whether a message is one that is waited for.
    pub(crate) fn holds(&self, payload: &[u8], expected: &[u8]) -> bool {
        let mut found = Found::default();
        let json = !self.paths.is_empty() && self.paths.find(payload, &mut found).is_ok();
        match &self.rule {
            Rule::Test(test) => {
                let reply = Reply { body: payload, ..Reply::default() };
                test.holds(&Subject { reply: &reply, json: json.then_some(&found) })
            }
            Rule::Same(path) => {
                let seen = found.get(*path).filter(|_| json);
                seen.zip(std::str::from_utf8(expected).ok())
                    .is_some_and(|(seen, expected)| is_said_by(&found, seen, expected))
            }
        }
    }
}

impl Awaited {
    /// A message came: whether it is the last one that is waited for, or at least one of them.
    pub(crate) fn meets(&mut self, payload: &[u8]) -> Met {
        if self.until.as_ref().is_some_and(|until| !until.holds(payload, &self.expected)) {
            return Met::Other;
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 { Met::Last } else { Met::One }
    }
}

/// What a message is to a step that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// None of those it waits for: it is passed over.
    Other,
    /// One of them, and there are more.
    One,
    /// The answer.
    Last,
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::condition::Op;
    use peakdrill_drill_model::plan::{Check, Template};

    use super::*;

    fn awaited(until: Option<Wanted>, count: u32, expected: &str) -> Awaited {
        let receive = Receive { until, count };
        let expected = expected.as_bytes().to_vec();
        Awaited { until: Until::compile(&receive).unwrap(), expected, left: count }
    }

    #[test]
    fn messages_are_met() {
        let mut next = awaited(None, 2, "");
        assert_eq!((next.meets(b"a"), next.meets(b"\xff")), (Met::One, Met::Last));
        let ack = Check::Json { path: "$.op".into(), op: Op::Eq, value: "ack".into() };
        let mut ack = awaited(Some(Wanted::Check(ack)), 1, "");
        for other in [&br#"{"op":"tick"}"#[..], b"ack", b"", br#"{"op":"ack""#] {
            assert_eq!(ack.meets(other), Met::Other);
        }
        assert_eq!(ack.meets(br#"{"op":"ack"}"#), Met::Last);
        let same = |path: &str| Wanted::Same { path: path.into(), value: Template::default() };
        let mut id = awaited(Some(same("$.re.id")), 1, "42");
        assert_eq!(id.meets(br#"{"re":{"id":41}}"#), Met::Other);
        assert_eq!(id.meets(br#"{"re":{}}"#), Met::Other);
        assert_eq!(id.meets(br#"{"re":{"id":42}}"#), Met::Last);
        for (sent, expected, wanted) in [
            ("10.00", "10", Met::Last),
            ("1e2", "100.0", Met::Last),
            ("100000000000000000000001", "100000000000000000000002", Met::Other),
            ("\"10.00\"", "10", Met::Other),
            ("1e999", "inf", Met::Other),
        ] {
            let message = format!("{{\"re\":{{\"id\":{sent}}}}}");
            let mut number = awaited(Some(same("$.re.id")), 1, expected);
            assert_eq!(number.meets(message.as_bytes()), wanted, "{sent} {expected}");
        }
        let mut text = awaited(Some(Wanted::Check(Check::BodySize { op: Op::Ge, bytes: 3 })), 1, "");
        assert_eq!((text.meets(b"ab"), text.meets(b"abc")), (Met::Other, Met::Last));
    }
}
