//! A live view under which something panics: the terminal must come back, and the message after it.

use std::time::Duration;

fn main() {
    let looks = std::cell::Cell::new(0);
    let latest = || {
        looks.set(looks.get() + 1);
        assert!(looks.get() < 3, "a bug on purpose");
        None
    };
    let ended = peakdrill_dashboard::run(&latest, &|_| {}, &|| false, Duration::from_secs(1));
    assert!(ended.is_ok());
}
