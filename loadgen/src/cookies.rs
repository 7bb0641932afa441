//! Cookies of one journey (RFC 6265): what answers set goes back to the same target, and nowhere else.

mod date;

use std::convert::Infallible;

use peakdrill_wire_http1::{Fields, is_field_value};

use crate::form::Form;

/// Cookies of one journey, at most (RFC 6265, 6.1, asks for 50 a domain).
pub const COOKIES_MAX: usize = 50;
/// Name, value and path of one cookie together, at most, in bytes.
pub const COOKIE_MAX_BYTES: usize = 4096;
/// All cookies of one journey, at most, in bytes.
pub const COOKIES_MAX_BYTES: usize = 16 * 1024;

/// The cookies of a journey, those with longer paths first (RFC 6265, 5.4).
#[derive(Debug, Default)]
pub(crate) struct Jar {
    cookies: Vec<Cookie>,
    bytes: usize,
    /// The path of the request under way.
    requested: Vec<u8>,
}

#[derive(Debug)]
struct Cookie {
    target: u16,
    /// Goes over TLS only.
    secure: bool,
    expires_unix_s: i64,
    path: u16,
    name: u16,
    /// Path, name, `=` and value.
    text: Box<[u8]>,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) target: u16,
    pub(crate) host: &'a str,
    pub(crate) tls: bool,
}

/// More cookies than a journey may have, or a longer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooMuch(pub(crate) String);

impl Cookie {
    fn path(&self) -> &[u8] {
        self.text.get(..usize::from(self.path)).unwrap_or_default()
    }

    fn name(&self) -> &[u8] {
        let start = usize::from(self.path);
        self.text.get(start..start + usize::from(self.name)).unwrap_or_default()
    }

    fn pair(&self) -> &[u8] {
        self.text.get(usize::from(self.path)..).unwrap_or_default()
    }
}

impl Jar {
    /// Forgets all cookies.
    pub(crate) fn clear(&mut self) {
        self.cookies.clear();
        self.bytes = 0;
    }

    /// Notes what is asked for: the target of the request, from which the query is cut. Cookies of the answer that have
    /// no path belong to its folder.
    pub(crate) fn note(&mut self, target: &[u8]) {
        self.requested.clear();
        self.requested.extend_from_slice(target.split(|c| *c == b'?').next().unwrap_or_default());
    }

    /// Appends the `cookie` field for the request that was noted, if there is anything to send.
    pub(crate) fn put(&self, origin: Origin<'_>, now_unix_s: i64, form: Form, wire: &mut Vec<u8>) {
        let fits = |cookie: &&Cookie| {
            cookie.target == origin.target
                && (origin.tls || !cookie.secure)
                && cookie.expires_unix_s > now_unix_s
                && path_matches(&self.requested, cookie.path())
        };
        let mut cookies = self.cookies.iter().filter(fits).peekable();
        if cookies.peek().is_none() {
            return;
        }
        form.put_name(wire, "cookie", true);
        let Ok(()) = form.put_value::<Infallible>(wire, |wire| {
            for (at, cookie) in cookies.enumerate() {
                wire.extend_from_slice(if at == 0 { b"" } else { b"; " });
                wire.extend_from_slice(cookie.pair());
            }
            Ok(())
        });
    }

    /// Takes what an answer sets. What is not for this host is left out, as a browser would (RFC 6265, 5.3).
    pub(crate) fn take(
        &mut self,
        origin: Origin<'_>,
        fields: Fields<'_>,
        now_unix_s: i64,
    ) -> Result<(), TooMuch> {
        if fields.get("set-cookie").is_none() {
            return Ok(());
        }
        for line in fields.get_all("set-cookie") {
            self.set(origin, line, now_unix_s)?;
        }
        Ok(())
    }

    fn set(&mut self, origin: Origin<'_>, line: &[u8], now_unix_s: i64) -> Result<(), TooMuch> {
        let mut parts = line.split(|c| *c == b';');
        let Some((name, value)) = pair(parts.next().unwrap_or_default()) else { return Ok(()) };
        if name.is_empty() || !is_field_value(name) || !is_field_value(value) {
            return Ok(());
        }
        let (mut path, mut secure) = (None, false);
        let (mut max_age, mut expires) = (None, None);
        for part in parts {
            let (key, value) = pair(part).unwrap_or((part.trim_ascii(), b""));
            match key.to_ascii_lowercase().as_slice() {
                b"path" => path = value.starts_with(b"/").then_some(value),
                b"secure" => secure = true,
                b"domain" if !domain_matches(origin.host, value) => return Ok(()),
                b"max-age" => max_age = seconds(value).or(max_age),
                b"expires" => expires = date::unix_s(value).or(expires),
                _ => {}
            }
        }
        let expires_unix_s = match (max_age, expires) {
            (Some(age), _) if age <= 0 => i64::MIN,
            (Some(age), _) => now_unix_s.saturating_add(age),
            (None, at) => at.unwrap_or(i64::MAX),
        };
        let path = path.unwrap_or_else(|| folder(&self.requested)).to_vec();
        self.store(origin.target, secure, expires_unix_s, &path, name, value, now_unix_s)
    }

