//! Asking a server for its descriptors: `grpc.reflection.v1`, and `v1alpha`, which has the same messages.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message as _;
use prost_reflect::prost::encoding::{self, DecodeContext, WireType};
use prost_reflect::prost_types::FileDescriptorProto;

use crate::frames::{FrameError, next_message, put_frame};
use crate::schema::Schema;

/// Most files that a server is asked for.
pub const REFLECTED_FILES_MAX: usize = 1_000;
/// Most that their descriptors may take together, in bytes.
pub const REFLECTED_MAX_BYTES: usize = 32 << 20;

/// Fields of `ServerReflectionRequest`.
const FILE_BY_FILENAME: u32 = 3;
const FILE_CONTAINING_SYMBOL: u32 = 4;
/// Fields of `ServerReflectionResponse`, and of what stands in them.
const FILE_DESCRIPTOR_RESPONSE: u32 = 4;
const ERROR_RESPONSE: u32 = 7;
const FILE_DESCRIPTOR_PROTO: u32 = 1;
const ERROR_MESSAGE: u32 = 2;

/// What a server is asked for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The file in which a service is.
    Service(String),
    /// A file by its name.
    File(String),
}

/// Why a server's answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReflectionError {
    /// The frames are broken.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// The answer is no `ServerReflectionResponse`.
    #[error("the answer is no reflection response: {0}")]
    Malformed(String),
    /// The server says that it cannot tell.
    #[error("the server says: {0}")]
    Refused(String),
    /// The answer holds no descriptor, or not the one that was asked for.
    #[error("the server did not send the descriptor of `{0}`")]
    Missing(String),
    /// There are too many files, or they are too large.
    #[error("the server has more than {REFLECTED_FILES_MAX} files, or {} MiB of descriptors", REFLECTED_MAX_BYTES >> 20)]
    TooMuch,
    /// The descriptors do not fit together.
    #[error("the descriptors cannot be used: {0}")]
    Unusable(String),
}

impl Wanted {
    fn name(&self) -> &str {
        match self {
            Self::Service(name) | Self::File(name) => name,
        }
    }

    /// A framed `ServerReflectionRequest`.
    fn put(&self, body: &mut Vec<u8>) {
        let field = match self {
            Self::Service(_) => FILE_CONTAINING_SYMBOL,
            Self::File(_) => FILE_BY_FILENAME,
        };
        let mut message = Vec::new();
        encoding::string::encode(field, &self.name().to_owned(), &mut message);
        put_frame(&message, body);
    }
}

/// The body of a call that asks for all of some things: the server answers each by a message, in their order.
#[must_use]
pub fn reflection_body(wanted: &[Wanted]) -> Vec<u8> {
    let mut body = Vec::new();
    wanted.iter().for_each(|wanted| wanted.put(&mut body));
    body
}

/// Descriptors of a server while they come together.
#[derive(Debug, Default)]
pub struct Collector {
    services: BTreeSet<String>,
    files: BTreeMap<String, FileDescriptorProto>,
    bytes: usize,
}

impl Collector {
    /// Begins with services whose methods are called.
    #[must_use]
    pub fn new(services: BTreeSet<String>) -> Self {
        Self { services, ..Self::default() }
    }

    /// What to ask for next, all at once; nothing when everything is there.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        if !self.services.is_empty() {
            return self.services.iter().cloned().map(Wanted::Service).collect();
        }
        let imported: BTreeSet<&String> = self.files.values().flat_map(|file| &file.dependency).collect();
        let missing = imported.into_iter().filter(|name| !self.files.contains_key(*name));
        missing.cloned().map(Wanted::File).collect()
    }

    /// Takes the body of the answer to what was asked for.
    ///
    /// # Errors
    /// When it does not bring all of that.
    pub fn take(&mut self, wanted: &[Wanted], mut body: &[u8]) -> Result<(), ReflectionError> {
        for one in wanted {
            let missing = || ReflectionError::Missing(one.name().to_owned());
            let (message, rest) = next_message(body)?.ok_or_else(missing)?;
            self.take_one(one, message)?;
            body = rest;
        }
        Ok(())
    }

    fn take_one(&mut self, wanted: &Wanted, message: &[u8]) -> Result<(), ReflectionError> {
        let missing = || ReflectionError::Missing(wanted.name().to_owned());
        let files = files_of(message)?;
        if files.is_empty() {
            return Err(missing());
        }
        for bytes in files {
            self.bytes += bytes.len();
            if self.files.len() >= REFLECTED_FILES_MAX || self.bytes > REFLECTED_MAX_BYTES {
                return Err(ReflectionError::TooMuch);
            }
            let file = FileDescriptorProto::decode(bytes.as_slice())
                .map_err(|error| ReflectionError::Malformed(error.to_string()))?;
            self.files.insert(file.name().to_owned(), file);
        }
        match wanted {
            Wanted::Service(name) => _ = self.services.remove(name),
            Wanted::File(name) if self.files.contains_key(name) => {}
            Wanted::File(_) => return Err(missing()),
        }
        Ok(())
    }

    /// The schema of all that came.
    ///
    /// # Errors
    /// When the files do not fit together.
    pub fn finish(self) -> Result<Schema, ReflectionError> {
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_protos(self.files.into_values())
            .map_err(|error| ReflectionError::Unusable(format!("{error:?}")))?;
        Ok(Schema::of(pool))
    }
}

/// The descriptors in a `ServerReflectionResponse`.
fn files_of(message: &[u8]) -> Result<Vec<Vec<u8>>, ReflectionError> {
    let (mut files, mut error) = (Vec::new(), None);
    for (field, inside) in fields(message)? {
        match field {
            FILE_DESCRIPTOR_RESPONSE => {
                let inside = fields(&inside)?.into_iter();
                files.extend(
                    inside.filter(|(field, _)| *field == FILE_DESCRIPTOR_PROTO).map(|(_, file)| file),
                );
            }
            ERROR_RESPONSE => {
                let text = fields(&inside)?.into_iter().find(|(field, _)| *field == ERROR_MESSAGE);
                error = Some(text.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()));
            }
            _ => {}
        }
    }
    match error {
        Some(text) => Err(ReflectionError::Refused(text.unwrap_or_else(|| "an error without a text".into()))),
        None => Ok(files),
    }
}

/// The length-delimited fields of a message; all others are passed over.
fn fields(mut message: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, ReflectionError> {
    let wrong = |error: prost_reflect::prost::DecodeError| ReflectionError::Malformed(error.to_string());
    let mut out = Vec::new();
    while !message.is_empty() {
        let (field, wire_type) = encoding::decode_key(&mut message).map_err(wrong)?;
        if wire_type == WireType::LengthDelimited {
            let mut bytes = Vec::new();
            encoding::bytes::merge(wire_type, &mut bytes, &mut message, DecodeContext::default())
                .map_err(wrong)?;
            out.push((field, bytes));
        } else {
            encoding::skip_field(wire_type, field, &mut message, DecodeContext::default()).map_err(wrong)?;
        }
    }
    Ok(out)
}
