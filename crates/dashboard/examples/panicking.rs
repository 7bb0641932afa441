//! A live view under which something panics: the terminal must come back, and the message after it.
//!
//! With `beside` it panics on another thread, and the view goes on.

use std::time::Duration;

fn bug(looks: u32) {
    assert!(looks < 3, "a bug on purpose");
}

fn main() {
    let beside = std::env::args().nth(1).is_some_and(|what| what == "beside");
    let looks = std::cell::Cell::new(0);
    let panicking = std::cell::OnceCell::new();
    let latest = || {
        looks.set(looks.get() + 1);
        let seen = looks.get();
        if !beside {
            bug(seen);
        } else if seen == 3 {
            panicking.get_or_init(|| std::thread::spawn(move || bug(seen)));
        }
        None
    };
    let told = || panicking.get().is_some_and(std::thread::JoinHandle::is_finished);
    let ended = peakdrill_dashboard::run(&latest, &|_| {}, &|| looks.get() > 5 && told(), Duration::ZERO);
    assert!(ended.is_ok());
}
