//! So many at a time; the others wait in the order in which they came.

use std::collections::VecDeque;

/// Slots, and who waits for one.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    free: u32,
    size: u32,
    waiting: VecDeque<usize>,
}

impl Gate {
    pub(super) fn new(size: u32) -> Self {
        Self { free: size.max(1), size: size.max(1), waiting: VecDeque::new() }
    }

    /// Whether there is a slot at once; who gets none waits.
    pub(super) fn enter(&mut self, who: usize) -> bool {
        if self.free == 0 {
            self.waiting.push_back(who);
            return false;
        }
        self.free -= 1;
        true
    }

    /// A slot is given back: who has it next.
    pub(super) fn leave(&mut self) -> Option<usize> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.free += 1;
        }
        next
    }

    /// Who gave up does not wait any more; whether it did.
    pub(super) fn forget(&mut self, who: usize) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|other| *other != who);
        self.waiting.len() < before
    }

    /// Slots that are taken.
    pub(super) fn taken(&self) -> u32 {
        self.size - self.free
    }
}
