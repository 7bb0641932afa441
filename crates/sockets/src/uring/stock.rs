//! Memory that the kernel takes for what it receives: a ring of buffers that both sides see.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

/// Buffers; a power of two.
pub(super) const BUFFERS: u16 = 512;
/// Size of each, in bytes.
pub(super) const BUFFER_BYTES: usize = 4096;
/// The kernel wants the ring to begin with a page.
const PAGE_BYTES: usize = 4096;

/// The buffers, and the ring by which they are given to the kernel. A buffer is the kernel's until a completion names
/// it, then ours until it is given back.
#[derive(Debug)]
pub(super) struct Stock {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    /// Where the next buffer is given back, counted through.
    tail: u16,
}

fn ring_layout() -> Layout {
    Layout::array::<BufRingEntry>(BUFFERS.into())
        .and_then(|layout| layout.align_to(PAGE_BYTES))
        .unwrap_or(EMPTY)
}

fn memory_layout() -> Layout {
    Layout::from_size_align(usize::from(BUFFERS) * BUFFER_BYTES, PAGE_BYTES).unwrap_or(EMPTY)
}

/// Never used: both layouts are of constants that fit.
const EMPTY: Layout = Layout::new::<[u8; PAGE_BYTES]>();

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout here is of size zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Stock {
    /// A full stock that no kernel knows of yet.
    pub(super) fn new() -> Self {
        let ring = allocate(ring_layout()).cast();
        let mut stock = Self { ring, memory: allocate(memory_layout()), tail: 0 };
        (0..BUFFERS).for_each(|id| stock.put(id));
        stock.publish();
        stock
    }

    /// Where the ring begins, for the kernel.
    pub(super) fn ring_address(&self) -> u64 {
        self.ring.as_ptr() as u64
    }

    fn buffer(&self, id: u16) -> NonNull<u8> {
        let offset = usize::from(id % BUFFERS) * BUFFER_BYTES;
        // SAFETY: the offset is that of one of the buffers within the memory.
        unsafe { self.memory.add(offset) }
    }

    /// The beginning of a buffer.
    ///
    /// # Safety
    /// The buffer must be ours.
    pub(super) unsafe fn bytes(&self, id: u16, length: usize) -> &[u8] {
        // SAFETY: it lies within the memory, which is initialised, and the kernel does not write to what is ours. It
        // cannot be given back, which takes the stock mutably, while this borrow lives.
        unsafe { std::slice::from_raw_parts(self.buffer(id).as_ptr(), length.min(BUFFER_BYTES)) }
    }

    /// Gives a buffer back.
    pub(super) fn give_back(&mut self, id: u16) {
        self.put(id);
        self.publish();
    }

    fn put(&mut self, id: u16) {
        let address = self.buffer(id).as_ptr() as u64;
        // SAFETY: the place is within the ring. The kernel reads only what lies before the tail that it was told last.
        let entry = unsafe { self.ring.add(usize::from(self.tail % BUFFERS)).as_mut() };
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(id % BUFFERS);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail is a field of the first entry, aligned for its type, and used by both sides as an atomic.
        let tail = unsafe { &*BufRingEntry::tail(self.ring.as_ptr()).cast::<AtomicU16>() };
        // What was put must be seen before the tail that includes it.
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        // SAFETY: both were allocated with these layouts. The ring drops a stock only when the kernel is done with it.
        unsafe {
            dealloc(self.ring.as_ptr().cast(), ring_layout());
            dealloc(self.memory.as_ptr(), memory_layout());
        }
    }
}
