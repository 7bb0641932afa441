//! stub
#[derive(Debug, Clone, Copy)]
/// Options
pub struct Options;
/// table
pub fn table(_: &Options) -> String { String::new() }
