//! Length-prefixed messages: a flag, four bytes of length, the message.

/// Bytes before each message.
pub const FRAME_HEAD_BYTES: usize = 5;
/// Largest message that is taken, in bytes: what gRPC libraries take by default.
pub const MESSAGE_MAX_BYTES: usize = 4 << 20;

/// What is wrong with the frames of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message is compressed, which was not agreed on.
    #[error("a message is compressed, though nothing but identity was offered")]
    Compressed,
    /// The first byte is neither 0 nor 1.
    #[error("a message begins with the flag {0}, which is none")]
    Flag(u8),
    /// A message is over the limit.
    #[error("a message of {0} bytes is over the limit of {MESSAGE_MAX_BYTES}")]
    TooLarge(u32),
    /// The answer ended within a message.
    #[error("the answer ended within a message")]
    Short,
}

/// Follows the frames of an answer while it is read, however it is cut, and keeps nothing of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frames {
    head: [u8; FRAME_HEAD_BYTES],
    /// Bytes of `head` that are there.
    have: usize,
    /// Bytes of the message under way that are to come.
    left: usize,
    messages: u64,
    error: Option<FrameError>,
}

impl Frames {
    /// Takes the next bytes. After an error nothing more is looked at.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while self.error.is_none() && !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            let (Some(slot), Some((first, rest))) = (self.head.get_mut(self.have), bytes.split_first())
            else {
                return;
            };
            *slot = *first;
            bytes = rest;
            self.have += 1;
            if self.have == FRAME_HEAD_BYTES {
                self.have = 0;
                match length(self.head) {
                    Ok(length) => {
                        self.left = length;
                        self.messages += 1;
                    }
                    Err(error) => self.error = Some(error),
                }
            }
        }
    }

    /// Messages that have begun.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// What an answer that ends here is: so many messages.
    ///
    /// # Errors
    /// When a frame was wrong, or the answer ends within one.
    pub fn finish(&self) -> Result<u64, FrameError> {
        match self.error {
            Some(error) => Err(error),
            None if self.have > 0 || self.left > 0 => Err(FrameError::Short),
            None => Ok(self.messages),
        }
    }
}

fn length([flag, a, b, c, d]: [u8; FRAME_HEAD_BYTES]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes([a, b, c, d]);
    match flag {
        0 if length as usize <= MESSAGE_MAX_BYTES => Ok(length as usize),
        0 => Err(FrameError::TooLarge(length)),
        1 => Err(FrameError::Compressed),
        other => Err(FrameError::Flag(other)),
    }
}

/// A message, and what stands behind it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The next message of a whole answer; `None` at the end.
pub(crate) fn next_message(body: &[u8]) -> Result<Option<Split<'_>>, FrameError> {
    if body.is_empty() {
        return Ok(None);
    }
    let (head, rest) = body.split_first_chunk::<FRAME_HEAD_BYTES>().ok_or(FrameError::Short)?;
    rest.split_at_checked(length(*head)?).map(Some).ok_or(FrameError::Short)
}

/// Appends a message as a frame of its own.
pub fn put_frame(message: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Result<u64, FrameError> {
        let mut frames = Frames::default();
        parts.iter().for_each(|part| frames.feed(part));
        frames.finish()
    }

    #[test]
    fn cuts_do_not_matter() {
        let mut whole = Vec::new();
        for message in [&b"abc"[..], b"", b"defgh"] {
            put_frame(message, &mut whole);
        }
        for first in 0..whole.len() {
            for second in first..whole.len() {
                let parts = [&whole[..first], &whole[first..second], &whole[second..]];
                assert_eq!(read(&parts), Ok(3), "{first} {second}");
            }
        }
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(read(&bytes), Ok(3));
    }

    #[test]
    fn an_answer_that_ends_early_is_short_wherever_it_ends() {
        let mut whole = Vec::new();
        put_frame(b"abc", &mut whole);
        for end in 1..whole.len() {
            assert_eq!(read(&[&whole[..end]]), Err(FrameError::Short), "{end}");
            assert_eq!(next_message(&whole[..end]), Err(FrameError::Short), "{end}");
        }
        assert_eq!(next_message(&whole), Ok(Some((&b"abc"[..], &b""[..]))));
    }

    #[test]
    fn what_is_no_plain_message_is_refused_by_its_first_bytes() {
        assert_eq!(read(&[&[1, 0, 0, 0, 1, 7]]), Err(FrameError::Compressed));
        assert_eq!(read(&[&[9, 0, 0, 0, 1, 7]]), Err(FrameError::Flag(9)));
        assert_eq!(read(&[&[0, 0, 0x40, 0, 1]]), Err(FrameError::TooLarge((4 << 20) + 1)));
        assert_eq!(read(&[]), Ok(0));
    }
}
