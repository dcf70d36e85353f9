//! Tests through the public door.

mod alone;
mod architecture;
mod client;
mod control;
mod four_letter;
mod golden;
mod handle;
mod hostile;
mod restart;
mod state;
mod time;
