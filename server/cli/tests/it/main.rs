//! Drives the binary `minikeeper` as a user would.
