//! The `minikeeper` binary.

fn main() {}
