//! Owners files, as `--owners` names them.

use std::path::PathBuf;

use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::owners::Owners;
use peakdrill_scenarios::limits::MAX_OWNERS_FILE_BYTES;
use peakdrill_scenarios::read_owners;

use crate::commands::Failure;
use crate::show::note;

/// Most files that may be named.
const FILES_MAX: usize = 1_000;

/// Reads all files; where two name one node, the earlier counts. Every mistake of every file is told, and so is when
/// all of them together name no node: that would take away what a record says.
pub(crate) fn read(files: &[PathBuf]) -> Result<Owners, Failure> {
    if files.len() > FILES_MAX {
        return Err(Failure::new(
            Exit::Usage,
            format!("--owners: more than {FILES_MAX} files: put them into fewer"),
        ));
    }
    let mut all = Owners::default();
    let mut wrong = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let size = std::fs::metadata(path).map(|meta| meta.len());
        let text = match size {
            Ok(size) if size > MAX_OWNERS_FILE_BYTES as u64 => {
                wrong.push(format!("{name}: larger than {MAX_OWNERS_FILE_BYTES} bytes: split it"));
                continue;
            }
            _ => std::fs::read_to_string(path),
        };
        match text.map(|text| read_owners(&name, &text)) {
            Ok(Ok(owners)) if owners.nodes.is_empty() => note(&format!("{name}: names no owner of a node\n")),
            Ok(Ok(owners)) => all.complete(owners),
            Ok(Err(errors)) => wrong.extend(errors.iter().map(ToString::to_string)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    if wrong.is_empty() && all.nodes.is_empty() && !files.is_empty() {
        wrong.push("no file names an owner of a node: name one, or leave the option out".to_owned());
    }
    if wrong.is_empty() {
        Ok(all)
    } else {
        Err(Failure::new(Exit::Usage, format!("--owners:\n{}", wrong.join("\n"))))
    }
}
