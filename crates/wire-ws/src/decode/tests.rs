use super::*;

/// What was told, as text.
#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    fn message(&mut self, kind: Kind, payload: &[u8]) {
        self.0.push(format!("{kind:?} {}", String::from_utf8_lossy(payload)));
    }
    fn ping(&mut self, payload: &[u8]) {
        self.0.push(format!("ping {}", String::from_utf8_lossy(payload)));
    }
    fn close(&mut self, close: Close<'_>) {
        self.0.push(format!("close {:?} {}", close.code, close.reason));
    }
}

fn of(bytes: &[u8]) -> Result<Vec<String>, Error> {
    let (mut decoder, mut told) = (Decoder::new(300), Told::default());
    decoder.feed(bytes, &mut told).map(|()| told.0)
}

#[test]
fn frames_become_messages_with_control_frames_in_between() {
    let bytes = [
        &b"\x81\x02hi"[..],
        b"\x01\x02ab",
        b"\x89\x01p",
        b"\x80\x01c",
        b"\x82\x00",
        b"\x8a\x00",
        b"\x88\x05\x03\xe8bye",
        b"\x81\x02no",
    ]
    .concat();
    let wanted = ["Text hi", "ping p", "Text abc", "Binary ", "close Some(1000) bye"];
    assert_eq!(of(&bytes).unwrap(), wanted);
    let (mut decoder, mut told) = (Decoder::new(300), Told::default());
    bytes.iter().for_each(|byte| decoder.feed(&[*byte], &mut told).unwrap());
    assert_eq!(told.0, wanted, "also in single bytes");
    assert_eq!(of(b"\x88\x00").unwrap(), ["close None "]);
}

#[test]
fn what_breaks_the_protocol_is_an_error() {
    let cases: [(&[u8], &str); 11] = [
        (b"\xc1\x00", "extension"),
        (b"\x81\x81\0\0\0\0x", "masked"),
        (b"\x83\x00", "opcode"),
        (b"\x09\x00", "in parts"),
        (b"\x89\x7e\x00\x7e", "too long"),
        (b"\x80\x00", "continues no message"),
        (b"\x01\x01a\x81\x01b", "within another"),
        (b"\x81\x7e\x00\x05", "not written"),
        (b"\x88\x01\x03", "half a code"),
        (b"\x88\x02\x03\xed", "no frame may carry"),
        (b"\x81\x01\xff", "not UTF-8"),
    ];
    for (bytes, why) in cases {
        let error = of(bytes).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_message_has_a_limit_however_it_is_cut() {
    let one = [&b"\x82\x7e\x01\x2d"[..], &[b'x'; 301]].concat();
    assert_eq!(of(&one), Err(Error::TooLarge(300)));
    let two = [&b"\x02\x7e\x00\xc8"[..], &[b'x'; 200], b"\x80\x65"].concat();
    assert_eq!(of(&two), Err(Error::TooLarge(300)));
    assert_eq!(
        of(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
        Err(Error::TooLarge(300)),
        "before it is there"
    );
    let fits = [&b"\x02\x7e\x00\xc8"[..], &[b'x'; 200], b"\x80\x64", &[b'x'; 100]].concat();
    assert_eq!(of(&fits).unwrap()[0].len(), "Binary ".len() + 300);
}

#[test]
fn a_connection_that_waits_holds_no_large_buffer() {
    let (mut decoder, mut told) = (Decoder::new(1 << 20), Told::default());
    let mut bytes = b"\x82\x7f\0\0\0\0\0\x01\x00\x00".to_vec();
    bytes.extend_from_slice(&[b'x'; 65_536]);
    bytes.chunks(1000).for_each(|part| decoder.feed(part, &mut told).unwrap());
    assert_eq!(told.0.len(), 1);
    assert!(decoder.message.capacity() <= KEPT_BYTES);
}
