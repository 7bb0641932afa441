//! What must hold for every input.

use std::sync::OnceLock;

use peakdrill_wire_grpc::{Collector, Frames, Method, Schema, Wanted};

fn method(name: &str) -> Method {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let set = peakdrill_testkit::grpc::descriptor_set().unwrap_or_else(|error| unreachable!("{error}"));
        Schema::decode(&set).unwrap_or_else(|error| unreachable!("{error}"))
    });
    schema.method(name).unwrap_or_else(|error| unreachable!("{error}"))
}

/// The body of an answer: followed and decoded, it is the same however it is cut; what is decoded is JSON.
pub(crate) fn answer(data: &[u8]) {
    let (cut, body) = data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest));
    let (mut whole, mut parts) = (Frames::default(), Frames::default());
    whole.feed(body);
    body.chunks(cut + 1).for_each(|part| parts.feed(part));
    assert_eq!((whole.finish(), whole.messages()), (parts.finish(), parts.messages()));

    let mut json = Vec::new();
    match method("all.v1.Echo/Many").answer_json(body, &mut json) {
        Ok(()) => {
            let list: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap_or_else(|error| {
                unreachable!("{error}: {}", String::from_utf8_lossy(&json));
            });
            assert_eq!(whole.finish(), Ok(list.len() as u64));
        }
        // A message may be broken in frames that are whole.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = Collector::default().take(&[Wanted::File("all.proto".to_owned())], body);
}
