//! Values that live outside their entry, as one word and a kind.

/// Something owned that fits in one word: a box, or a structure that is one pointer.
///
/// # Safety
/// `from_word` and the two borrows must be valid for every word that `into_word` gave.
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
    /// Borrows the value where it is, to change it.
    ///
    /// # Safety
    /// As [`Thin::borrow`], exclusively.
    unsafe fn borrow_mut(word: &mut u64) -> &mut Self::Target;
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
    unsafe fn borrow_mut(word: &mut u64) -> &mut T {
        let pointer = std::ptr::with_exposed_provenance_mut(crate::base::num::usize_of(*word));
        // SAFETY: as in `borrow`, and the word is lent exclusively.
        unsafe { &mut *pointer }
    }
}

/// The set of values that may live outside an entry.
///
/// # Safety
/// `from_word` and the borrows must be valid for every pair that `into_word` gave. Use
/// [`thin_payload`], which writes the implementation.
pub unsafe trait Payload: Send + Sized + 'static {
    /// A shared borrow of the value.
    type Ref<'a>;
    /// An exclusive borrow of the value.
    type Mut<'a>;
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
    /// Borrows the value where it is, to change it.
    ///
    /// # Safety
    /// As [`Payload::borrow`], exclusively.
    unsafe fn borrow_mut(kind: u8, word: &mut u64) -> Self::Mut<'_>;
}

/// Declares an enum of values that live outside their entry, its two borrowed forms, and the packing.
/// Each row is `Variant(Type) = kind`, the type being [`Thin`]; kinds start at `PAYLOAD_KIND_MIN`.
macro_rules! thin_payload {
    ($(#[$doc:meta])* $owned:ident, $shared:ident, $exclusive:ident {
        $($(#[$row_doc:meta])* $variant:ident($ty:ty) = $kind:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $owned { $($(#[$row_doc])* $variant($ty)),+ }

        #[doc = concat!("A shared borrow of [`", stringify!($owned), "`].")]
        #[derive(Debug, Clone, Copy)]
        pub enum $shared<'a> {
            $($(#[$row_doc])* $variant(&'a <$ty as $crate::ds::entry::Thin>::Target)),+
        }

        #[doc = concat!("An exclusive borrow of [`", stringify!($owned), "`].")]
        #[derive(Debug)]
        pub enum $exclusive<'a> {
            $($(#[$row_doc])* $variant(&'a mut <$ty as $crate::ds::entry::Thin>::Target)),+
        }

        $(const _: () = assert!($kind >= $crate::ds::entry::PAYLOAD_KIND_MIN);)+

        // SAFETY: each kind stands for one type in all four functions; `Thin` upholds the rest.
        unsafe impl $crate::ds::entry::Payload for $owned {
            type Ref<'a> = $shared<'a>;
            type Mut<'a> = $exclusive<'a>;
            fn into_word(self) -> (u8, u64) {
                match self {
                    $(Self::$variant(value) => ($kind, $crate::ds::entry::Thin::into_word(value))),+
                }
            }
            unsafe fn from_word(kind: u8, word: u64) -> Self {
                match kind {
                    // SAFETY: the caller passes a pair from `into_word`.
                    $($kind => Self::$variant(unsafe { $crate::ds::entry::Thin::from_word(word) }),)+
                    _ => unreachable!("a kind that no value has"),
                }
            }
            unsafe fn borrow(kind: u8, word: &u64) -> $shared<'_> {
                match kind {
                    $($kind => $shared::$variant(
                        // SAFETY: the caller passes a pair from `into_word`, still owned.
                        unsafe { <$ty as $crate::ds::entry::Thin>::borrow(word) },
                    ),)+
                    _ => unreachable!("a kind that no value has"),
                }
            }
            unsafe fn borrow_mut(kind: u8, word: &mut u64) -> $exclusive<'_> {
                match kind {
                    $($kind => $exclusive::$variant(
                        // SAFETY: the caller passes a pair from `into_word`, exclusively owned.
                        unsafe { <$ty as $crate::ds::entry::Thin>::borrow_mut(word) },
                    ),)+
                    _ => unreachable!("a kind that no value has"),
                }
            }
        }
    };
}
pub(crate) use thin_payload;
