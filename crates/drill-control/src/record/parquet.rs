//! The cells of a record as Parquet files, for engines that people already have.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use peakdrill_bottleneck::{Table, Values, tables};
use peakdrill_drill_model::plan::{Plan, StepId};

use super::files::{Beside, at};
use crate::error::ControlError;

/// Rows of a row group: what is held in memory at a time.
const GROUP_ROWS: usize = 65_536;
/// Permissions of the files, as of other exports.
const MODE: u32 = 0o644;
/// Key of the start of the load in each file, Unix nanoseconds: `second` counts from there.
const ORIGIN_KEY: &str = "peakdrill.origin_unix_ns";
/// Key of the traced part of the requests, in millionths; only where it is not all of them.
const TRACED_KEY: &str = "peakdrill.traces_ppm";
/// Key of the seconds that each row of a file is of, from its `second` on.
const WINDOW_KEY: &str = "peakdrill.window_s";

/// Writes a file per table into a folder, which is made: calls, operations, critical paths and roots by the second, and the
/// work of instances by stretches of several, as each file says. Gives the files.
///
/// # Errors
/// When the record has no cells, or a file cannot be written; it names it.
pub fn write_parquet(record: &Path, into: &Path) -> Result<Vec<PathBuf>, ControlError> {
    let plan = super::reader::plan(record)?;
    let mut missing = Vec::new();
    let Some((origin_ns, cells)) = super::reader::cells_from(record, &mut missing) else {
        let why = missing.first().map_or("no spans were received", String::as_str);
        return Err(at(record)(std::io::Error::other(format!("it has no cells to export: {why}"))));
    };
    let keys = [
        origin_ns.map(|ns| KeyValue::new(ORIGIN_KEY.to_owned(), ns.to_string())),
        plan.telemetry.traces_ppm.map(|ppm| KeyValue::new(TRACED_KEY.to_owned(), ppm.to_string())),
    ];
    let mut files = Files { into, keys: keys.into_iter().flatten().collect(), open: None, done: Vec::new() };
    tables(&cells, &|step| name_of(&plan, step), GROUP_ROWS, &mut |table| files.add(&table))?;
    files.close()?;
    Ok(files.done)
}

fn name_of(plan: &Plan, step: StepId) -> Arc<str> {
    let known = plan.steps.get(usize::from(step));
    known.map_or_else(|| format!("step {step}"), |info| format!("{}/{}", info.journey, info.step)).into()
}

/// The file that is being written, and those that are.
struct Files<'a> {
    into: &'a Path,
    /// What all files say of themselves.
    keys: Vec<KeyValue>,
    open: Option<(&'static str, Beside, SerializedFileWriter<File>)>,
    done: Vec<PathBuf>,
}

impl Files<'_> {
    fn add(&mut self, table: &Table) -> Result<(), ControlError> {
        if self.open.as_ref().is_none_or(|(name, ..)| *name != table.name) {
            self.close()?;
            let path = self.into.join(format!("{}.parquet", table.name));
            let (beside, file) = Beside::create(&path, MODE)?;
            let window = KeyValue::new(WINDOW_KEY.to_owned(), table.window_s.to_string());
            let keys = self.keys.iter().cloned().chain([window]).collect();
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_created_by(format!("peakdrill {}", env!("CARGO_PKG_VERSION")))
                .set_key_value_metadata(Some(keys));
            let schema = Arc::new(parse_message_type(&schema(table)).map_err(failed(&path))?);
            let writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build()));
            let writer = writer.map_err(failed(&path))?;
            self.open = Some((table.name, beside, writer));
        }
        let Some((_, beside, writer)) = &mut self.open else { return Ok(()) };
        group(writer, table).map_err(failed(beside.place()))
    }

    fn close(&mut self) -> Result<(), ControlError> {
        if let Some((_, beside, writer)) = self.open.take() {
            writer.close().map_err(failed(beside.place()))?;
            let path = beside.place().to_owned();
            beside.put()?;
            self.done.push(path);
        }
        Ok(())
    }
}

fn failed(path: &Path) -> impl Fn(ParquetError) -> ControlError {
    let path = path.to_owned();
    move |error| at(&path)(std::io::Error::other(error))
}

/// The message type, in the notation of the format.
fn schema(table: &Table) -> String {
    let field = |column: &peakdrill_bottleneck::Column| match column.values {
        Values::Text(_) => format!("required binary {} (utf8);", column.name),
        Values::Whole(_) => format!("required int64 {};", column.name),
        Values::Known(_) => format!("optional int64 {};", column.name),
    };
    let fields: Vec<String> = table.columns.iter().map(field).collect();
    format!("message {} {{ {} }}", table.name, fields.join(" "))
}

