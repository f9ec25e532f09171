//! Configuration: one row for each directive.
