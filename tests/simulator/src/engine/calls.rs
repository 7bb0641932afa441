//! Calls in progress: attempts, loops, pools, and callers that give up.

use peakdrill_trace_model::SpanKind;

use super::{Engine, Event, FAILED, OK, Parent, Path, ns};
use crate::model::{Attempts, Call};

/// A call in progress.
pub(super) struct LiveCall {
    /// The caller.
    task: usize,
    /// Which of the calls of its step.
    at: usize,
    /// How many of its loop are left, this one included.
    left: u32,
    /// Attempts of this one so far.
    tries: u32,
    /// Answers of another one are too late.
    generation: u32,
    /// When this attempt began.
    began: i64,
    frame: Option<usize>,
    client: Option<usize>,
    /// It holds a connection, or waits for one.
    connection: bool,
    path: Path,
    whole: bool,
}

impl<'a> Engine<'a> {
    fn spec(&self, call: usize) -> &'a Call {
        let live = &self.calls[call];
        let task = &self.tasks[live.task];
        let net: &'a crate::model::Network = self.net;
        // A call is made by a step of calls.
        &net.ops[task.op].steps[task.step].calls()[live.at]
    }

    fn ends(&self, call: usize) -> (usize, usize) {
        let from = self.net.ops[self.tasks[self.calls[call].task].op].node;
        (from, self.net.ops[self.spec(call).to].node)
    }

    /// Begins a call of a task's step.
    pub(super) fn call(&mut self, task: usize, at: usize) {
        self.calls.push(LiveCall {
            task,
            at,
            left: 0,
            tries: 0,
            generation: 0,
            began: 0,
            frame: None,
            client: None,
            connection: false,
            path: Path::default(),
            whole: true,
        });
        let call = self.calls.len() - 1;
        self.calls[call].left = self.spec(call).times.max(1);
        self.logical(call);
    }

    fn logical(&mut self, call: usize) {
        let key = self.ends(call);
        self.run.calls.entry(key).or_default().0 += 1;
        self.calls[call].tries = 0;
        if self.spec(call).style == Attempts::Framed && self.spec(call).attempts > 1 {
            self.calls[call].frame = Some(self.client_span(call, None));
        }
        self.attempt(call);
    }

    fn client_span(&mut self, call: usize, within: Option<usize>) -> usize {
        let (task, (from, to)) = (self.calls[call].task, self.ends(call));
        let spec = self.spec(call);
        let trace = self.tasks[task].trace;
        let mut span = self.names.span(SpanKind::Client, from, spec.to, self.now);
        span.peer = Some(self.names.peer(to));
        span.mocked = self.net.ops[spec.to].mocked;
        if spec.style == Attempts::Numbered {
            span.resend = u16::try_from(self.calls[call].tries).unwrap_or(u16::MAX);
        }
        let parent =
            within.map_or_else(|| self.span_id(task), |frame| self.run.traces[trace].spans[frame].id);
        self.push(trace, span, parent)
    }

    /// Begins the next attempt.
    pub(super) fn attempt(&mut self, call: usize) {
        let (_, to) = self.ends(call);
        let spec = self.spec(call);
        let key = self.ends(call);
        self.run.calls.entry(key).or_default().1 += 1;
        let reuse = spec.style == Attempts::OneClient && self.calls[call].client.is_some();
        if !reuse {
            let frame = self.calls[call].frame;
            self.calls[call].client = Some(self.client_span(call, frame));
        }
        self.calls[call].began = self.now;
        self.calls[call].generation += 1;
        self.calls[call].tries += 1;
        if !self.net.nodes[to].sends_spans() {
            self.run.seen[to].change(self.now, 1);
        }
        let generation = self.calls[call].generation;
        if let Some(after) = spec.timeout_ms {
            self.at(self.now + ns(after), Event::Timeout(call, generation));
        }
        match spec.pool {
            Some(pool) => {
                self.calls[call].connection = true;
                if self.pools[pool].enter(call) {
                    self.go(call);
                }
            }
            None => self.go(call),
        }
        if let Some(after) = spec.hedge_ms {
            self.at(self.now + ns(after), Event::Hedge(call, generation));
        }
    }

    /// The attempt has a connection.
    fn go(&mut self, call: usize) {
        let trace = self.tasks[self.calls[call].task].trace;
        let client = self.calls[call].client.map_or(0, |span| self.run.traces[trace].spans[span].id);
        let parent = Parent::Call(call, self.calls[call].generation);
        self.send(trace, self.spec(call).to, parent, client);
    }

    /// Sends a second attempt beside the first, which keeps its own chance.
    pub(super) fn hedge(&mut self, call: usize, generation: u32) {
        if self.calls[call].generation == generation {
            let key = self.ends(call);
            self.run.calls.entry(key).or_default().1 += 1;
            self.calls[call].whole = false;
            self.go(call);
        }
    }

    pub(super) fn give_up(&mut self, call: usize, generation: u32) {
        if self.calls[call].generation == generation {
            let (_, to) = self.ends(call);
            let took = self.now - self.calls[call].began;
            self.calls[call].path.add(to, took);
            self.calls[call].whole = false;
            self.attempt_ended(call, FAILED);
        }
    }

    pub(super) fn answer(&mut self, call: usize, generation: u32, task: usize) {
        if self.calls[call].generation != generation {
            return;
        }
        let (_, to) = self.ends(call);
        let path = std::mem::take(&mut self.tasks[task].path);
        let (status, whole) = (self.tasks[task].status(), self.tasks[task].whole);
        let took = self.now - self.calls[call].began;
        let live = &mut self.calls[call];
        live.path.merge(&path);
        live.path.add(to, took - path.sum());
        live.whole &= whole;
        self.attempt_ended(call, status);
    }

    fn attempt_ended(&mut self, call: usize, status: u16) {
        let failed = status != OK;
        let (from, to) = self.ends(call);
        let spec = self.spec(call);
        let trace = self.tasks[self.calls[call].task].trace;
        // What still comes of it is too late.
        self.calls[call].generation += 1;
        if !self.net.nodes[to].sends_spans() {
            self.run.seen[to].change(self.now, -1);
        }
        self.hang_up(call);
        let again = failed && self.calls[call].tries < spec.attempts;
        if let Some(client) = self.calls[call].client.filter(|_| !again || spec.style != Attempts::OneClient)
        {
            self.close(trace, client, status);
            self.calls[call].client = None;
        }
        if again {
            let pause = ns(spec.backoff_ms);
            self.calls[call].path.add(from, pause);
            self.at(self.now + pause, Event::Again(call));
            return;
        }
        if let Some(frame) = self.calls[call].frame.take() {
            self.close(trace, frame, status);
        }
        self.calls[call].left -= 1;
        if !failed && self.calls[call].left > 0 {
            self.logical(call);
        } else {
            self.back(call, failed);
        }
    }

    fn hang_up(&mut self, call: usize) {
        let Some(pool) = self.spec(call).pool.filter(|_| self.calls[call].connection) else { return };
        self.calls[call].connection = false;
        if !self.pools[pool].forget(call)
            && let Some(next) = self.pools[pool].leave()
        {
            self.go(next);
        }
    }

    /// The caller goes on when this was the last call of its step.
    fn back(&mut self, call: usize, failed: bool) {
        let path = std::mem::take(&mut self.calls[call].path);
        let (task, whole) = (self.calls[call].task, self.calls[call].whole);
        let task_now = &mut self.tasks[task];
        task_now.failed |= failed;
        task_now.whole &= whole;
        task_now.pending -= 1;
        if task_now.pending == 0 {
            task_now.path.merge(&path);
            task_now.step += 1;
            self.advance(task);
        }
    }
}
