//! Tests through the public door.

mod golden;
