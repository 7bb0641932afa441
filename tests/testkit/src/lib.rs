#![doc = include_str!("../README.md")]

pub mod grpc;
pub mod postgres;
pub mod scripted;
