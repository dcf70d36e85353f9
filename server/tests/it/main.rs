//! Tests through the public door.

mod address;
mod alone;
mod architecture;
mod client;
mod control;
mod ensemble;
mod four_letter;
mod golden;
mod handle;
mod hostile;
mod journal;
mod restart;
mod serve;
mod state;
mod time;