/// Writes rows; none: none.
fn group<W: std::io::Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    table: &Table,
) -> Result<(), ParquetError> {
    if table.columns.first().is_none_or(|column| column.values.is_empty()) {
        return Ok(());
    }
    let mut group = writer.next_row_group()?;
    let mut columns = table.columns.iter();
    while let (Some(mut to), Some(column)) = (group.next_column()?, columns.next()) {
        match &column.values {
            Values::Text(values) => {
                let values: Vec<ByteArray> = values.iter().map(|text| ByteArray::from(&**text)).collect();
                to.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Values::Whole(values) => {
                to.typed::<Int64Type>().write_batch(values, None, None)?;
            }
            Values::Known(values) => {
                let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let known: Vec<i64> = values.iter().flatten().copied().collect();
                to.typed::<Int64Type>().write_batch(&known, Some(&there), None)?;
            }
        }
        to.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::RowAccessor as _;

    use peakdrill_bottleneck::{Cells, Column, Entry, RootCell, TraceClass};
    use peakdrill_collector::CellsFile;
    use peakdrill_drill_model::plan::StepInfo;

    use super::*;

    fn column(name: &str, values: Values) -> Column {
        Column { name: name.to_owned(), values }
    }

    fn table(from: i64, to: i64) -> Table {
        let rows = from..to;
        Table {
            name: "edges",
            window_s: 1,
            columns: vec![
                column("from", Values::Text(rows.clone().map(|i| format!("stage \"{i}\"").into()).collect())),
                column("calls", Values::Whole(rows.clone().map(|i| i - 3).collect())),
                column("latency_p99_ns", Values::Known(rows.map(|i| (i % 2 == 0).then_some(i)).collect())),
            ],
        }
    }

    #[test]
    fn a_record_gives_a_file_a_table_with_the_names_of_steps() {
        let folder = tempfile::tempdir().unwrap();
        let (record, into) = (folder.path().join("record"), folder.path().join("cells"));
        let mut plan = crate::testing::plan();
        plan.steps = vec![StepInfo { journey: "buy".into(), step: "pay".into(), ..StepInfo::default() }];
        plan.telemetry.traces_ppm = Some(10_000);
        std::fs::create_dir(&record).unwrap();
        std::fs::write(record.join(super::super::PLAN), serde_json::to_vec(&plan).unwrap()).unwrap();
        assert!(write_parquet(&record, &into).unwrap_err().to_string().contains("no cells to export"));
        assert!(!into.exists());

        let mut cells = Cells::default();
        let seconds = [(3, Arc::new(RootCell { count: 7, ..RootCell::default() }))].into();
        cells.roots.insert((Entry::Step(0), TraceClass::Mine), seconds);
        let file = CellsFile::new(Some(5), Arc::new(cells)).to_bytes().unwrap();
        std::fs::write(record.join(super::super::CELLS), file).unwrap();
        for _ in 0..2 {
            let written = write_parquet(&record, &into).unwrap();
            let names = ["edges", "nodes", "paths", "roots", "instances"]
                .map(|name| into.join(format!("{name}.parquet")));
            assert_eq!(written, names);
            assert_eq!(std::fs::read_dir(&into).unwrap().count(), names.len(), "nothing is left beside them");
        }
        let reader = SerializedFileReader::new(File::open(into.join("roots.parquet")).unwrap()).unwrap();
        let keys = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(keys.iter().any(|key| key.key == TRACED_KEY && key.value.as_deref() == Some("10000")));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].get_string(0).unwrap().as_str(), rows[0].get_long(2).unwrap()), ("buy/pay", 3));
        let window_s = |table: &str| {
            let file = File::open(into.join(format!("{table}.parquet"))).unwrap();
            let reader = SerializedFileReader::new(file).unwrap();
            let keys = reader.metadata().file_metadata().key_value_metadata().unwrap();
            keys.iter().find(|key| key.key == WINDOW_KEY).and_then(|key| key.value.clone()).unwrap()
        };
        assert_eq!((window_s("roots").as_str(), window_s("instances").as_str()), ("1", "10"));
        let edges = SerializedFileReader::new(File::open(into.join("edges.parquet")).unwrap()).unwrap();
        assert_eq!(edges.get_row_iter(None).unwrap().count(), 0);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys = vec![KeyValue::new(ORIGIN_KEY.to_owned(), "-7".to_owned())];
        let mut files = Files { into: folder.path(), keys, open: None, done: Vec::new() };
        for part in [table(0, 5), table(5, 9), table(9, 9)] {
            files.add(&part).unwrap();
        }
        files.close().unwrap();
        let [path] = &files.done[..] else { panic!("{:?}", files.done) };
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let origin = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert_eq!((origin[0].key.as_str(), origin[0].value.as_deref()), (ORIGIN_KEY, Some("-7")));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 9);
        for (i, row) in (0_i64..).zip(&rows) {
            assert_eq!(row.get_string(0).unwrap(), &format!("stage \"{i}\""));
            assert_eq!(row.get_long(1).unwrap(), i - 3);
            assert_eq!(row.get_long(2).ok(), (i % 2 == 0).then_some(i));
        }
    }
}
