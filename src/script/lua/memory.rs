//! The memory of an interpreter: it comes from the process's allocator and is counted, and what a script
//! may have of it is bounded.
//!
//! The bound holds while a script runs. Outside of that Lua gets what it asks for, so that nothing there
//! fails halfway; and a process without memory ends there as anywhere else.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ffi::c_void;
use std::ptr;

/// Most that the scripts of an interpreter may hold, bytes.
pub(super) const BYTES_MAX: usize = 2 << 30;
/// Bytes that scripts may leave behind before all that is unused is collected at once.
const COLLECTED_AT_BYTES: usize = 256 << 20;

/// From how many bytes on to collect, with so many in use after the last time.
pub(super) fn collect_at(used: usize) -> usize {
    if used <= COLLECTED_AT_BYTES {
        COLLECTED_AT_BYTES
    } else {
        used + BYTES_MAX.saturating_sub(used) / 2
    }
}

/// Lua's own unit of alignment.
const ALIGN: usize = 8;

/// What an interpreter holds.
#[derive(Debug)]
pub(super) struct Memory {
    /// Bytes it has.
    pub(super) used: usize,
    /// Bytes it may have.
    pub(super) limit: usize,
}

impl Memory {
    /// Nothing, without a bound.
    pub(super) const NEW: Self = Self { used: 0, limit: usize::MAX };
}

/// Lua's allocator: makes, resizes or frees (`new_len` 0) a block. Null if the bound is reached.
///
/// # Safety
/// `memory` is the interpreter's [`Memory`]; `block` is null or came from here with `len` bytes.
pub(super) unsafe extern "C" fn allocate(
    memory: *mut c_void,
    block: *mut c_void,
    len: usize,
    new_len: usize,
) -> *mut c_void {
    // SAFETY: the caller's; nobody else uses it meanwhile.
    let memory = unsafe { &mut *memory.cast::<Memory>() };
    let len = if block.is_null() { 0 } else { len };
    let Ok(new_layout) = Layout::from_size_align(new_len, ALIGN) else { return ptr::null_mut() };
    // SAFETY: the layout the block was made with.
    let layout = unsafe { Layout::from_size_align_unchecked(len, ALIGN) };
    if new_len == 0 {
        if len > 0 {
            memory.used -= len;
            // SAFETY: it came from here.
            unsafe { dealloc(block.cast(), layout) };
        }
        return ptr::null_mut();
    }
    if new_len > len && memory.used.saturating_add(new_len - len) > memory.limit {
        return ptr::null_mut();
    }
    let made = if len == 0 {
        // SAFETY: not empty.
        unsafe { alloc(new_layout) }
    } else {
        // SAFETY: it came from here, and the new length is not 0.
        unsafe { realloc(block.cast(), layout, new_len) }
    };
    if made.is_null() {
        handle_alloc_error(new_layout);
    }
    memory.used = memory.used - len + new_len;
    made.cast()
}
