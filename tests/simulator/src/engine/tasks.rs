//! Operations in progress.

use peakdrill_drill_model::verdict::NodeKind;
use peakdrill_trace_model::SpanKind;
use rand::RngExt as _;

use super::{Engine, Event, FAILED, OK, Path, REFUSED, ns};
use crate::model::Step;
use crate::trace::ORIGIN_NS;

/// A producer's span takes so long, nanoseconds.
const PUBLISH_NS: i64 = 200_000;

/// Being refused takes so long, nanoseconds.
const REFUSE_NS: i64 = 300_000;

/// Who waits for an operation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parent {
    /// The generator, since when.
    Generator(i64),
    /// A call, in its generation.
    Call(usize, u32),
    /// Nobody: it works on a message.
    Nobody,
}

/// An operation in progress.
pub(super) struct Task {
    pub(super) trace: usize,
    pub(super) op: usize,
    pub(super) parent: Parent,
    parent_span: u64,
    /// Its own span, where its node sends one and it has begun.
    pub(super) span: Option<usize>,
    pub(super) step: usize,
    /// Since when it waits for what it waits for.
    pub(super) since: i64,
    /// Calls that are not back yet.
    pub(super) pending: usize,
    pub(super) failed: bool,
    /// It was refused by its own node.
    refused: bool,
    /// True causal path so far.
    pub(super) path: Path,
    /// Nobody gave up on the way.
    pub(super) whole: bool,
    station: usize,
    /// The pool of which it has a connection.
    held: Option<usize>,
}

impl Task {
    /// HTTP status of its answer.
    pub(super) fn status(&self) -> u16 {
        match (self.failed, self.refused) {
            (false, _) => OK,
            (true, false) => FAILED,
            (true, true) => REFUSED,
        }
    }
}

