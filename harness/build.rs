//! Rebuilds the crate when a recording is added, since the recordings are compiled into it.

fn main() {
    println!("cargo::rerun-if-changed=recorded");
}
