//! Units, casts, hashing, number formats: std and small crates only.
