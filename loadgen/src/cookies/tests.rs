use peakdrill_wire_http1::Fields;
use proptest::prelude::*;

use crate::form::Form;

use super::{COOKIE_MAX_BYTES, COOKIES_MAX, COOKIES_MAX_BYTES, Jar, Origin};

const NOW: i64 = 1_800_000_000;
const SHOP: Origin<'static> = Origin { target: 0, host: "shop.example.com", tls: false };

/// The `cookie` field of a request to a path.
fn sent(jar: &mut Jar, origin: Origin<'_>, path: &str, now: i64) -> String {
    let mut wire = Vec::new();
    jar.note(path.as_bytes());
    jar.put(origin, now, Form::Lines, &mut wire);
    let line = String::from_utf8(wire).unwrap();
    line.strip_prefix("cookie: ").map_or(line.clone(), |rest| rest.trim_end_matches("\r\n").to_owned())
}

/// What is sent to a path after an answer to a request for another path.
fn after(asked: &str, lines: &[&str], path: &str) -> String {
    let mut jar = Jar::default();
    assert_eq!(sent(&mut jar, SHOP, asked, NOW), "");
    let head: String = lines.iter().map(|line| format!("Set-Cookie: {line}\r\n")).collect();
    jar.take(SHOP, Fields::new(head.as_bytes()), NOW).unwrap();
    sent(&mut jar, SHOP, path, NOW)
}

#[test]
fn cookies_go_back() {
    assert_eq!(after("/", &["a=1", "b = x y ; HttpOnly; SameSite=Lax"], "/x?q"), "a=1; b=x y");
    assert_eq!(after("/", &["a=1", "a=2"], "/"), "a=2", "the last one counts");
    assert_eq!(
        after("/", &["a=1; Path=/shop", "b=2", "c=3; path=/shop/cart"], "/shop/cart"),
        "c=3; a=1; b=2"
    );
    assert_eq!(after("/", &["=1", "novalue", "", "c=\u{7f}\u{1}"], "/"), "", "what is no cookie");
    assert_eq!(after("/", &["e="], "/"), "e=");
}

#[test]
fn a_path_is_a_folder() {
    let set = &["a=1; Path=/shop"];
    for (path, goes) in
        [("/shop", true), ("/shop/", true), ("/shop/x", true), ("/shopping", false), ("/", false)]
    {
        assert_eq!(!after("/", set, path).is_empty(), goes, "{path}");
    }
    assert_eq!(after("/api/login?x=/y/", &["a=1"], "/api/orders"), "a=1", "the folder of the request");
    assert_eq!(after("/api/login", &["a=1"], "/"), "");
    assert_eq!(after("/login", &["a=1; Path=x"], "/"), "a=1");
}

#[test]
fn cookies_end() {
    let gone = ["a=1; Max-Age=0", "a=1; max-age=-5", "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"];
    for line in gone {
        assert_eq!(after("/", &["a=0", line], "/"), "", "{line}");
    }
    // What cannot be read is no attribute; Max-Age goes before Expires.
    let stays =
        ["a=1; Max-Age=soon", "a=1; Expires=never", "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9"];
    for line in stays {
        assert_eq!(after("/", &[line], "/"), "a=1", "{line}");
    }
    let mut jar = Jar::default();
    jar.take(SHOP, Fields::new(b"set-cookie: a=1; Max-Age=10\r\n"), NOW).unwrap();
    assert_eq!(sent(&mut jar, SHOP, "/", NOW + 9), "a=1");
    assert_eq!(sent(&mut jar, SHOP, "/", NOW + 10), "");
}

#[test]
fn cookies_stay_with_their_host() {
    for (domain, taken) in [
        ("shop.example.com", true),
        (".Example.com", true),
        ("", true),
        ("com", false),
        ("other.com", false),
        ("op.example.com", false),
        ("a.shop.example.com", false),
    ] {
        assert_eq!(!after("/", &[&format!("a=1; Domain={domain}")], "/").is_empty(), taken, "{domain}");
    }
    let mut jar = Jar::default();
    let address = Origin { host: "127.0.0.1", ..SHOP };
    jar.take(address, Fields::new(b"set-cookie: a=1; Domain=0.0.1\r\nset-cookie: b=1; Secure\r\n"), NOW)
        .unwrap();
    assert_eq!(sent(&mut jar, address, "/", NOW), "");
    assert_eq!(sent(&mut jar, Origin { tls: true, ..address }, "/", NOW), "b=1");
    assert_eq!(sent(&mut jar, Origin { tls: true, target: 1, ..address }, "/", NOW), "", "another target");
}

#[test]
fn a_jar_has_limits() {
    let mut jar = Jar::default();
    let mut set =
        |line: String| jar.take(SHOP, Fields::new(format!("set-cookie: {line}\r\n").as_bytes()), NOW);
    assert!(set(format!("a={}", "x".repeat(COOKIE_MAX_BYTES))).is_err());
    (0..COOKIES_MAX).for_each(|k| set(format!("k{k}=1")).unwrap());
    assert!(set("more=1".into()).is_err());
    set("k0=2".into()).unwrap();
    set("k0=; Max-Age=0".into()).unwrap();
    set("more=1".into()).unwrap();
    let long = "x".repeat(COOKIE_MAX_BYTES - 10);
    let taken = (1..COOKIES_MAX).take_while(|k| set(format!("k{k}={long}")).is_ok()).count();
    assert_eq!(taken, COOKIES_MAX_BYTES / COOKIE_MAX_BYTES - 1, "all of them together are bounded");
}

#[test]
fn expired_cookies_do_not_count() {
    let mut jar = Jar::default();
    let mut set = |line: String, now_unix_s| {
        jar.take(SHOP, Fields::new(format!("set-cookie: {line}\r\n").as_bytes()), now_unix_s)
    };
    (0..COOKIES_MAX).for_each(|k| set(format!("k{k}=1; Max-Age={}", 5 + k % 2), NOW).unwrap());
    assert!(set("more=1".into(), NOW + 4).is_err());
    set("more=1".into(), NOW + 5).unwrap();
    let long = "x".repeat(COOKIE_MAX_BYTES - 10);
    let many = |at| (0..9).take_while(|k| set(format!("l{k}={long}; Max-Age=1"), at).is_ok()).count();
    assert_eq!(
        [NOW + 6, NOW + 7].map(many),
        [COOKIES_MAX_BYTES / COOKIE_MAX_BYTES; 2],
        "bytes do not count either"
    );
    assert_eq!(sent(&mut jar, SHOP, "/", NOW + 8), "more=1");
}

proptest! {
    #[test]
    fn nothing_is_smuggled(line in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut jar = Jar::default();
        let head = [b"set-cookie: a", line.as_slice(), b"\r\n"].concat();
        jar.take(SHOP, Fields::new(&head), NOW).unwrap();
        let mut rest = Vec::new();
        jar.note(b"/");
        jar.put(SHOP, NOW, Form::Lines, &mut rest);
        prop_assert!(rest.is_empty() || rest.iter().filter(|c| **c == b'\n').count() == 1 && rest.ends_with(b"\r\n"));
    }
}
