//! Frames that carry no answer: settings, windows, resets, and the connection's end.

use super::{Connection, How};
use crate::error::{Code, Error};
use crate::frame::{Header, flag, kind, number};
use crate::settings::WINDOW_MAX;
use crate::sink::Sink;

use super::sending::OUT_MAX_BYTES;

/// Frames that move nothing on, one after the other, before the connection is given up: PING, SETTINGS, PRIORITY, empty
/// DATA, unknown ones, and those for streams that are over.
pub const IDLE_FRAMES_MAX: u32 = 10_000;

impl<S: Sink> Connection<S> {
    /// A frame moved nothing on.
    pub(super) fn idle_frame(&mut self) -> Result<(), Error> {
        self.idle_frames += 1;
        if self.idle_frames > IDLE_FRAMES_MAX || self.out.len() > 2 * OUT_MAX_BYTES {
            return Err(Error::flood("too many frames that move nothing on"));
        }
        Ok(())
    }

    pub(super) fn settings(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        if header.stream != 0 {
            return Err(Error::protocol("SETTINGS of a stream"));
        }
        self.idle_frame()?;
        if header.has(flag::ACK) {
            return if payload.is_empty() {
                Ok(())
            } else {
                Err(Error::size("an acknowledgement with settings"))
            };
        }
        let before = self.peer;
        self.peer.take(payload)?;
        self.greeted = true;
        // A table that becomes smaller has to be said to be (RFC 7541, 4.2); ours is always empty.
        self.forget |= self.peer.table < before.table;
        let change = self.peer.window - before.window;
        for stream in self.streams.iter_mut() {
            stream.send_window += change;
            if stream.send_window > WINDOW_MAX {
                return Err(Error::flow("a window that is too large"));
            }
        }
        Header { length: 0, kind: kind::SETTINGS, flags: flag::ACK, stream: 0 }.put(&mut self.out);
        self.send_on();
        Ok(())
    }

    pub(super) fn window_update(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        let increment = self.one_number(header, payload)? & 0x7fff_ffff;
        if increment == 0 {
            return Err(Error::protocol("a window that grows by nothing"));
        }
        let window = if header.stream == 0 {
            &mut self.send_window
        } else if let Some(stream) = self.streams.get_mut(header.stream) {
            &mut stream.send_window
        } else {
            return self.of_a_closed_stream(header);
        };
        *window += i64::from(increment);
        if *window > WINDOW_MAX {
            return Err(Error::flow("a window that is too large"));
        }
        if self.unsent.is_empty() {
            return self.idle_frame();
        }
        self.send_on();
        Ok(())
    }

    pub(super) fn reset_by_peer(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        let code = Code(self.one_number(header, payload)?);
        if header.stream == 0 {
            return Err(Error::protocol("a reset of no stream"));
        }
        let Some(stream) = self.streams.remove(header.stream) else {
            return self.of_a_closed_stream(header);
        };
        self.idle_frames = 0;
        let reset = Error::Reset(code);
        let refused = code == Code::REFUSED_STREAM;
        let how = if refused { stream.unprocessed_or(reset) } else { How::Failed(reset) };
        self.ended.push_back(stream.into_ended(how));
        Ok(())
    }

    pub(super) fn ping(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        if header.stream != 0 {
            return Err(Error::protocol("a PING of a stream"));
        }
        if payload.len() != 8 {
            return Err(Error::size("a PING of a length that is none"));
        }
        self.idle_frame()?;
        if !header.has(flag::ACK) {
            Header { length: 8, kind: kind::PING, flags: flag::ACK, stream: 0 }.put(&mut self.out);
            self.out.extend_from_slice(payload);
        }
        Ok(())
    }

    /// The peer takes no more streams: those behind the last that it names were not looked at.
    pub(super) fn go_away(&mut self, header: Header, payload: &[u8]) -> Result<(), Error> {
        if header.stream != 0 {
            return Err(Error::protocol("a GOAWAY of a stream"));
        }
        let (last, code) = payload.split_at_checked(4).unwrap_or_default();
        let (Some(last), Some(code)) = (number(last), number(code)) else {
            return Err(Error::size("a GOAWAY that is too short"));
        };
        self.idle_frame()?;
        self.gone_away = Some(Code(code));
        self.unprocessed_from((last & 0x7fff_ffff).saturating_add(1), Error::GoneAway(Code(code)));
        Ok(())
    }

    /// The payload of a frame that consists of one number.
    fn one_number(&self, header: Header, payload: &[u8]) -> Result<u32, Error> {
        let found = number(payload).filter(|_| header.length == 4);
        found.ok_or(Error::size("a frame of a length that is none"))
    }

    /// A frame of a stream that is over: it was under way when it ended, or there never was one.
    pub(super) fn of_a_closed_stream(&mut self, header: Header) -> Result<(), Error> {
        if !self.is_ours(header.stream) {
            return Err(Error::protocol("a frame of a stream that nobody began"));
        }
        self.idle_frame()
    }
}
