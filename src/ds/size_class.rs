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
