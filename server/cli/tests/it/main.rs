//! Drives the binary `minikeeper` as a user does: by its arguments, its environment, its output and signals.

mod binary;
mod client;
mod faults;
