//! Where connections leave their completions for the shard.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Context, Waker};

use crate::driver::Completion;

/// A queue within one thread. It holds at most two completions per exchange in flight.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    queue: RefCell<VecDeque<Completion>>,
    waker: RefCell<Option<Waker>>,
}

impl Hub {
    /// Adds a completion and wakes the shard.
    pub(crate) fn push(&self, completion: Completion) {
        self.push_quietly(completion);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Adds a completion that can wait until the shard is awake anyway.
    pub(crate) fn push_quietly(&self, completion: Completion) {
        self.queue.borrow_mut().push_back(completion);
    }

    pub(crate) fn next(&self) -> Option<Completion> {
        self.queue.borrow_mut().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Wakes this task at the next [`Self::push`].
    pub(crate) fn register(&self, cx: &Context<'_>) {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
    }
}
