//! Tests of the sources themselves: layers, cycles, sizes and language.

#![expect(
    clippy::indexing_slicing,
    reason = "a test that reads a source by line numbers may panic"
)]

mod cycles;
mod language;
mod layers;
mod map;
mod sizes;
mod source;
