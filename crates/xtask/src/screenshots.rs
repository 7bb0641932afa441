//! The README's pictures, from a real run: the live view in tmux, the report in headless Chromium.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::shell::{cargo, has, output, root, step};

/// Longest wait for a moment of the run.
const WAIT: Duration = Duration::from_secs(90);

/// Makes them.
pub fn run() -> Result<(), String> {
    for (program, flag) in [("tmux", "-V"), ("chromium", "--version")] {
        if !has(program, flag) {
            return Err(format!("{program} is needed: on Debian `apt-get install {program}`"));
        }
    }
    step("build", cargo().args(["build", "--release", "--package", "peakdrill"]))?;
    let folder = std::env::temp_dir().join(format!("peakdrill-pictures-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let pictures = root().join("docs/pictures");
    for (columns, rows) in [(80, 24), (160, 50)] {
        live_view(&folder, &pictures, columns, rows)?;
    }
    let report = folder.join("run-80/report.html");
    page(&report, &pictures.join("report.png"), 1280, 1500)?;
    page(&report, &pictures.join("report-phone.png"), 412, 1500)?;
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}

struct Session {
    name: String,
}

impl Session {
    fn start(columns: u32, rows: u32, command: &str) -> Result<Self, String> {
        let name = format!("peakdrill-{}-{columns}", std::process::id());
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut tmux = Command::new("tmux");
        tmux.args(["new-session", "-d", "-s", &name, "-x", &columns, "-y", &rows, command])
            .env("LANG", "C.UTF-8");
        output(&mut tmux)?;
        Ok(Self { name })
    }

    fn screen(&self, with_colours: bool) -> Option<String> {
        let flags: &[&str] = if with_colours { &["-e"] } else { &[] };
        let mut tmux = Command::new("tmux");
        let screen = tmux
            .args(["capture-pane", "-p", "-t", &self.name])
            .args(flags)
            .stderr(Stdio::null())
            .output()
            .ok()?;
        screen.status.success().then(|| String::from_utf8_lossy(&screen.stdout).into_owned())
    }

    fn key(&self, key: &str) -> Result<(), String> {
        output(Command::new("tmux").args(["send-keys", "-t", &self.name, key])).map(|_| ())
    }

    /// The screen as soon as it shows all of these.
    fn wait_for(&self, shown: &[&str]) -> Result<(), String> {
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            if self.screen(false).is_some_and(|screen| shown.iter().all(|one| screen.contains(one))) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Err(format!("the screen never showed {shown:?}:\n{}", self.screen(false).unwrap_or_default()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut tmux = Command::new("tmux");
        let _ = tmux.args(["kill-session", "-t", &self.name]).stderr(Stdio::null()).status();
    }
}

fn live_view(folder: &Path, pictures: &Path, columns: u32, rows: u32) -> Result<(), String> {
    let out = folder.join(format!("run-{columns}"));
    let program = root().join("target/release/peakdrill");
    let session =
        Session::start(columns, rows, &format!("{} demo --out {}", program.display(), out.display()))?;
    session.wait_for(&["RUNNING", "peak 00:0", "LIMIT", "stock"])?;
    shoot(&session, folder, &pictures.join(format!("tui-{columns}x{rows}.png")), columns, rows)?;
    session.key("2")?;
    session.wait_for(&["SHARE OF GROWTH", "limits"])?;
    shoot(&session, folder, &pictures.join(format!("tui-dependencies-{columns}x{rows}.png")), columns, rows)?;
    let deadline = Instant::now() + WAIT;
    while !out.join("report.html").exists() {
        if Instant::now() > deadline {
            return Err("the demo wrote no report".to_owned());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn shoot(session: &Session, folder: &Path, picture: &Path, columns: u32, rows: u32) -> Result<(), String> {
    let screen = session.screen(true).ok_or("the session has ended")?;
    let html = folder.join("screen.html");
    let style = "body{margin:0;background:#16181d;color:#d6d9df}pre{margin:12px;font:15px/19px 'DejaVu Sans Mono',monospace}";
    let text =
        format!("<!doctype html><meta charset=utf-8><style>{style}</style><pre>{}</pre>", to_html(&screen));
    std::fs::write(&html, text).map_err(|error| error.to_string())?;
    page(&html, picture, columns * 9 + columns / 10 + 24, rows * 19 + 24)
}

fn page(html: &Path, picture: &Path, width: u32, height: u32) -> Result<(), String> {
    let profile: PathBuf = picture.with_extension("profile");
    if let Some(folder) = picture.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let mut chromium = Command::new("chromium");
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--hide-scrollbars",
    ]);
    chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    chromium.arg(format!("--user-data-dir={}", profile.display()));
    chromium
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", picture.display()));
    let shot = chromium.arg(format!("file://{}", html.display())).stderr(Stdio::null()).status();
    let _ = std::fs::remove_dir_all(&profile);
    match shot {
        Ok(status) if status.success() && picture.exists() => Ok(()),
        other => Err(format!("chromium made no picture of {}: {other:?}", html.display())),
    }
}

/// A screen with colour sequences as HTML.
fn to_html(screen: &str) -> String {
    let mut html = String::from("<span>");
    let mut look = Look::default();
    let mut rest = screen;
    while let Some(at) = rest.find('\u{1b}') {
        html.push_str(&escape(&rest[..at]));
        let sequence = &rest[at + 1..];
        let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else { break };
        if sequence.as_bytes()[end] == b'm' {
            look.take(&sequence[1..end]);
            html.push_str(&format!("</span><span style=\"{}\">", look.css()));
        }
        rest = &sequence[end + 1..];
    }
    html.push_str(&escape(rest));
    html + "</span>"
}

/// How text looks now: sequences change it bit by bit.
#[derive(Default)]
struct Look {
    bold: bool,
    dim: bool,
    reversed: bool,
    colour: Option<u8>,
}

impl Look {
    fn take(&mut self, codes: &str) {
        let mut codes = codes.split(';').map(|code| code.parse::<u8>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                7 => self.reversed = true,
                22 => (self.bold, self.dim) = (false, false),
                27 => self.reversed = false,
                30..=37 => self.colour = Some(code - 30),
                90..=97 => self.colour = Some(code - 90),
                38 if codes.next() == Some(5) => self.colour = codes.next().map(|colour| colour % 8),
                39 => self.colour = None,
                _ => {}
            }
        }
    }

    fn css(&self) -> String {
        const COLOURS: [&str; 8] =
            ["#8b949e", "#ff7b72", "#7ee787", "#f2cc60", "#79c0ff", "#d2a8ff", "#76d9e6", "#d6d9df"];
        let mut css = String::new();
        if self.bold {
            css.push_str("font-weight:bold;");
        }
        if self.dim {
            css.push_str("opacity:.6;");
        }
        if let Some(colour) = self.colour {
            css.push_str(&format!("color:{};", COLOURS[usize::from(colour)]));
        }
        if self.reversed {
            css.push_str("background:#d6d9df;color:#16181d;");
        }
        css
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_spans_and_text_is_escaped() {
        let html = to_html("a\u{1b}[1m\u{1b}[38;5;1m<b>\u{1b}[0mc");
        assert!(html.contains("<span style=\"font-weight:bold;color:#ff7b72;\">&lt;b&gt;</span>"), "{html}");
        assert!(html.ends_with("<span style=\"\">c</span>"), "{html}");
    }
}
