//! Rebuilds the crate when a file is added to those compiled into it.

fn main() {
    println!("cargo::rerun-if-changed=recorded");
}
