//! RESP2, RESP3 and inline commands: parsing and writing.
