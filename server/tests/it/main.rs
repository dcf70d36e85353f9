//! Tests through the public door.

mod architecture;
mod golden;
