//! Running the command.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("PEAKDRILL_BIN") {
        return given.into();
    }
    // target/<profile>/deps/it-… → target/<profile>/peakdrill
    let me = std::env::current_exe().unwrap();
    let path = me.parent().and_then(Path::parent).unwrap().join("peakdrill");
    assert!(path.exists(), "{} is not built: `cargo build --package peakdrill` first", path.display());
    path
}

/// The command, in a folder of its own.
pub(crate) fn peakdrill(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Arguments that keep a run off everybody's ports.
pub(crate) const ALONE: [&str; 8] = [
    "--otlp-grpc",
    "127.0.0.1:0",
    "--otlp-http",
    "127.0.0.1:0",
    "--registry",
    "127.0.0.1:0",
    "--tui",
    "never",
];

/// Runs to the end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// The exit code, with what was said when it is another than expected.
pub(crate) fn expect_exit(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    let result = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "stderr:\n{said}\nstdout:\n{result}");
}

/// A JSON file of a record.
pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// Sends a signal to a child.
pub(crate) fn signal(child: &Child, signal: i32) {
    let pid = child.id().to_string();
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid).status().unwrap();
    assert!(status.success());
}

/// Looks until something is there.
pub(crate) fn wait_until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lines of a file, as far as it is there.
pub(crate) fn line_count(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
