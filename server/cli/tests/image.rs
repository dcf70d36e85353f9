//! Builds the image and runs it.

fn main() {}
