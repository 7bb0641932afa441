use peakdrill_trace_model::{Link, Messaging, Peer, PeerKind, Span, SpanKind};

use crate::analysis::AnalysisInput;
use crate::bounds::NameLimits;
use crate::cells::Cells;
use crate::sums::{Filed, Sums};

use super::*;

const MS: i64 = 1_000_000;
/// Settled by the consumer in the sender's trace.
const SETTLED: u64 = 4;

fn of_queue(trace: u128, id: u64, kind: SpanKind, messaging: Messaging) -> Span {
    let service = if messaging == Messaging::Send { "order" } else { "mail" };
    let start_ns = trace as i64 % 10_000 * MS + id as i64 * MS;
    Span {
        trace,
        id,
        op: "orders".into(),
        start_ns,
        end_ns: start_ns + MS,
        messaging: Some(messaging),
        peer: Some(Peer { node: "orders".into(), kind: PeerKind::Queue }),
        ..Span::bare(kind, service)
    }
}

fn sending(trace: u128) -> Span {
    of_queue(trace, 2, SpanKind::Producer, Messaging::Send)
}

/// Work on messages that these traces sent, in a trace of its own.
fn work(trace: u128, sent: impl IntoIterator<Item = u128>) -> Span {
    let links = sent.into_iter().map(|trace| Link { trace, span: 2 }).collect();
    Span { links, ..of_queue(trace, 1, SpanKind::Consumer, Messaging::Process) }
}

fn told(limits: NameLimits, traces: &[(Vec<Span>, TraceClass)]) -> Vec<String> {
    found(limits, traces).into_iter().map(|finding| finding.text).collect()
}

fn found(limits: NameLimits, traces: &[(Vec<Span>, TraceClass)]) -> Vec<Finding> {
    let (mut sums, mut cells) = (Sums::default(), Cells::with_names(limits));
    for (spans, class) in traces {
        sums.add(&Filed { spans, root: None, class: *class, tagged: true, origin_ns: 0 });
    }
    cells.take_in(&mut sums);
    let found = crate::analyse(&cells, &AnalysisInput { load_seconds: 10, ..AnalysisInput::default() });
    found.findings.into_iter().filter(|finding| finding.kind == FindingKind::WaitUnknown).collect()
}

/// The drill's, a trace for each.
fn mine(spans: impl IntoIterator<Item = Span>) -> Vec<(Vec<Span>, TraceClass)> {
    spans.into_iter().map(|span| (vec![span], TraceClass::Mine)).collect()
}

#[test]
fn where_few_of_many_messages_are_looked_at_it_is_no_reason_to_say_that_waits_are_unknown() {
    let known: Vec<_> = (1..2_000).flat_map(|at| [sending(at), work(1 << 64 | at, [at])]).collect();
    for room in [100_000, 300, 30] {
        let limits = NameLimits { messages: room, ..NameLimits::default() };
        assert_eq!(told(limits, &mine(known.clone())), Vec::<String>::new(), "{room}");
    }
    let unknown = mine(known.into_iter().filter(|span| span.messaging != Some(Messaging::Send)));
    let text = |room| told(NameLimits { messages: room, ..NameLimits::default() }, &unknown);
    assert!(text(100_000)[0].contains("100 % of the 1999 that consumers know"), "{:?}", text(100_000));
    assert!(text(300)[0].contains("100 % of the about "), "{:?}", text(300));
    assert!(text(10).is_empty(), "too few are left to say anything");
}

#[test]
fn of_batches_some_messages_may_be_live_users() {
    let mixed = (0..40).flat_map(|at| {
        let (of_drill, of_live) = (100 + at, 500 + at);
        let batch = work(1 << 64 | of_drill, [of_drill, of_live]);
        mine([sending(of_drill), batch]).into_iter().chain([(vec![sending(of_live)], TraceClass::Live)])
    });
    let text = told(NameLimits::default(), &mixed.collect::<Vec<_>>());
    assert!(text[0].contains("50 % of the 80") && text[0].contains("or live users sent them"), "{text:?}");
    let alone = told(NameLimits::default(), &mine((0..40).map(|at| work(1 << 64 | at, [900 + at]))));
    assert!(!alone[0].contains("live users"), "{alone:?}");
}