impl Engine<'_> {
    /// Sends the request of an operation to its node.
    pub(super) fn send(&mut self, trace: usize, op: usize, parent: Parent, parent_span: u64) {
        self.tasks.push(Task {
            trace,
            op,
            parent,
            parent_span,
            span: None,
            step: 0,
            since: 0,
            pending: 0,
            failed: false,
            refused: false,
            path: Path::default(),
            whole: true,
            station: 0,
            held: None,
        });
        self.at(self.now + ns(self.net.hop_ms), Event::Arrive(self.tasks.len() - 1));
    }

    fn node_of(&self, task: usize) -> usize {
        self.net.ops[self.tasks[task].op].node
    }

    pub(super) fn arrive(&mut self, task: usize) {
        let node = self.node_of(task);
        self.tasks[task].since = self.now;
        if self.doors[node].as_mut().is_some_and(|door| !door.enter(self.now)) {
            self.open(task);
            (self.tasks[task].failed, self.tasks[task].refused) = (true, true);
            return self.at(self.now + REFUSE_NS, Event::Worked(task));
        }
        if !self.net.nodes[node].accept {
            self.open(task);
        }
        if self.workers[node].as_mut().is_none_or(|workers| workers.enter(task)) {
            self.begin(task);
        }
    }

    /// It has a thread.
    fn begin(&mut self, task: usize) {
        let node = self.node_of(task);
        if self.net.nodes[node].workers.is_some() {
            let waited = self.now - self.tasks[task].since;
            self.tasks[task].path.add(node, waited);
            self.open(task);
        }
        self.advance(task);
    }

    /// Its own span begins, unless it has.
    fn open(&mut self, task: usize) {
        let node = self.node_of(task);
        if self.tasks[task].span.is_some() || !self.net.nodes[node].sends_spans() {
            return;
        }
        let queue = self.net.nodes[node].kind == NodeKind::Queue;
        let kind = if queue { SpanKind::Consumer } else { SpanKind::Server };
        let (trace, op, parent) = (self.tasks[task].trace, self.tasks[task].op, self.tasks[task].parent_span);
        let mut span = self.names.span(kind, node, op, self.now);
        span.peer = queue.then(|| self.names.peer(node));
        self.tasks[task].span = Some(self.push(trace, span, parent));
        self.run.seen[node].change(self.now, 1);
    }

    /// Adds a span to a trace; its position.
    pub(super) fn push(&mut self, trace: usize, mut span: peakdrill_trace_model::Span, parent: u64) -> usize {
        span.id = self.rng.random::<u64>() | 1;
        span.parent = parent;
        span.trace = self.run.traces[trace].id;
        let spans = &mut self.run.traces[trace].spans;
        spans.push(span);
        spans.len() - 1
    }

    pub(super) fn close(&mut self, trace: usize, span: usize, status: u16) {
        let span = &mut self.run.traces[trace].spans[span];
        span.end_ns = ORIGIN_NS + self.now;
        // That there are too many requests is no error of the server's.
        span.error = if span.kind == SpanKind::Server { status >= FAILED } else { status > OK };
        span.status = status;
    }

    /// On to the next step that takes time.
    pub(super) fn advance(&mut self, task: usize) {
        let net = self.net;
        loop {
            let steps = &net.ops[self.tasks[task].op].steps;
            let step = steps.get(self.tasks[task].step).filter(|_| !self.tasks[task].failed);
            match step {
                None => return self.finish(task),
                Some(Step::Work(_)) => return self.work(task),
                Some(Step::Publish(to)) => self.publish(task, *to),
                Some(Step::Hold(pool)) => {
                    self.tasks[task].since = self.now;
                    if !self.held[*pool].enter(task) {
                        return;
                    }
                    self.tasks[task].held = Some(*pool);
                }
                Some(Step::Calls(calls)) => {
                    self.tasks[task].since = self.now;
                    for (at, call) in calls.iter().enumerate() {
                        if self.chance() <= call.chance {
                            self.tasks[task].pending += 1;
                            self.call(task, at);
                        }
                    }
                    if self.tasks[task].pending > 0 {
                        return;
                    }
                }
                Some(Step::OneOf(calls)) => {
                    self.tasks[task].since = self.now;
                    if let Some(at) = self.one_of(calls.iter().map(|call| call.chance)) {
                        self.tasks[task].pending = 1;
                        return self.call(task, at);
                    }
                }
            }
            self.tasks[task].step += 1;
        }
    }

    /// It has waited for its connection.
    fn connected(&mut self, task: usize, pool: usize) {
        let (node, waited) = (self.node_of(task), self.now - self.tasks[task].since);
        self.tasks[task].path.add(node, waited);
        self.tasks[task].held = Some(pool);
        self.tasks[task].step += 1;
        self.advance(task);
    }

    fn publish(&mut self, task: usize, to: usize) {
        let (trace, op, node) = (self.tasks[task].trace, self.tasks[task].op, self.node_of(task));
        let mut span = self.names.span(SpanKind::Producer, node, op, self.now);
        span.peer = Some(self.names.peer(self.net.ops[to].node));
        // The producer goes on at once: sending is not waited for.
        span.end_ns = (span.start_ns + PUBLISH_NS).min(span.start_ns + ns(self.net.hop_ms));
        let parent = self.span_id(task);
        let at = self.push(trace, span, parent);
        let id = self.run.traces[trace].spans[at].id;
        self.send(trace, to, Parent::Nobody, id);
    }

    pub(super) fn span_id(&self, task: usize) -> u64 {
        let task = &self.tasks[task];
        task.span.map_or(task.parent_span, |span| self.run.traces[task.trace].spans[span].id)
    }

    /// Queues for a server.
    fn work(&mut self, task: usize) {
        let node = self.node_of(task);
        let shards = self.stations[node].len();
        let hot = self.net.nodes[node].shards.map_or(0.0, |(_, hot)| hot);
        let at = if shards == 1 || self.chance() <= hot {
            0
        } else {
            self.rng.random_range(0..shards as u64) as usize
        };
        if self.net.nodes[node].workers.is_some() || self.tasks[task].step > 0 {
            self.tasks[task].since = self.now;
        }
        self.tasks[task].station = at;
        if self.stations[node][at].enter(task) {
            self.serve(task);
        }
    }

    /// A server takes it.
    fn serve(&mut self, task: usize) {
        let node = self.node_of(task);
        self.open(task);
        let spec = &self.net.nodes[node];
        if let (NodeKind::Queue, Some(_), Some(span)) = (spec.kind, spec.shards, self.tasks[task].span) {
            let station = self.tasks[task].station;
            self.run.traces[self.tasks[task].trace].spans[span].partition = u16::try_from(station).ok();
        }
        let Some(Step::Work(mean_ms)) = self.net.ops[self.tasks[task].op].steps.get(self.tasks[task].step)
        else {
            return;
        };
        let n = f64::from(self.stations[node][self.tasks[task].station].taken());
        let slower = 1.0 + spec.usl.0 * (n - 1.0) + spec.usl.1 * n * (n - 1.0);
        let work_ns = self.drawn(mean_ms * slower * 1e6, spec.spread);
        let end = spec.stall.map_or(self.now + work_ns, |stall| stalled(self.now, work_ns, stall));
        let end = self.load.stall.map_or(end, |stall| stood_still(self.now, end, stall));
        self.at(end, Event::Served(task));
    }

    /// Of a lognormal distribution with this mean.
    fn drawn(&mut self, mean_ns: f64, spread: f64) -> i64 {
        let variance = (1.0 + spread * spread).ln();
        let (a, b) = (self.chance(), self.chance());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        ((mean_ns * (variance.sqrt() * normal - variance / 2.0).exp()) as i64).max(1)
    }

    pub(super) fn served(&mut self, task: usize) {
        let (node, station) = (self.node_of(task), self.tasks[task].station);
        if let Some(next) = self.stations[node][station].leave() {
            self.serve(next);
        }
        match self.noise() {
            0 => self.worked(task),
            noise => self.at(self.now + noise, Event::Worked(task)),
        }
    }

    pub(super) fn worked(&mut self, task: usize) {
        let node = self.node_of(task);
        let took = self.now - self.tasks[task].since;
        self.tasks[task].path.add(node, took);
        let fails = self.net.ops[self.tasks[task].op].fails;
        self.tasks[task].failed |= fails > 0.0 && self.chance() <= fails;
        self.tasks[task].step += 1;
        self.advance(task);
    }

    fn finish(&mut self, task: usize) {
        let node = self.node_of(task);
        if let Some(span) = self.tasks[task].span {
            self.close(self.tasks[task].trace, span, self.tasks[task].status());
            self.run.seen[node].change(self.now, -1);
        }
        if let Some(workers) = &mut self.workers[node]
            && let Some(next) = workers.leave()
        {
            self.begin(next);
        }
        if let Some(pool) = self.tasks[task].held.take()
            && let Some(next) = self.held[pool].leave()
        {
            self.connected(next, pool);
        }
        let back = self.now + ns(self.net.hop_ms);
        match self.tasks[task].parent {
            Parent::Generator(_) => self.at(back, Event::Done(task)),
            Parent::Call(call, generation) => {
                // The caller's span ends a little later as well.
                let noise = if self.net.nodes[node].sends_spans() { self.noise() } else { 0 };
                self.at(back + noise, Event::Answer(call, generation, task));
            }
            Parent::Nobody => {}
        }
    }
}

