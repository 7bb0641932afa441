//! What must hold for every input.

use peakdrill_wire_http1::{Error, Fields, Limits, Method, Progress, ResponseDecoder, Sink};

/// Small enough that inputs reach them.
const LIMITS: Limits = Limits { head_bytes: 1024, body_bytes: 2048 };

/// All that a decoder told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    heads: Vec<(u16, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sink for Told {
    fn head(&mut self, status: u16, fields: Fields<'_>) {
        assert!((200..1000).contains(&status) || status == 101, "{status}");
        self.heads.push((status, fields.as_bytes().to_vec()));
    }

    fn body(&mut self, part: &[u8]) {
        self.body.extend_from_slice(part);
    }
}

/// How a response ended: its length and whether its connection can be used again, or what was wrong.
type End = Result<(usize, bool), Error>;

fn decode(method: Method, input: &[u8], cuts: impl Iterator<Item = usize>) -> (Told, End) {
    let (mut decoder, mut told) = (ResponseDecoder::new(LIMITS), Told::default());
    decoder.begin(method);
    let mut at = 0;
    for cut in cuts {
        let next = (at + cut.max(1)).min(input.len());
        match decoder.feed(&input[at..next], &mut told) {
            Err(error) => return (told, Err(error)),
            Ok(Progress::Done { used, reusable }) => {
                assert!(used <= next - at);
                return (told, Ok((at + used, reusable)));
            }
            Ok(Progress::Switched { used }) => {
                assert!(used <= next - at && method == Method::Upgrade);
                return (told, Ok((at + used, false)));
            }
            Ok(Progress::More) => at = next,
        }
        if at == input.len() {
            break;
        }
    }
    assert_eq!(at, input.len());
    let end = decoder.finish().map(|()| (at, false));
    (told, end)
}

/// The result does not depend on where the bytes were cut. The first byte of the input says how.
pub(crate) fn response(data: &[u8]) {
    let Some((mode, input)) = data.split_first() else {
        return;
    };
    let method = match mode {
        0x80.. => Method::Upgrade,
        mode if mode & 1 == 0 => Method::Other,
        _ => Method::Head,
    };
    let size = usize::from(mode >> 1 & 0x3f) + 1;
    let (whole, whole_end) = decode(method, input, std::iter::once(input.len()));
    assert!(whole.heads.len() <= 1);
    if let Ok((used, _)) = whole_end {
        assert_eq!(whole.heads.len(), 1);
        assert!(used <= input.len() && whole.body.len() as u64 <= LIMITS.body_bytes);
    }
    let (parts, parts_end) = decode(method, input, std::iter::repeat(size));
    assert_eq!(parts_end.is_ok(), whole_end.is_ok(), "{parts_end:?} {whole_end:?}");
    if whole_end.is_ok() {
        assert_eq!((parts, parts_end), (whole, whole_end));
    }
}
