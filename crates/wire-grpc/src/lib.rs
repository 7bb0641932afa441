#![doc = include_str!("../README.md")]

mod answer;
mod frames;
mod message;
mod reflection;
mod schema;
mod status;

pub use answer::{ANSWER_JSON_MAX_BYTES, Undecodable};
pub use frames::{FRAME_HEAD_BYTES, FrameError, Frames, MESSAGE_MAX_BYTES, put_frame};
pub use message::{DEPTH_MAX, Part, Problem, Template, Unrendered};
pub use reflection::{
    Collector, REFLECTED_FILES_MAX, REFLECTED_MAX_BYTES, ReflectionError, Wanted, reflection_body,
};
pub use schema::{Method, MethodError, Schema, SchemaError};
pub use status::{message_text, of_http_status};
