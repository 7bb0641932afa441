#![doc = include_str!("../README.md")]

pub mod grpc;
pub mod http2;
pub mod postgres;
pub mod scripted;
pub mod tls;
pub mod websocket;
