//! Answers as JSON.

use std::io;

use prost_reflect::{DynamicMessage, SerializeOptions};

use crate::frames::{FrameError, next_message};
use crate::schema::Method;

/// Most JSON that an answer is turned into, in bytes: fields without a value are written too, so a small answer may
/// become a large one.
pub const ANSWER_JSON_MAX_BYTES: usize = 32 << 20;

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
    /// The messages are well-formed, but one has no JSON: an `Any` of a type that the files do not have, a time before
    /// the year 1.
    #[error("a `{name}` cannot be written as JSON: {because}")]
    NoJson {
        /// The type.
        name: String,
        /// Why.
        because: String,
    },
    /// The JSON is over the limit.
    #[error("the messages take more than {} MiB as JSON", ANSWER_JSON_MAX_BYTES >> 20)]
    TooLarge,
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
    /// When the frames or a message are broken, a unary call has other than one message, or the messages have no JSON or
    /// too much of it. What was appended then is of no use.
    pub fn answer_json(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), Undecodable> {
        let streaming = self.is_server_streaming();
        let mut out = Bounded { left: ANSWER_JSON_MAX_BYTES, out };
        out.put(if streaming { b"[" } else { b"" })?;
        let (mut rest, mut count, mut mute) = (body, 0, None);
        while let Some((message, behind)) = next_message(rest)? {
            if streaming || count == 0 {
                out.put(if count > 0 { b"," } else { b"" })?;
                match self.message_json(message, &mut out) {
                    // Those behind it may be broken, which weighs more.
                    Err(error @ Undecodable::NoJson { .. }) => mute = mute.or(Some(error)),
                    written => written?,
                }
            }
            count += 1;
            rest = behind;
        }
        out.put(if streaming { b"]" } else { b"" })?;
        match mute {
            _ if !streaming && count != 1 => Err(Undecodable::Count(count)),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn message_json(&self, message: &[u8], out: &mut Bounded<'_>) -> Result<(), Undecodable> {
        let name = || self.output.full_name().to_owned();
        let message = DynamicMessage::decode(self.output.clone(), message);
        let message =
            message.map_err(|error| Undecodable::Message { name: name(), because: error.to_string() })?;
        let mut json = serde_json::Serializer::new(out);
        message.serialize_with_options(&mut json, &OPTIONS).map_err(|error| match error.is_io() {
            true => Undecodable::TooLarge,
            false => Undecodable::NoJson { name: name(), because: error.to_string() },
        })
    }
}

/// Takes so many bytes and no more.
struct Bounded<'a> {
    left: usize,
    out: &'a mut Vec<u8>,
}

impl Bounded<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Undecodable> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(Undecodable::TooLarge)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
