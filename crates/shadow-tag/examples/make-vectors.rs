//! Prints the test vectors of format v1, the same bytes each time:
//! `cargo run -p peakdrill-shadow-tag --example make-vectors > crates/shadow-tag/vectors/v1.json`.

use std::io::Write as _;

#[path = "make-vectors/build.rs"]
mod build;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(build::vectors().as_bytes())
}
