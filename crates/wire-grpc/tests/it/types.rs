//! The types that the tests use, and ways to write messages of them.

use std::sync::OnceLock;

use peakdrill_wire_grpc::{Method, Part, Problem, Schema, Unrendered};
use prost_reflect::{DescriptorPool, DynamicMessage};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value as Json;

struct Files;

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = match name {
            "all.proto" => peakdrill_testkit::grpc::ALL_PROTO,
            "old.proto" => include_str!("old.proto"),
            _ => return Err(protox::Error::file_not_found(name)),
        };
        File::from_source(name, source)
    }
}

pub(crate) fn descriptor_set() -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Files);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(["all.proto", "old.proto"]).unwrap();
    compiler.encode_file_descriptor_set()
}

pub(crate) fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(descriptor_set().as_slice()).unwrap())
}

pub(crate) fn method(name: &str) -> Method {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::decode(&descriptor_set()).unwrap()).method(name).unwrap()
}

/// The parts of a text in which holes are written `<0>`, `<1>`, …
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    for (at, piece) in text.split(['<', '>']).enumerate() {
        out.push(if at % 2 == 0 { Part::Literal(piece) } else { Part::Hole });
    }
    out
}

pub(crate) fn fill(values: &[&str]) -> impl FnMut(usize, &mut Vec<u8>) -> Result<(), usize> {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    move |hole, out| {
        out.extend_from_slice(values.get(hole).ok_or(hole)?.as_bytes());
        Ok(())
    }
}

/// What a template of a method's request gives, as the library reads it.
pub(crate) fn written(method_name: &str, text: &str, values: &[&str]) -> Result<Json, String> {
    let method = method(method_name);
    let template = method.request(&parts(text)).map_err(|problems| shown(&problems))?;
    let mut bytes = Vec::new();
    template.render(&mut fill(values), &mut bytes).map_err(|error| match error {
        Unrendered::Unfilled(hole) => format!("no value for {hole}"),
        Unrendered::Unfit { field, expected } => format!("{field} is not {expected}"),
    })?;
    let name = if method_name.starts_with("old") { "old.v1.Old" } else { "all.v1.All" };
    let message = pool().get_message_by_name(name).unwrap();
    let message = DynamicMessage::decode(message, bytes.as_slice()).unwrap();
    Ok(serde_json::to_value(&message).unwrap())
}

pub(crate) fn shown(problems: &[Problem]) -> String {
    let one = |problem: &Problem| {
        let key = if problem.at_key { " key" } else { "" };
        format!("{:?}{key}: {}", problem.path, problem.message)
    };
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}
