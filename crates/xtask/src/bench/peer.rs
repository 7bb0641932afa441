//! The server whose truth is known, on a core of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use super::measure::{SERVER_CORE, pinned};

pub struct Peer {
    process: Child,
    out: BufReader<ChildStdout>,
    address: String,
}

impl Peer {
    pub fn start(bin: &Path, mode: &[&str]) -> Result<Self, String> {
        let failed = |what: &str| format!("the peer: {what}");
        let mut command = pinned(SERVER_CORE, &bin.join("examples/peer"));
        command.args(mode).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| failed(&error.to_string()))?;
        let out = process.stdout.take().ok_or_else(|| failed("no output"))?;
        let (mut out, mut address) = (BufReader::new(out), String::new());
        out.read_line(&mut address).map_err(|error| failed(&error.to_string()))?;
        Ok(Self { process, out, address: address.trim().to_owned() })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends it; what it has seen.
    pub fn told(mut self) -> Result<Value, String> {
        drop(self.process.stdin.take());
        let mut text = String::new();
        self.out.read_to_string(&mut text).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|_| format!("the peer told something else: {text}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