    /// Expired cookies do not count: they will never be sent again.
    fn forget_expired(&mut self, now_unix_s: i64) {
        self.cookies.retain(|cookie| cookie.expires_unix_s > now_unix_s);
        self.bytes = self.cookies.iter().map(|cookie| cookie.text.len()).sum();
    }

    #[expect(clippy::too_many_arguments, reason = "the attributes of a cookie")]
    fn store(
        &mut self,
        target: u16,
        secure: bool,
        expires_unix_s: i64,
        path: &[u8],
        name: &[u8],
        value: &[u8],
        now_unix_s: i64,
    ) -> Result<(), TooMuch> {
        self.forget_expired(now_unix_s);
        let same =
            |cookie: &Cookie| cookie.target == target && cookie.name() == name && cookie.path() == path;
        let known = self.cookies.iter().position(same);
        if expires_unix_s <= now_unix_s {
            if let Some(at) = known {
                self.bytes -= self.cookies.remove(at).text.len();
            }
            return Ok(());
        }
        let text = [path, name, b"=", value].concat();
        if text.len() > COOKIE_MAX_BYTES {
            let name = String::from_utf8_lossy(name);
            return Err(TooMuch(format!("the cookie `{name}` is longer than {COOKIE_MAX_BYTES} bytes")));
        }
        let before = known.and_then(|at| self.cookies.get(at)).map_or(0, |cookie| cookie.text.len());
        let bytes = self.bytes - before + text.len();
        if known.is_none() && self.cookies.len() >= COOKIES_MAX || bytes > COOKIES_MAX_BYTES {
            let limits = format!("{COOKIES_MAX} cookies or {COOKIES_MAX_BYTES} bytes of them");
            return Err(TooMuch(format!("a journey keeps at most {limits}")));
        }
        self.bytes = bytes;
        let (path, name) = (path.len() as u16, name.len() as u16);
        let cookie = Cookie { target, secure, expires_unix_s, path, name, text: text.into_boxed_slice() };
        match known.and_then(|at| self.cookies.get_mut(at)) {
            Some(place) => *place = cookie,
            None => {
                let at = self.cookies.partition_point(|other| other.path >= path);
                self.cookies.insert(at, cookie);
            }
        }
        Ok(())
    }
}

/// The default path of a cookie (RFC 6265, 5.1.4).
fn folder(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|c| *c == b'/') {
        Some(at) if at > 0 => path.get(..at).unwrap_or(b"/"),
        _ => b"/",
    }
}

/// RFC 6265, 5.1.4.
fn path_matches(requested: &[u8], path: &[u8]) -> bool {
    match requested.strip_prefix(path) {
        Some(rest) => rest.is_empty() || path.ends_with(b"/") || rest.starts_with(b"/"),
        None => false,
    }
}

/// RFC 6265, 5.1.3 and 5.2.3. No attribute value means the host itself; an address matches only itself.
fn domain_matches(host: &str, domain: &[u8]) -> bool {
    let domain = domain.strip_prefix(b".").unwrap_or(domain);
    if domain.is_empty() || domain.eq_ignore_ascii_case(host.as_bytes()) {
        return true;
    }
    let address = host.parse::<std::net::IpAddr>().is_ok();
    let at = host.len().checked_sub(domain.len() + 1).filter(|_| !address);
    // A suffix without a dot in it, such as `com`, is no domain of one's own.
    domain.contains(&b'.')
        && at.and_then(|at| host.as_bytes().get(at..)).is_some_and(|end| {
            end.split_first().is_some_and(|(dot, end)| *dot == b'.' && end.eq_ignore_ascii_case(domain))
        })
}

fn pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = part.iter().position(|c| *c == b'=')?;
    let (name, value) = part.split_at_checked(at)?;
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// A whole number of seconds (RFC 6265, 5.2.2).
fn seconds(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More digits than fit are longer than any drill.
    let far = if text.starts_with(b"-") { i64::MIN } else { i64::MAX };
    Some(std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(far))
}

#[cfg(test)]
mod tests;
