//! The value types, over encodings.
