//! Which message is processed, so that a second time is known.

use super::key::Key;
use super::{Attributes, Value};
use crate::{Messaging, stable_hash};

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
    stable_hash(parts.into_iter().flat_map(bytes)).max(1)
}

/// The bytes of a part. A number is the same as its text: partitions and offsets come as both.
fn bytes(part: Option<Value<'_>>) -> impl Iterator<Item = u8> + '_ {
    let number = part.and_then(Value::number);
    let text = part.and_then(Value::text).filter(|_| number.is_none());
    let what = match (number, text) {
        (Some(_), _) => 1,
        (None, Some(_)) => 2,
        (None, None) => 3,
    };
    let number = number.into_iter().flat_map(i64::to_le_bytes);
    // No text has the last byte: parts do not run into each other.
    std::iter::once(what).chain(number).chain(text.unwrap_or_default().bytes()).chain([0xff])
}