/// When work ends that would end then, on a machine that stands still for a while.
fn stood_still(now: i64, end: i64, (from_s, seconds): (f64, f64)) -> i64 {
    let (from, length) = ((from_s * 1e9) as i64, (seconds * 1e9) as i64);
    match now {
        _ if now >= from + length || end <= from => end,
        _ if now < from => end + length,
        _ => from + length + (end - now),
    }
}

/// When work ends that begins now at a node that stands still again and again.
fn stalled(now: i64, work_ns: i64, (every_s, stall_ms): (f64, f64)) -> i64 {
    let (every, stall) = ((every_s * 1e9) as i64, ns(stall_ms));
    let moving = every - stall;
    // Each period moves first and stands still at its end.
    let moved = |t: i64| t.div_euclid(every) * moving + t.rem_euclid(every).min(moving);
    let goal = moved(now) + work_ns;
    let periods = (goal - 1).div_euclid(moving);
    periods * every + (goal - periods * moving)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_after_a_stall() {
        let second = 1_000_000_000;
        // Moves for 900 ms of each second.
        let ends = |now: i64, work: i64| stalled(now, work, (1.0, 100.0));
        assert_eq!(ends(0, second / 2), second / 2);
        assert_eq!(ends(0, second), second + second / 10);
        assert_eq!(ends(second * 95 / 100, second / 10), second + second / 10);
        assert_eq!(ends(second * 8 / 10, second / 10), second * 9 / 10);
    }
}
