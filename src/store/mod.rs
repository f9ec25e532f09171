//! Databases, entries and expiry; time and randomness are passed in.
