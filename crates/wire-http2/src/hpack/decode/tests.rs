//! The examples of RFC 7541, appendix C; and what is written reads back.

use proptest::prelude::*;

use super::super::encode::put_integer;
use super::super::{Secrecy, put_field, put_name, put_value_of};
use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<String, HpackError> {
    let mut text = String::new();
    decoder.decode(block, |name, value| {
        text += &format!("{}={}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    })?;
    Ok(text)
}

#[test]
fn integers_of_c_1() {
    for (bits, number, text) in [(5, 10, "0a"), (5, 1337, "1f9a0a"), (8, 42, "2a")] {
        let mut out = Vec::new();
        put_integer(&mut out, 0, bits, number);
        assert_eq!(out, bytes(text));
        assert_eq!(integer(&mut &out[..], bits), Ok(number));
    }
}

#[test]
fn single_fields_of_c_2() {
    for (block, field) in [
        ("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key=custom-header\n"),
        ("040c 2f73 616d 706c 652f 7061 7468", ":path=/sample/path\n"),
        ("1008 7061 7373 776f 7264 0673 6563 7265 74", "password=secret\n"),
        ("82", ":method=GET\n"),
    ] {
        assert_eq!(decode(&mut Decoder::new(), &bytes(block)).unwrap(), field);
    }
}

#[test]
fn requests_of_c_3_and_c_4() {
    let fields = [
        ":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\n",
        ":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\ncache-control=no-cache\n",
        ":method=GET\n:scheme=https\n:path=/index.html\n:authority=www.example.com\ncustom-key=custom-value\n",
    ];
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        for (block, fields) in blocks.iter().zip(fields) {
            assert_eq!(decode(&mut decoder, &bytes(block)).unwrap(), fields);
        }
    }
}

/// With a table of 256 bytes, which the first block asks for: entries are thrown out.
#[test]
fn responses_of_c_5_and_c_6() {
    let date = "date=Mon, 21 Oct 2013 20:13:21 GMT\n";
    let rest = format!("cache-control=private\n{date}location=https://www.example.com\n");
    let later =
        "date=Mon, 21 Oct 2013 20:13:22 GMT\nlocation=https://www.example.com\ncontent-encoding=gzip\n";
    let cookie = "set-cookie=foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n";
    let fields = [
        format!(":status=302\n{rest}"),
        format!(":status=307\n{rest}"),
        format!(":status=200\ncache-control=private\n{later}{cookie}"),
    ];
    let plain = [
        "3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
         474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
         6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
         2076 6572 7369 6f6e 3d31",
    ];
    let coded = [
        "3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
         63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        for (block, fields) in blocks.iter().zip(&fields) {
            assert_eq!(&decode(&mut decoder, &bytes(block)).unwrap(), fields);
        }
    }
}

#[test]
fn what_is_no_block_is_refused() {
    for bad in [
        "80",                // index 0
        "be",                // an entry that is not there
        "7e 01 61",          // its name
        "ff ff ff ff ff ff", // a number without end
        "00",                // no name
        "00 01 61",          // no value
        "00 05 61",          // a string that is cut off
        "00 81 00 00",       // not Huffman-coded
        "3f e2 1f",          // a table of 4097 bytes
        "82 20",             // a size behind a field
        "20 20 20",          // a third size
    ] {
        assert!(decode(&mut Decoder::new(), &bytes(bad)).is_err(), "{bad}");
    }
    assert_eq!(decode(&mut Decoder::new(), &bytes("20 3fe11f 82")).unwrap(), ":method=GET\n");
}

#[test]
fn what_is_secret_is_never_indexed() {
    let mut out = Vec::new();
    put_field(&mut out, b"authorization", b"", Secrecy::Secret);
    put_field(&mut out, b"x-key", b"v", Secrecy::Secret);
    put_field(&mut out, b":method", b"GET", Secrecy::Open);
    assert_eq!(out, bytes("1f08 00 10 05 782d6b6579 01 76 82"));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        fields in prop::collection::vec(("[a-z:-]{1,40}|date|cookie", prop::collection::vec(any::<u8>(), 0..400)), 0..9),
        secret in any::<bool>(),
    ) {
        let secrecy = if secret { Secrecy::Secret } else { Secrecy::Open };
        let (mut out, mut in_place) = (Vec::new(), Vec::new());
        for (name, value) in &fields {
            put_field(&mut out, name.as_bytes(), value, secrecy);
            put_name(&mut in_place, name.as_bytes(), secrecy);
            put_value_of::<()>(&mut in_place, |out| { out.extend_from_slice(value); Ok(()) }).unwrap();
        }
        for block in [out, in_place] {
            let mut found = Vec::new();
            let mut decoder = Decoder::new();
            decoder.decode(&block, |name, value| found.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec())))
                .unwrap();
            prop_assert_eq!(&found, &fields);
        }
    }

    #[test]
    fn nothing_breaks_it(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..5)) {
        let mut decoder = Decoder::new();
        for block in blocks {
            let _ = decoder.decode(&block, |_, _| {});
        }
    }
}
