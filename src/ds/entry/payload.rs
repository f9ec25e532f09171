//! Values that live outside their entry, as one word and a kind.

use super::Entry;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// Something owned that fits in one word: a box, or a structure that is one pointer.
///
/// # Safety
/// `from_word` and `borrow` must be valid for every word that `into_word` gave.
pub unsafe trait Thin: Send + Sized {
    /// What a borrow of the value gives.
    type Target;
    /// Gives the value up as a word.
    fn into_word(self) -> u64;
    /// Takes the value back.
    ///
    /// # Safety
    /// `word` came from `into_word` of the same type and is used once.
    unsafe fn from_word(word: u64) -> Self;
    /// Borrows the value where it is.
    ///
    /// # Safety
    /// `word` came from `into_word` of the same type and is still owned by the caller.
    unsafe fn borrow(word: &u64) -> &Self::Target;
}

// SAFETY: a box is one non-null pointer; the word is its address with provenance exposed.
unsafe impl<T: Send> Thin for Box<T> {
    type Target = T;
    fn into_word(self) -> u64 {
        crate::base::num::u64_of(Box::into_raw(self).expose_provenance())
    }
    unsafe fn from_word(word: u64) -> Self {
        let pointer = std::ptr::with_exposed_provenance_mut(crate::base::num::usize_of(word));
        // SAFETY: the caller passes what `into_word` gave, once.
        unsafe { Box::from_raw(pointer) }
    }
    unsafe fn borrow(word: &u64) -> &T {
        let pointer = std::ptr::with_exposed_provenance(crate::base::num::usize_of(*word));
        // SAFETY: the caller owns the box behind the word for as long as it lends the word.
        unsafe { &*pointer }
    }
}

/// The set of values that may live outside an entry, or those of them that are of one type.
///
/// # Safety
/// `from_word` and `borrow` must be valid for every pair that `into_word` gave. Use
/// [`thin_payload`], which writes the implementation.
pub unsafe trait Payload: Send + Sized + 'static {
    /// A shared borrow of the value.
    type Ref<'a>;
    /// Gives the value up as its kind (at least `PAYLOAD_KIND_MIN`) and a word.
    fn into_word(self) -> (u8, u64);
    /// Takes the value back.
    ///
    /// # Safety
    /// The pair came from `into_word` and is used once.
    unsafe fn from_word(kind: u8, word: u64) -> Self;
    /// Borrows the value where it is.
    ///
    /// # Safety
    /// The pair came from `into_word` and is still owned by the caller.
    unsafe fn borrow(kind: u8, word: &u64) -> Self::Ref<'_>;
}

/// Declares an enum of values that live outside their entry, its borrowed form, and the packing.
///
/// A row is `Variant(Type) = kind`, the type being [`Thin`]; kinds start at `PAYLOAD_KIND_MIN`. After
/// a semicolon may follow rows of types with several encodings, each declared by this macro as well:
/// `Variant(Type) = kinds`, a pattern that covers the kinds in that declaration. A kind stands for one
/// row only, throughout.
macro_rules! thin_payload {
    ($(#[$doc:meta])* $owned:ident, $shared:ident {
        $($(#[$row_doc:meta])* $variant:ident($ty:ty) = $kind:literal),+ $(,)?
        $(; $($(#[$type_doc:meta])* $type_variant:ident($type:ty) = $kinds:pat),* $(,)?)?
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $owned {
            $($(#[$row_doc])* $variant($ty),)+
            $($($(#[$type_doc])* $type_variant($type),)*)?
        }

        #[doc = concat!("A shared borrow of [`", stringify!($owned), "`].")]
        #[derive(Debug, Clone, Copy)]
        pub enum $shared<'a> {
            $($(#[$row_doc])* $variant(&'a <$ty as $crate::ds::entry::Thin>::Target),)+
            $($($(#[$type_doc])* $type_variant(<$type as $crate::ds::entry::Payload>::Ref<'a>),)*)?
        }

        $(const _: () = assert!($kind >= $crate::ds::entry::PAYLOAD_KIND_MIN);)+

        // SAFETY: each kind stands for one row in all three functions; `Thin`, and `Payload` of the
        // rows with several encodings, uphold the rest.
        unsafe impl $crate::ds::entry::Payload for $owned {
            type Ref<'a> = $shared<'a>;
            fn into_word(self) -> (u8, u64) {
                match self {
                    $(Self::$variant(value) => ($kind, $crate::ds::entry::Thin::into_word(value)),)+
                    $($(Self::$type_variant(value) => {
                        $crate::ds::entry::Payload::into_word(value)
                    })*)?
                }
            }
            unsafe fn from_word(kind: u8, word: u64) -> Self {
                match kind {
                    // SAFETY: the caller passes a pair from `into_word`.
                    $($kind => Self::$variant(unsafe { $crate::ds::entry::Thin::from_word(word) }),)+
                    // SAFETY: as above.
                    $($($kinds => Self::$type_variant(unsafe {
                        $crate::ds::entry::Payload::from_word(kind, word)
                    }),)*)?
                    _ => unreachable!("a kind that no value has"),
                }
            }
            unsafe fn borrow(kind: u8, word: &u64) -> $shared<'_> {
                match kind {
                    $($kind => $shared::$variant(
                        // SAFETY: the caller passes a pair from `into_word`, still owned.
                        unsafe { <$ty as $crate::ds::entry::Thin>::borrow(word) },
                    ),)+
                    $($($kinds => $shared::$type_variant(
                        // SAFETY: as above.
                        unsafe { <$type as $crate::ds::entry::Payload>::borrow(kind, word) },
                    ),)*)?
                    _ => unreachable!("a kind that no value has"),
                }
            }
        }
    };
}
pub(crate) use thin_payload;

/// A value that lives outside its entry, to be changed in place; it may also become another one. Until
/// this is dropped the entry holds the integer 0.
#[derive(Debug)]
pub struct PayloadMut<'a, P: Payload> {
    entry: &'a mut Entry<P>,
    payload: ManuallyDrop<P>,
}

impl<'a, P: Payload> PayloadMut<'a, P> {
    #[inline]
    pub(super) fn new(entry: &'a mut Entry<P>) -> Option<Self> {
        let payload = ManuallyDrop::new(entry.take_payload()?);
        Some(Self { entry, payload })
    }
}

impl<P: Payload> Deref for PayloadMut<'_, P> {
    type Target = P;
    #[inline]
    fn deref(&self) -> &P {
        &self.payload
    }
}

impl<P: Payload> DerefMut for PayloadMut<'_, P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut P {
        &mut self.payload
    }
}

impl<P: Payload> Drop for PayloadMut<'_, P> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once, here; nothing can use the payload after `drop`.
        let payload = unsafe { ManuallyDrop::take(&mut self.payload) };
        self.entry.put_payload(payload);
    }
}
