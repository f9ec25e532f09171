//! HyperLogLogs in bytes that anybody may have written: whatever they are, reading them ends and agrees
//! with itself; what is sound stays so when elements are added, merged and stored.
//!
//! Input: flags (bit 0: it brings its own header; bits 1 and 2: the limit of sparse ones; bits 3 to 7: how
//! many elements), the elements of three bytes each, the string or what follows its header.

use super::input::Input;
use carnelian::ds::hll::{
    self, Changed, Corrupt, Encoding, Hll, HllMut, REGISTER_COUNT, Registers,
};

const LIMITS: [usize; 4] = [0, 40, 3000, 40_000];
const ELEMENT_LEN: usize = 3;

/// Checks one string.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let limit = LIMITS[usize::from(flags >> 1 & 3)];
    let elements = input.bytes(ELEMENT_LEN * usize::from(flags >> 3));
    let mut string = if flags & 1 == 0 { hll::empty()[..16].to_vec() } else { Vec::new() };
    string.extend_from_slice(input.rest());
    let Some(before) = read(&string) else { return };
    let mut hll = HllMut::of(&mut string, limit).expect("it was one to read");
    for element in elements.chunks(ELEMENT_LEN) {
        let added = hll.add(element);
        assert!(added.is_ok() || before.is_err(), "a sound one is corrupt to writers");
        assert!(added.is_err() || hll.add(element) == Ok(Changed::No), "added twice");
    }
    let after = read(&string).expect("its header stays");
    let (Ok(mut registers), Ok(after)) = (before, after) else { return };
    assert!(registers.iter().zip(&after).all(|(before, after)| before <= after));
    store(&mut registers, &mut string, limit);
    assert!(read(&string) == Some(Ok(after)), "stored registers read back as others");
}

/// The registers of a string, if it has a HyperLogLog's header.
fn read(string: &[u8]) -> Option<Result<Registers, Corrupt>> {
    let hll = Hll::of(string)?;
    let mut registers = [0; REGISTER_COUNT];
    let merged = hll.merge_into(&mut registers);
    let counted = hll.count();
    assert_eq!(counted.is_ok(), merged.is_ok());
    if let Ok(count) = counted {
        assert_eq!(count, hll::count_registers(&registers));
    }
    if let Some(opcodes) = hll.opcodes() {
        assert!(opcodes.count() <= string.len());
    }
    let mut dense = string.to_vec();
    let made = HllMut::of(&mut dense, 0).expect("it was one to read").make_dense();
    assert_eq!(made.is_ok(), merged.is_ok());
    Some(merged.map(|()| registers))
}

/// Raises registers to those of a string, and the string's to them.
fn store(registers: &mut Registers, string: &mut Vec<u8>, limit: usize) {
    let hll = Hll::of(string).expect("it was one to read");
    hll.merge_into(registers).expect("it was sound");
    let encoding = hll.encoding();
    let mut hll = HllMut::of(string, limit).expect("it was one to read");
    hll.store(registers, encoding).expect("it was sound");
    assert!(encoding == Encoding::Sparse || hll.encoding() == Encoding::Dense);
}
