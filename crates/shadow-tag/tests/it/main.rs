//! Integration tests: the vectors, the properties, the corpus of the fuzz target.

#[path = "../../examples/make-vectors/build.rs"]
mod build;
#[cfg(test)]
#[path = "../../fuzz/check.rs"]
mod check;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;
