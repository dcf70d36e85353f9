//! Has the crate built anew when a file is added to what is compiled into it.

fn main() {
    println!("cargo::rerun-if-changed=recorded");
}
