//! The slipway command line.
fn main() {}
