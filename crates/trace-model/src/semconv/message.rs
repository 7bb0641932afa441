//! Which message is processed, so that a second time is known.

use super::key::Key;
use super::{Attributes, Value};
use crate::Messaging;

/// Start and factor of FNV-1a over 64 bits: the same in every process.
const START: u64 = 0xcbf2_9ce4_8422_2325;
/// See [`START`].
const FACTOR: u64 = 0x0100_0000_01b3;

/// A number for the message and the group that it is delivered to: each group gets every message once. 0 where nothing
/// tells messages apart. The id names a message by itself, an offset together with its partition; both within their
/// queue.
pub(super) fn message(attributes: &Attributes<'_>, messaging: Option<Messaging>) -> u64 {
    if messaging != Some(Messaging::Process) {
        return 0;
    }
    let id = attributes.get(&[Key::MessagingMessageId, Key::MessagingMessageIdOld]);
    let partition =
        [Key::MessagingPartition, Key::MessagingKafkaPartitionOld, Key::MessagingKafkaPartitionOlder];
    let partition = attributes.get(&partition);
    let offset = || {
        // Every partition has the same offsets.
        attributes
            .get(&[Key::MessagingKafkaOffset, Key::MessagingKafkaOffsetOld])
            .filter(|_| partition.is_some())
    };
    let Some(name) = id.filter(|id| *id != Value::Text("")).or_else(offset) else { return 0 };
    let group = [
        Key::MessagingGroup,
        Key::MessagingKafkaGroupOld,
        Key::MessagingKafkaGroupOlder,
        Key::MessagingEventhubsGroupOld,
        Key::MessagingSubscription,
    ];
    let parts = [Some(name), partition, attributes.get(&group)];
    parts.into_iter().fold(START, fed).max(1)
}

/// Adds a part. A number is the same as its text: partitions and offsets come as both.
fn fed(hash: u64, part: Option<Value<'_>>) -> u64 {
    let byte = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FACTOR);
    let number = part.and_then(Value::number);
    let hash = match (number, part.and_then(Value::text)) {
        (Some(number), _) => number.to_le_bytes().into_iter().fold(byte(hash, 1), byte),
        (None, Some(text)) => text.bytes().fold(byte(hash, 2), byte),
        (None, None) => byte(hash, 3),
    };
    // No text has this byte: parts do not run into each other.
    byte(hash, 0xff)
}
