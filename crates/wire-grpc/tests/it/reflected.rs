//! A server that tells its types, played by the descriptors themselves.

use std::collections::BTreeSet;

use peakdrill_wire_grpc::{Collector, ReflectionError, Schema, Wanted, put_frame, reflection_body};
use prost_reflect::prost::encoding;

use crate::types::pool;

/// The framed answer: field 4 of the response, with the file in its field 1.
fn answer(files: &[Vec<u8>]) -> Vec<u8> {
    let mut inside = Vec::new();
    files.iter().for_each(|file| encoding::bytes::encode(1, file, &mut inside));
    let mut message = Vec::new();
    encoding::string::encode(1, &"host".to_owned(), &mut message);
    encoding::bytes::encode(4, &inside, &mut message);
    let mut body = Vec::new();
    put_frame(&message, &mut body);
    body
}

fn served(wanted: &Wanted) -> Vec<u8> {
    let file = match wanted {
        Wanted::Service(name) => pool().get_service_by_name(name).unwrap().parent_file(),
        Wanted::File(name) => pool().get_file_by_name(name).unwrap(),
    };
    answer(&[file.encode_to_vec()])
}

fn collect(services: &[&str]) -> (Schema, Vec<Vec<Wanted>>) {
    let services: BTreeSet<String> = services.iter().map(|name| (*name).to_owned()).collect();
    let (mut collector, mut asked) = (Collector::new(services), Vec::new());
    loop {
        let wanted = collector.wanted();
        if wanted.is_empty() {
            break;
        }
        let body: Vec<u8> = wanted.iter().flat_map(served).collect();
        collector.take(&wanted, &body).unwrap();
        asked.push(wanted);
    }
    (collector.finish().unwrap(), asked)
}

#[test]
fn files_are_asked_for_until_all_imports_are_there() {
    let (schema, asked) = collect(&["all.v1.Echo", "old.v1.Legacy"]);
    assert!(schema.method("all.v1.Echo/Unary").is_ok() && schema.method("old.v1.Legacy/Call").is_ok());
    let services = ["all.v1.Echo", "old.v1.Legacy"].map(|name| Wanted::Service(name.into()));
    assert_eq!((asked.len(), &asked[0]), (2, &services.to_vec()));
    assert_eq!(asked[1].len(), 7, "{asked:?}");
    assert!(asked[1].contains(&Wanted::File("google/protobuf/wrappers.proto".into())));
}

#[test]
fn a_request_is_what_servers_read() {
    let wanted = [Wanted::Service("a.B".into()), Wanted::File("f.proto".into())];
    assert_eq!(reflection_body(&wanted), b"\0\0\0\0\x05\x22\x03a.B\0\0\0\0\x09\x1a\x07f.proto");
}

#[test]
fn a_server_that_does_not_tell_is_an_error() {
    let wanted = [Wanted::File("x.proto".into())];
    let mut collector = Collector::default();
    assert_eq!(collector.take(&wanted, b""), Err(ReflectionError::Missing("x.proto".into())));
    assert_eq!(collector.take(&wanted, &answer(&[])), Err(ReflectionError::Missing("x.proto".into())));
    let other = served(&Wanted::File("old.proto".into()));
    assert_eq!(collector.take(&wanted, &other), Err(ReflectionError::Missing("x.proto".into())));
    let mut body = Vec::new();
    put_frame(b"\x3a\x09\x08\x05\x12\x05no, s", &mut body);
    assert_eq!(collector.take(&wanted, &body), Err(ReflectionError::Refused("no, s".into())));
    let mut body = Vec::new();
    put_frame(b"\x3a\xff", &mut body);
    assert!(matches!(collector.take(&wanted, &body), Err(ReflectionError::Malformed(_))));
    let mut alone = Collector::default();
    alone.take(&[Wanted::File("all.proto".into())], &served(&Wanted::File("all.proto".into()))).unwrap();
    assert!(matches!(alone.finish(), Err(ReflectionError::Unusable(_))));
}
