//! `peakdrill keys`.

use std::path::Path;

use peakdrill_drill_model::exit::Exit;
use peakdrill_shadow_tag::{KeyId, VerifyingKeys};

use super::Failure;
use crate::args::Keys;
use crate::keys::{environment_lines, fresh};
use crate::show::{note, out};

pub(super) fn run(what: &Keys) -> Result<Exit, Failure> {
    let Keys::New { kid, public } = what;
    let kid: KeyId = kid.parse().map_err(|error| Failure::new(Exit::Usage, format!("--kid: {error}")))?;
    let secrets = fresh(kid)?;
    add_public(public, &secrets)?;
    for line in environment_lines(&secrets) {
        out(&format!("{line}\n"));
    }
    note(&format!(
        "The two lines on stdout are secrets: they belong to who runs drills, and to nobody else.\n\
         The public key is in {}: give it to every hop.\n",
        public.display()
    ));
    Ok(Exit::Ok)
}

fn add_public(path: &Path, secrets: &peakdrill_drill_control::Secrets) -> Result<(), Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", path.display()));
    let mut keys = match std::fs::read_to_string(path) {
        Ok(text) => VerifyingKeys::from_json(&text).map_err(|error| usage(error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => VerifyingKeys::default(),
        Err(error) => return Err(usage(error.to_string())),
    };
    if keys.ids().any(|kid| kid == secrets.signing.kid()) {
        return Err(usage(format!("holds a key `{}` already: choose another --kid", secrets.signing.kid())));
    }
    keys.add(secrets.signing.kid(), secrets.signing.public()).map_err(|error| usage(error.to_string()))?;
    peakdrill_drill_control::record::files::write_atomic(path, keys.to_json().as_bytes(), 0o644)?;
    Ok(())
}
