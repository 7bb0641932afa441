//! The dynamic table: fields that were met, the newest first.

use std::collections::VecDeque;

/// What an entry counts beside its name and value (RFC 7541, 4.1), in bytes.
const ENTRY_BYTES: usize = 32;

/// The table. Names and values lie in one piece of memory, the oldest first.
#[derive(Debug)]
pub(super) struct Dynamic {
    bytes: Vec<u8>,
    entries: VecDeque<Entry>,
    /// Bytes before the oldest entry, of those that were thrown out.
    unused: usize,
    /// As the standard counts it.
    size: usize,
    max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    name: usize,
    value: usize,
}

impl Entry {
    fn size(self) -> usize {
        self.name + self.value + ENTRY_BYTES
    }
}

impl Dynamic {
    pub(super) fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), entries: VecDeque::new(), unused: 0, size: 0, max }
    }

    /// Name and value of an entry, from 0 on.
    pub(super) fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(index)?;
        let both = self.bytes.get(entry.start..entry.start + entry.name + entry.value)?;
        both.split_at_checked(entry.name)
    }

    /// Sets how large it may be; what is over that is thrown out.
    pub(super) fn set_max(&mut self, max: usize) {
        self.max = max;
        self.shrink_to(max);
    }

    /// Adds a field. One that is larger than the table empties it.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let entry = Entry { start: self.bytes.len(), name: name.len(), value: value.len() };
        let Some(room) = self.max.checked_sub(entry.size()) else {
            return self.shrink_to(0);
        };
        self.shrink_to(room);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.entries.push_front(Entry { start, ..entry });
        self.size += entry.size();
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size();
            self.unused += oldest.name + oldest.value;
        }
        // Moved together when as much is out of use as may be in use.
        if self.unused > self.max || self.entries.is_empty() {
            self.bytes.drain(..self.unused);
            self.entries.iter_mut().for_each(|entry| entry.start -= self.unused);
            self.unused = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Insert(Vec<u8>, Vec<u8>),
        Max(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let text = || prop::collection::vec(any::<u8>(), 0..60);
        prop_oneof![
            8 => (text(), text()).prop_map(|(name, value)| Act::Insert(name, value)),
            1 => (0..400_usize).prop_map(Act::Max),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_list_with_a_limit(acts in prop::collection::vec(act(), 0..120)) {
            let (mut table, mut max) = (Dynamic::new(300), 300);
            let mut list: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            let size = |list: &[(Vec<u8>, Vec<u8>)]| list.iter().map(|(n, v)| n.len() + v.len() + 32).sum::<usize>();
            for act in acts {
                match act {
                    Act::Insert(name, value) => {
                        table.insert(&name, &value);
                        list.insert(0, (name, value));
                    }
                    Act::Max(new) => {
                        table.set_max(new);
                        max = new;
                    }
                }
                while size(&list) > max {
                    list.pop();
                }
                for (at, (name, value)) in list.iter().enumerate() {
                    prop_assert_eq!(table.entry(at), Some((&name[..], &value[..])));
                }
                prop_assert_eq!(table.entry(list.len()), None);
                prop_assert!(table.bytes.len() <= 2 * 400 + 120, "memory stays bounded: {}", table.bytes.len());
            }
        }
    }
}
