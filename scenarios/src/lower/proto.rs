//! `.proto` files, compiled: all that a target names, with what they import.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peakdrill_drill_model::plan::DescriptorSet;
use peakdrill_wire_grpc::Schema;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use sha2::{Digest, Sha256};

use super::vars::hex;
use crate::codes::{E0318, E0430};
use crate::ctx::{Ctx, draft, is_confined};
use crate::limits;
use crate::node::{Node, Span};

/// Compiled files, as the plan carries them and as messages are checked.
pub(super) struct Compiled {
    pub(super) set: DescriptorSet,
    pub(super) schema: Schema,
}

/// Compiles the files that a list names.
pub(super) fn compile(ctx: &Ctx<'_>, node: &Node, place: Span) -> Option<Compiled> {
    let items = ctx.items(node, place, "`proto`")?;
    if items.is_empty() {
        ctx.push(draft(E0318, place, "`proto` is empty: name at least one file"));
    }
    let mut gathered = Gathered { ctx, sources: BTreeMap::new(), names: BTreeMap::new(), bytes: 0 };
    let mut files = Vec::new();
    for item in items {
        let path = ctx.text(item, "a `.proto` file")?.into_owned();
        let path = path.strip_prefix("./").map_or(path.clone(), str::to_owned);
        let bytes = ctx.data_file(item, &path)?;
        gathered.add(item, &path, bytes)?;
        files.push(path);
    }
    // A listed file that another one imports has the name by which it is imported: protobuf takes the same file under
    // two names for two files.
    let last = items.last()?;
    let (names, sources) = (gathered.names, gathered.sources);
    let name_of = |path: &String| names.get(path).cloned().unwrap_or_else(|| path.clone());
    let sources = match by_name(sources, name_of) {
        Ok(sources) => sources,
        Err([one, other, name]) => {
            let message = format!("`{one}` and `{other}` are both imported as `{name}`");
            let help = "protobuf takes these for one file: import each by a name of its own";
            ctx.push(draft(E0430, last.span, message).help(help));
            return None;
        }
    };
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources(sources));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for (item, path) in items.iter().zip(&files) {
        if let Err(error) = compiler.open_file(name_of(path)) {
            broken(ctx, item, &error);
            return None;
        }
    }
    let content = compiler.encode_file_descriptor_set();
    match Schema::decode(&content) {
        Ok(schema) => {
            let sha256 = hex(&Sha256::digest(&content));
            Some(Compiled { set: DescriptorSet { files, sha256, content: Arc::new(content) }, schema })
        }
        Err(error) => {
            ctx.push(draft(E0430, last.span, error.to_string()));
            None
        }
    }
}

/// Sources by the names by which they are imported; two files with one name are an error: their paths, and the name.
fn by_name(
    sources: BTreeMap<String, String>,
    name_of: impl Fn(&String) -> String,
) -> Result<BTreeMap<String, String>, [String; 3]> {
    let (mut out, mut paths) = (BTreeMap::new(), BTreeMap::new());
    for (path, source) in sources {
        let name = name_of(&path);
        if let Some(one) = paths.insert(name.clone(), path.clone()) {
            return Err([one, path, name]);
        }
        out.insert(name, source);
    }
    Ok(out)
}

/// The compiler's own words begin with file, line and column.
fn broken(ctx: &Ctx<'_>, item: &Node, error: &protox::Error) {
    ctx.push(draft(E0430, item.span, format!("the file cannot be compiled: {error:?}")));
}

/// Files by their paths beside the scenario.
struct Gathered<'c> {
    ctx: &'c Ctx<'c>,
    sources: BTreeMap<String, String>,
    /// Names by which files are imported.
    names: BTreeMap<String, String>,
    bytes: usize,
}

impl Gathered<'_> {
    /// Takes a file, and all that it imports.
    fn add(&mut self, item: &Node, path: &str, bytes: Vec<u8>) -> Option<()> {
        let mut open = vec![(path.to_owned(), bytes)];
        while let Some((path, bytes)) = open.pop() {
            if self.sources.contains_key(&path) {
                continue;
            }
            let imports = self.take(item, &path, bytes)?;
            for name in imports {
                let (found, bytes) = self.import(item, &path, &name)?;
                let known = self.names.entry(found.clone()).or_insert_with(|| name.clone());
                if *known != name {
                    let message = format!("`{found}` is imported as `{known}` and, by `{path}`, as `{name}`");
                    let help = "protobuf takes these for two files: import it by one name everywhere";
                    self.ctx.push(draft(E0430, item.span, message).help(help));
                    return None;
                }
                open.push((found, bytes));
            }
        }
        Some(())
    }

    /// Keeps a file's text; gives the names of what it imports, but for protobuf's own.
    fn take(&mut self, item: &Node, path: &str, bytes: Vec<u8>) -> Option<BTreeSet<String>> {
        self.bytes += bytes.len();
        if self.sources.len() >= limits::MAX_PROTO_FILES || self.bytes > limits::MAX_PROTO_BYTES {
            let (files, size) = (limits::MAX_PROTO_FILES, limits::MAX_PROTO_BYTES >> 20);
            let message = format!("more than {files} `.proto` files, or more than {size} MiB of them");
            self.ctx.push(draft(E0430, item.span, message));
            return None;
        }
        let Ok(text) = String::from_utf8(bytes) else {
            self.ctx.push(draft(E0430, item.span, format!("`{path}` is not UTF-8")));
            return None;
        };
        let file = match File::from_source(path, &text) {
            Ok(file) => file,
            Err(error) => {
                broken(self.ctx, item, &error);
                return None;
            }
        };
        self.sources.insert(path.to_owned(), text);
        let google = GoogleFileResolver::new();
        let imports = file.file_descriptor_proto().dependency.iter();
        Some(imports.filter(|name| google.open_file(name).is_err()).cloned().collect())
    }

    /// An import is looked for in the folder of the file that imports, and in those above it up to the scenario's.
    fn import(&self, item: &Node, by: &str, name: &str) -> Option<(String, Vec<u8>)> {
        let mut folder = by;
        while is_confined(name) {
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if let Ok(bytes) = self.ctx.input.files.read(&path) {
                return Some((path, bytes));
            }
            if folder.is_empty() {
                break;
            }
        }
        let message = format!("`{by}` imports `{name}`, which is not there");
        let help =
            "imports are looked for in the folder of the file and in those above it, up to the scenario's";
        self.ctx.push(draft(E0430, item.span, message).help(help));
        None
    }
}

/// Sources by the names by which they are imported.
struct Sources(BTreeMap<String, String>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = self.0.get(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, source)
    }
}
