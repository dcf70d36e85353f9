//! Tests through the public door.

mod address;
mod alone;
mod architecture;
mod client;
mod control;
mod faults;
mod four_letter;
mod golden;
mod handle;
mod hostile;
mod restart;
mod serve;
mod time;
