//! Answers as JSON.

use prost_reflect::{DynamicMessage, SerializeOptions};

use crate::frames::{FrameError, next_message};
use crate::schema::Method;

/// Why an answer's messages cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// The frames are broken.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// A call without a stream is answered by exactly one message.
    #[error("a unary call was answered by {0} messages")]
    Count(usize),
    /// A message is not of its type.
    #[error("a message is no `{name}`: {because}")]
    Message {
        /// The type.
        name: String,
        /// What is wrong.
        because: String,
    },
}

/// 64-bit integers are numbers, so that conditions compare them as such; fields that have their default are there, so
/// that a 0 can be told from nothing.
const OPTIONS: SerializeOptions =
    SerializeOptions::new().stringify_64_bit_integers(false).skip_default_fields(false);

impl Method {
    /// Appends the messages of a whole answer as JSON: names in lowerCamelCase, fields without a value at their
    /// defaults, 64-bit integers as numbers, else as the protobuf mapping has it. The answer of a server-streaming call
    /// is a list.
    ///
    /// # Errors
    /// When the frames or a message are broken, or a unary call has other than one message.
    pub fn answer_json(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), Undecodable> {
        let streaming = self.is_server_streaming();
        out.extend_from_slice(if streaming { b"[" } else { b"" });
        let (mut rest, mut count) = (body, 0);
        while let Some((message, behind)) = next_message(rest)? {
            if streaming || count == 0 {
                out.extend_from_slice(if count > 0 { b"," } else { b"" });
                self.message_json(message, out)?;
            }
            count += 1;
            rest = behind;
        }
        out.extend_from_slice(if streaming { b"]" } else { b"" });
        if streaming || count == 1 { Ok(()) } else { Err(Undecodable::Count(count)) }
    }

    fn message_json(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Undecodable> {
        let wrong =
            |because: String| Undecodable::Message { name: self.output.full_name().to_owned(), because };
        let message = DynamicMessage::decode(self.output.clone(), message);
        let message = message.map_err(|error| wrong(error.to_string()))?;
        let mut json = serde_json::Serializer::new(out);
        message.serialize_with_options(&mut json, &OPTIONS).map_err(|error| wrong(error.to_string()))
    }
}
