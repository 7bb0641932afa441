//! Message types and methods, from descriptors.

use std::fmt;

use prost_reflect::prost_types::method_options::IdempotencyLevel;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

use crate::message::{self, Part, Problem, Template};

/// Names that an error lists, at most.
const LISTED_MAX: usize = 20;

/// The message types and services of some `.proto` files.
#[derive(Clone)]
pub struct Schema(DescriptorPool);

/// Descriptors cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the descriptors cannot be used: {0}")]
pub struct SchemaError(pub(crate) String);

/// Why a method cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// The name has another form.
    #[error("`{0}` is no method: write `package.Service/Method`")]
    Form(String),
    /// There is no such service.
    #[error("there is no service `{name}`")]
    NoService {
        /// Its name.
        name: String,
        /// Services that there are.
        known: Vec<String>,
    },
    /// The service has no such method.
    #[error("the service `{service}` has no method `{name}`")]
    NoMethod {
        /// The service.
        service: String,
        /// The method.
        name: String,
        /// Methods that there are.
        known: Vec<String>,
    },
    /// The client sends several messages.
    #[error(
        "`{0}` takes a stream of messages from the client: only unary and server-streaming calls are built"
    )]
    ClientStreaming(String),
}

/// A method that can be called.
#[derive(Clone)]
pub struct Method {
    path: String,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
    server_streaming: bool,
    safe: bool,
}

impl Schema {
    /// Reads an encoded `google.protobuf.FileDescriptorSet` that is complete: with everything it imports.
    ///
    /// # Errors
    /// When it is none, or something in it is missing.
    pub fn decode(set: &[u8]) -> Result<Self, SchemaError> {
        DescriptorPool::decode(set).map(Self).map_err(|error| SchemaError(format!("{error:?}")))
    }

    pub(crate) fn of(pool: DescriptorPool) -> Self {
        Self(pool)
    }

    /// Looks up `package.Service/Method`; a leading `/` may be there.
    ///
    /// # Errors
    /// When it is not there, or streams from the client.
    pub fn method(&self, name: &str) -> Result<Method, MethodError> {
        let split = name.strip_prefix('/').unwrap_or(name).split_once('/');
        let named = split.filter(|(service, method)| !service.is_empty() && !method.is_empty());
        let (service_name, method_name) = named.ok_or_else(|| MethodError::Form(name.to_owned()))?;
        let service = self.0.get_service_by_name(service_name).ok_or_else(|| MethodError::NoService {
            name: service_name.to_owned(),
            known: listed(self.0.services().map(|service| service.full_name().to_owned())),
        })?;
        let method = service.methods().find(|method| method.name() == method_name);
        let method = method.ok_or_else(|| MethodError::NoMethod {
            service: service_name.to_owned(),
            name: method_name.to_owned(),
            known: listed(service.methods().map(|method| method.name().to_owned())),
        })?;
        if method.is_client_streaming() {
            return Err(MethodError::ClientStreaming(format!("{service_name}/{method_name}")));
        }
        Ok(Method {
            path: format!("/{service_name}/{method_name}"),
            input: method.input(),
            output: method.output(),
            server_streaming: method.is_server_streaming(),
            safe: is_safe(&method),
        })
    }
}

/// A method says by an option that it changes nothing.
fn is_safe(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects)
}

fn listed(names: impl Iterator<Item = String>) -> Vec<String> {
    names.take(LISTED_MAX).collect()
}

// The library prints types with the types of their fields, without an end for one that holds itself.
impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.0.files().len()).finish()
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.path).finish()
    }
}

impl Method {
    /// The path of its requests: `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether an answer is a stream of messages.
    #[must_use]
    pub fn is_server_streaming(&self) -> bool {
        self.server_streaming
    }

    /// Whether its file promises that it changes nothing (`idempotency_level = NO_SIDE_EFFECTS`).
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.safe
    }

    /// Compiles a request's message from the text of its JSON (the protobuf mapping: field names as in the file or in
    /// lowerCamelCase). Holes may stand inside of strings; their values become what the field's type asks for.
    ///
    /// # Errors
    /// All that does not fit the message type, each with its place.
    pub fn request(&self, json: &[Part<'_>]) -> Result<Template, Vec<Problem>> {
        message::compile(&self.input, json)
    }
}
