//! The body of a request: every byte of it is charged before the next is read, packed and unpacked.

use std::fmt::Display;
use std::io::{self, Read};
use std::pin::{Pin, pin};

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Duration, Instant};

use super::admission::{Ingest, Refused};
use super::budget::Charge;
use crate::limits::{DECODED_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::otlp::Malformed;

/// Charged for a request before anything of its body has come: its head, its task, its answer.
const REQUEST_BYTES: usize = 8 << 10;
/// A body is held as it came, and decoded: a span in memory is about as large as on the wire.
const HELD: usize = 2;
/// By so much a body is taken to grow when it is unpacked. It is asked for beforehand, and the request waits for it. What a
/// body grows beyond that is taken where there is room; else the request waits again, for twice as much as it came to.
const GROWS_BY: usize = 4;
/// A piece is a part of what was read at once. Of a small one that would keep the rest in memory.
const COPIED_BELOW: usize = 16 << 10;
/// Bytes that are unpacked at once, at most.
const UNPACKED_AT_ONCE: usize = 256 << 10;
/// A body that has been on its way for longer gives way when others wait for room.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(1);
/// A zstd frame may ask for a window of 2 to this power, and no more: it is not charged, and each decoder may hold one.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// By the name of an encoding. `None`: not packed.
    pub(super) fn of(encoding: &str) -> Result<Option<Self>, UnknownEncoding> {
        match encoding {
            "" | "identity" => Ok(None),
            "gzip" => Ok(Some(Self::Gzip)),
            "zstd" => Ok(Some(Self::Zstd)),
            other => Err(UnknownEncoding(other.to_owned())),
        }
    }
}

/// An encoding that is not known.
#[derive(Debug, thiserror::Error)]
#[error("the content encoding `{0}` is not known: gzip, zstd or none")]
pub(super) struct UnknownEncoding(String);

/// A body that has come whole, and what is charged for it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(crate) charge: Charge,
}

/// Takes a body in, and charges for it as it grows. A large body in one piece is not copied.
pub(super) async fn receive<B>(body: B, bytes_max: usize, ingest: &Ingest) -> Result<Received, Refused>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    let mut charge = ingest.budget.nothing();
    if !charge.grow_soon(REQUEST_BYTES).await {
        return Err(Refused::Overloaded);
    }
    let mut body = pin!(body);
    let begun = Instant::now();
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(piece) = next_piece(body.as_mut(), begun, ingest).await? {
        let length = first.len().max(all.len()) + piece.len();
        if length > bytes_max {
            return Err(Refused::TooLarge(REQUEST_BYTES_MAX));
        }
        if !charge.grow_soon(HELD * piece.len()).await {
            return Err(Refused::Overloaded);
        }
        if length == piece.len() {
            first = if length < COPIED_BELOW { Bytes::copy_from_slice(&piece) } else { piece };
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&piece);
    }
    let bytes = if all.is_empty() { first } else { all.into() };
    Ok(Received { bytes, charge })
}

/// The next piece of a body, which has to be whole in time.
async fn next_piece<B>(
    mut body: Pin<&mut B>,
    begun: Instant,
    ingest: &Ingest,
) -> Result<Option<Bytes>, Refused>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    loop {
        tokio::select! {
            biased;
            frame = body.frame() => match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(Malformed::new(format!("the body broke off: {error}")).into()),
                // What is no data are trailers, which say nothing here.
                Some(Ok(frame)) => if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                },
            },
            () = ingest.budget.wanted() => if begun.elapsed() > GIVES_WAY_AFTER {
                return Err(Refused::Overloaded);
            },
            () = tokio::time::sleep_until(begun + ingest.body_time_max) => {
                return Err(Refused::Slow(ingest.body_time_max));
            }
        }
    }
}

/// What a body will most likely be, unpacked.
pub(super) fn likely_unpacked(received: &Received) -> usize {
    GROWS_BY * received.bytes.len()
}

/// Charges for a body that is so large, unpacked.
pub(super) async fn charge_unpacked(received: &mut Received, unpacked: usize) -> bool {
    received.charge.grow_soon(HELD * unpacked.min(DECODED_BYTES_MAX)).await
}

/// How far a body could be unpacked.
pub(super) enum Unpacked {
    Whole(Received),
    /// It is packed as it was, and [`charge_unpacked`] for so many bytes comes first. At each time that is more than twice
    /// what it was, up to the most that a body may be.
    NoRoom(Received, usize),
}

/// Unpacks a body after [`charge_unpacked`]. It takes as long as the body is large: 32 MiB are some 30 ms of zstd and
/// 100 ms of gzip, so this is for a decoder's thread.
pub(super) fn unpack(received: Received, packing: Packing) -> Result<Unpacked, Refused> {
    let Received { bytes: packed, mut charge } = received;
    let length = packed.len();
    let grown = match packing {
        Packing::Gzip => grow(flate2::read::MultiGzDecoder::new(&packed[..]), length, &mut charge)?,
        Packing::Zstd => grow(zstd_decoder(&packed).map_err(bad_body)?, length, &mut charge)?,
    };
    Ok(match grown {
        Grown::Whole(unpacked) => {
            charge.shrink_to(REQUEST_BYTES + HELD * unpacked.len());
            Unpacked::Whole(Received { bytes: unpacked.into(), charge })
        }
        // Nothing of it is held while it waits, neither what was unpacked nor a decoder's window.
        Grown::NoRoom(wanted) => {
            charge.shrink_to(REQUEST_BYTES + HELD * length);
            Unpacked::NoRoom(Received { bytes: packed, charge }, 2 * wanted)
        }
    })
}

enum Grown {
    Whole(Vec<u8>),
    /// There was none for so many bytes, unpacked.
    NoRoom(usize),
}

/// `length`: of the packed body.
fn grow(mut packed: impl Read, length: usize, charge: &mut Charge) -> Result<Grown, Refused> {
    let held = REQUEST_BYTES + HELD * length;
    // What was waited for is there: a small body needs no more, however little room there is.
    let mut at_once = (GROWS_BY * length).clamp(1, UNPACKED_AT_ONCE);
    let mut bytes = Vec::new();
    loop {
        let unpacked = (bytes.len() + at_once).min(DECODED_BYTES_MAX);
        if !charge.grow((held + HELD * unpacked).saturating_sub(charge.bytes())) {
            return Ok(Grown::NoRoom(unpacked));
        }
        let more = packed.by_ref().take(at_once as u64).read_to_end(&mut bytes).map_err(bad_body)?;
        if bytes.len() > DECODED_BYTES_MAX {
            return Err(Refused::TooLarge(DECODED_BYTES_MAX));
        }
        if more < at_once {
            return Ok(Grown::Whole(bytes));
        }
        at_once = (2 * at_once).min(UNPACKED_AT_ONCE);
    }
}

fn zstd_decoder(bytes: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

fn bad_body(error: io::Error) -> Refused {
    Malformed::new(format!("the body cannot be decompressed: {error}")).into()
}