/// The drill's messages, of which each is settled in the sender's trace; this many are processed there, batches know this
/// many by links, and the rest is processed in traces that have nothing to do with them.
fn traces_apart(within: u128, batched: u128) -> Vec<(Vec<Span>, TraceClass)> {
    let mut traces = Vec::new();
    for at in 1..=200_u128 {
        let settled = of_queue(at, SETTLED, SpanKind::Client, Messaging::Settle);
        let mut spans = vec![sending(at), Span { parent: 2, ..settled }];
        if at <= within {
            spans.push(Span { parent: 2, ..of_queue(at, 5, SpanKind::Consumer, Messaging::Process) });
        } else if at > within + batched {
            traces.push((vec![work(1 << 64 | at, [])], TraceClass::Live));
        }
        traces.push((spans, TraceClass::Mine));
    }
    let by_links: Vec<_> = (within + 1..=within + batched).collect();
    traces.extend(mine(by_links.chunks(50).map(|sent| work(1 << 65 | sent[0], sent.iter().copied()))));
    traces
}

fn apart(within: u128, batched: u128) -> Vec<String> {
    told(NameLimits::default(), &traces_apart(within, batched))
}

/// Requests to a service of the queue's name, each with a call of another, in traces with nothing of the queue.
fn of_its_namesake(class: TraceClass) -> impl Iterator<Item = (Vec<Span>, TraceClass)> {
    (1..=200_u128).map(move |at| {
        let of = |id: u64, kind: SpanKind, peer: Option<Peer>| {
            let span = of_queue(3 << 64 | at, id, kind, Messaging::Process);
            Span { service: "orders".into(), messaging: None, parent: id - 1, peer, ..span }
        };
        let price = Peer { node: "price-db".into(), kind: PeerKind::Database };
        (vec![of(1, SpanKind::Server, None), of(2, SpanKind::Client, Some(price))], class)
    })
}

#[test]
fn consumers_whose_traces_have_nothing_to_do_with_the_senders_are_told() {
    let text = apart(0, 0);
    assert!(text[0].contains("sent 200 messages to orders, and its consumers' traces neither"), "{text:?}");
    let text = apart(19, 0);
    assert!(text[0].contains("of which 19 are known to be processed, and its consumers' other"), "{text:?}");
    assert_eq!(apart(20, 0), Vec::<String>::new());
    assert_eq!(apart(0, 150), Vec::<String>::new(), "many together are many all the same");
}

#[test]
fn consumers_that_link_and_are_sampled_by_themselves_are_not_said_not_to_link() {
    let found = found(NameLimits::default(), &traces_apart(0, 10));
    let [Finding { text, action, .. }] = &found[..] else { panic!("{found:?}") };
    let known = "sent 200 messages to orders, of which 10 are known to be processed: its consumers link to the senders";
    assert!(text.contains(known), "{text}");
    assert!(
        text.contains("only a part of their traces may be recorded") && !text.contains("neither"),
        "{text}"
    );
    assert!(action.contains("sampler of the consumers of orders"), "{action}");
    // Where no live user sends anything the links alone tell that there are consumers.
    let drill: Vec<_> =
        traces_apart(0, 10).into_iter().filter(|(_, class)| *class == TraceClass::Mine).collect();
    assert_eq!(told(NameLimits::default(), &drill), [text.as_str()]);
}

#[test]
fn what_a_service_of_the_queues_name_calls_is_no_message() {
    let more = |traces: Vec<(Vec<Span>, TraceClass)>, class| {
        told(NameLimits::default(), &[traces, of_its_namesake(class).collect()].concat())
    };
    let text = more(traces_apart(0, 0), TraceClass::Mine);
    assert!(text[0].contains("sent 200 messages to orders, and its consumers' traces neither"), "{text:?}");
    // Live users send as well, and nobody's consumers tell anything.
    let silent = traces_apart(0, 0).into_iter().filter(|(_, class)| *class == TraceClass::Mine);
    let sent = (0..40).map(|at| (vec![sending(500 + at)], TraceClass::Live));
    assert_eq!(more(silent.chain(sent).collect(), TraceClass::Live), Vec::<String>::new());
}
