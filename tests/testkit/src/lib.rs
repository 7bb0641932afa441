#![doc = include_str!("../README.md")]

pub mod http2;
pub mod postgres;
pub mod scripted;
pub mod websocket;
