//! Statuses: what stands for one that is missing, and their texts.

/// What an HTTP status stands for where there is no `grpc-status`
/// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
#[must_use]
pub fn of_http_status(status: u16) -> u16 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// The text of a `grpc-message`: percent-decoded; what is broken in it stays as it is.
#[must_use]
pub fn message_text(value: &[u8]) -> String {
    let digit = |at: usize| value.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(value.len()), 0);
    while let Some(byte) = value.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_status_stands_for_what_the_specification_says() {
        let mapped: Vec<_> = [400, 401, 403, 404, 429, 500, 502, 503, 504, 200].map(of_http_status).into();
        assert_eq!(mapped, [13, 16, 7, 12, 14, 2, 14, 14, 14, 2]);
    }

    #[test]
    fn a_message_is_percent_decoded_and_never_refused() {
        assert_eq!(message_text(b"no%20such%c3%bc user"), "no suchü user");
        assert_eq!(message_text(b"100% %4 %zz %"), "100% %4 %zz %");
    }
}
