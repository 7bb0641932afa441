//! The date of a cookie, in whatever form a server writes it (RFC 6265, 5.1.1).

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Unix seconds; `None` when it is no date.
pub(super) fn unix_s(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let is_delimiter = |c: &u8| !(c.is_ascii_alphanumeric() || *c == b':' || *c >= 0x7f);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = clock(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let (seconds, day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    if year < 1601 || !(1..=31).contains(&day) {
        return None;
    }
    Some(days_from_civil(year, month, day) * 86_400 + seconds)
}

/// `h:m:s`, with one or two digits each, in seconds of the day.
fn clock(token: &[u8]) -> Option<i64> {
    let mut parts = token.split(|c| *c == b':');
    let mut next = || number(parts.next()?, 1, 2);
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let is_time = hours <= 23 && minutes <= 59 && seconds <= 59;
    is_time.then_some(hours * 3600 + minutes * 60 + seconds)
}

fn month_of(token: &[u8]) -> Option<i64> {
    let start = token.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| month.as_slice() == start).map(|at| at as i64 + 1)
}

/// A number of so many digits; what is no digit may follow.
fn number(token: &[u8], least: usize, most: usize) -> Option<i64> {
    let digits = token.iter().take_while(|c| c.is_ascii_digit()).count();
    if !(least..=most).contains(&digits) {
        return None;
    }
    token.iter().take(digits).try_fold(0, |sum, c| Some(sum * 10 + i64::from(c - b'0')))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: years begin in March, so that the leap day is the last,
/// and 400 of them have 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_all_forms() {
        for (text, unix) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 1_445_412_480),
            ("Wed, 21-Oct-2015 07:28:00 GMT", 1_445_412_480),
            ("Wednesday, 21-Oct-15 07:28:00 GMT", 1_445_412_480),
            ("Wed Oct 21 7:28:0 2015", 1_445_412_480),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            assert_eq!(unix_s(text.as_bytes()), Some(unix), "{text}");
        }
        for text in
            ["", "tomorrow", "21 Oct 2015", "07:28:00 21 Oct", "99:00:00 1 Jan 2020", "0:0:0 0 Jan 2020"]
        {
            assert_eq!(unix_s(text.as_bytes()), None, "{text}");
        }
    }
}
