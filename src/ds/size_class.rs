//! The sizes that the allocator has.
//!
//! A structure that asks for whole size classes can derive the size of its allocation from the bytes
//! it uses: it needs no capacity of its own, and knows for free when it may grow or shrink in place.

/// The allocator's size class that serves `size` bytes (jemalloc's spacing: 16 up to 128, then four
/// classes for each doubling). From 16 KiB on jemalloc gives whole pages instead, so there a class is what
/// a growing structure had better ask for, not what it has anyway.
#[inline]
#[must_use]
pub const fn size_class(size: usize) -> usize {
    if size <= 128 {
        (size + 15) & !15
    } else {
        let quarter = 1 << ((size - 1).ilog2() - 2);
        (size + quarter - 1) & !(quarter - 1)
    }
}

/// Bytes that the allocator gives for a block of so many; 0 is no block.
#[must_use]
pub const fn allocated_bytes(size: usize) -> usize {
    if size > LARGE_MIN { size.next_multiple_of(PAGE) } else { size_class(size) }
}

/// Bytes of a map of the standard library's with so many entries of `entry` bytes; estimated, since how
/// its nodes are filled depends on the order in which they were.
#[must_use]
pub const fn btree_bytes(len: usize, entry: usize) -> usize {
    // Eleven entries each, a pointer up and two lengths; inner nodes have twelve pointers more.
    let leaf = size_class(11 * entry + 12);
    let inner = size_class(11 * entry + 12 + 12 * size_of::<usize>());
    match len {
        0 => 0,
        1..=11 => leaf,
        _ => len.div_ceil(7) * leaf + len.div_ceil(49) * inner,
    }
}

/// Larger blocks are whole pages.
const LARGE_MIN: usize = 14 * 1024;
const PAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_jemallocs() {
        for (size, class) in
            [(1, 16), (16, 16), (17, 32), (128, 128), (129, 160), (161, 192), (257, 320)]
        {
            assert_eq!(size_class(size), class);
        }
        assert_eq!(size_class(1025), 1280);
        assert_eq!(size_class(70_000), 81_920);
    }
}
