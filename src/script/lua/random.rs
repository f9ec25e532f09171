//! `math.random`: the numbers that Redis gives, from the start of the interpreter on.

use super::{Shared, ffi, lua_State, raise};
use crate::base::num;
use std::ffi::c_int;

/// The generator that POSIX calls `lrand48`: 48 bits, the upper 31 of which are given.
#[derive(Debug)]
pub(super) struct Lrand48(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
const GIVEN_MAX: u64 = (1 << 31) - 1;

impl Lrand48 {
    /// Where it begins.
    pub(super) const NEW: Self = Self(0x1234_ABCD_330E);

    /// Begins anew.
    pub(super) const fn seeded(seed: u32) -> Self {
        let [a, b, c, d] = seed.to_le_bytes();
        Self(u64::from_le_bytes([0x0E, 0x33, a, b, c, d, 0, 0]))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        self.0 >> 17
    }

    /// From 0 on and below 1.
    fn unit(&mut self) -> f64 {
        num::f64_of_u64(self.next() % GIVEN_MAX) / num::f64_of_u64(GIVEN_MAX)
    }
}

/// `math.random([low,] high)`
pub(super) unsafe extern "C-unwind" fn random(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let unit = Shared::of(state).random.unit();
        let (low, high) = match ffi::lua_gettop(state) {
            0 => {
                ffi::lua_pushnumber(state, unit);
                return 1;
            }
            1 => {
                let high = int_at(state, 1);
                if high < 1.0 {
                    return ffi::luaL_argerror(state, 1, c"interval is empty".as_ptr());
                }
                (1.0, high)
            }
            2 => {
                let (low, high) = (int_at(state, 1), int_at(state, 2));
                if low > high {
                    return ffi::luaL_argerror(state, 2, c"interval is empty".as_ptr());
                }
                (low, high)
            }
            _ => raise(state, b"wrong number of arguments"),
        };
        ffi::lua_pushnumber(state, (unit * (high - low + 1.0)).floor() + low);
    }
    1
}

/// An argument that must be a number, as one of 32 bits.
///
/// # Safety
/// In a function; no frame owns anything.
unsafe fn int_at(state: *mut lua_State, index: c_int) -> f64 {
    // SAFETY: the caller's.
    let n = unsafe { ffi::luaL_checkinteger(state, index) };
    f64::from(i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX }))
}

/// `math.randomseed(seed)`
pub(super) unsafe extern "C-unwind" fn seed(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let [a, b, c, d, ..] = ffi::luaL_checkinteger(state, 1).to_le_bytes();
        Shared::of(state).random = Lrand48::seeded(u32::from_le_bytes([a, b, c, d]));
    }
    0
}
