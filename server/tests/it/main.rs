//! Tests through the public door.

mod address;
mod alone;
mod architecture;
mod chaos;
mod client;
mod control;
mod data_dir;
mod data_dir_races;
mod deadlines;
mod ensemble;
mod faults;
mod four_letter;
mod golden;
mod handle;
mod holds;
mod hostile;
mod journal;
mod long_answers;
mod partition;
mod promises;
mod races;
mod restart;
mod serve;
mod state;
mod time;
mod views;
