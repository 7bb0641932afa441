//! Cells as tables, for engines that people already have: a row per key and second, or stretch of seconds.

use std::sync::Arc;

use peakdrill_drill_model::plan::StepId;
use peakdrill_latency::Sparse;

use crate::cells::{Cell, Cells, EdgeCell, INSTANCE_WINDOW_S, InstanceCell, NodeCell, PathCell, RootCell};
use crate::key::{Entry, TraceClass};

/// Part of a table: columns of the same length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// `edges`, `nodes`, `paths`, `roots` or `instances`.
    pub name: &'static str,
    /// Seconds that each row is of, from its `second` on.
    pub window_s: i64,
    /// The same ones, in the same order, in all parts of a table.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// `latency_p99_ns`.
    pub name: String,
    /// A value a row.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Text.
    Text(Vec<Arc<str>>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Whole numbers that are not there where nothing was measured.
    Known(Vec<Option<i64>>),
}

impl Values {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Known(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The name of a step of the plan, as `journey/step`.
pub type StepName<'a> = &'a dyn Fn(StepId) -> Arc<str>;

/// Takes a part of a table.
type Take<'a, E> = &'a mut dyn FnMut(Table) -> Result<(), E>;

/// Gives all cells that are kept by the second, or by stretches of seconds, as tables, in parts of at most `rows_max` rows,
/// each table's parts one after the other; a table without rows is one part. Histograms are their number, sum, quantiles
/// (which cannot be added up) and buckets (which can: `{"bucket": count}`).
///
/// # Errors
/// What `take` returns.
pub fn tables<E>(cells: &Cells, step: StepName<'_>, rows_max: usize, take: Take<'_, E>) -> Result<(), E> {
    let edges = cells.edges.iter().flat_map(|((edge, of), seconds)| {
        let keys = [
            Arc::clone(&edge.from),
            Arc::clone(&edge.to.name),
            edge.to.kind.text().into(),
            Arc::clone(&edge.op),
        ];
        seconds.iter().map(move |(second, cell)| (keys.to_vec(), class(*of), *second, &**cell))
    });
    parts::<EdgeCell, E>(Shape::of_seconds("edges", &["from", "to", "kind", "op"]), edges, rows_max, take)?;
    let nodes = cells.nodes.iter().flat_map(|((node, of), seconds)| {
        let keys = [Arc::clone(&node.name), node.kind.text().into()];
        seconds.iter().map(move |(second, cell)| (keys.to_vec(), class(*of), *second, &**cell))
    });
    parts::<NodeCell, E>(Shape::of_seconds("nodes", &["node", "kind"]), nodes, rows_max, take)?;
    let paths = cells.paths.iter().flat_map(|((entry, of, node), seconds)| {
        let keys = [entered(entry, step), Arc::clone(&node.name), node.kind.text().into()];
        seconds.iter().map(move |(second, cell)| (keys.to_vec(), class(*of), *second, &**cell))
    });
    parts::<PathCell, E>(Shape::of_seconds("paths", &["entry", "node", "kind"]), paths, rows_max, take)?;
    let roots = cells.roots.iter().flat_map(|((entry, of), seconds)| {
        let keys = [entered(entry, step)];
        seconds.iter().map(move |(second, cell)| (keys.to_vec(), class(*of), *second, &**cell))
    });
    parts::<RootCell, E>(Shape::of_seconds("roots", &["entry"]), roots, rows_max, take)?;
    let instances = cells.instances.iter().flat_map(|((service, of, instance), seconds)| {
        let keys = [Arc::clone(service), Arc::clone(instance)];
        seconds.iter().map(move |(second, cell)| (keys.to_vec(), class(*of), *second, &**cell))
    });
    let shape = Shape { name: "instances", keys: &["service", "instance"], window_s: INSTANCE_WINDOW_S };
    parts::<InstanceCell, E>(shape, instances, rows_max, take)
}

fn entered(entry: &Entry, step: StepName<'_>) -> Arc<str> {
    match entry {
        Entry::Step(id) => step(*id),
        Entry::Op(op) => Arc::clone(op),
    }
}

fn class(of: TraceClass) -> &'static str {
    match of {
        TraceClass::Mine => "mine",
        TraceClass::OtherRun => "other_run",
        TraceClass::Live => "live",
    }
}

/// Keys, class, second, and the cell.
type Row<'a, C> = (Vec<Arc<str>>, &'static str, i64, &'a C);

/// What a table is called, the names of its keys, and the seconds of a row.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    keys: &'static [&'static str],
    window_s: i64,
}

impl Shape {
    /// With a row a second.
    fn of_seconds(name: &'static str, keys: &'static [&'static str]) -> Self {
        Self { name, keys, window_s: 1 }
    }
}

fn parts<'a, C: Cell + 'a, E>(
    shape: Shape,
    rows: impl Iterator<Item = Row<'a, C>>,
    rows_max: usize,
    take: Take<'_, E>,
) -> Result<(), E> {
    let mut part = Part::<C>::new(shape);
    let mut given = false;
    for row in rows {
        part.add(row);
        if part.seconds.len() >= rows_max.max(1) {
            given = true;
            take(std::mem::replace(&mut part, Part::new(shape)).into_table())?;
        }
    }
    if part.seconds.is_empty() && given { Ok(()) } else { take(part.into_table()) }
}

/// Rows that are collected, column by column.
struct Part<C> {
    shape: Shape,
    keys: Vec<(&'static str, Vec<Arc<str>>)>,
    classes: Vec<Arc<str>>,
    seconds: Vec<i64>,
    numbers: Vec<Vec<i64>>,
    histograms: Vec<Histograms>,
    of: std::marker::PhantomData<C>,
}

/// Columns of one histogram.
#[derive(Default)]
struct Histograms {
    counts: Vec<i64>,
    sums: Vec<i64>,
    quantiles: [Vec<Option<i64>>; QUANTILES.len()],
    buckets: Vec<Arc<str>>,
}

/// Quantiles of a histogram that have a column.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)];

impl Histograms {
    fn add(&mut self, histogram: &Sparse) {
        self.counts.push(histogram.count());
        self.sums.push(i64::try_from(histogram.sum_ns()).unwrap_or(i64::MAX));
        for (column, (_, quantile)) in self.quantiles.iter_mut().zip(QUANTILES) {
            column.push(histogram.quantile(quantile).map(|ns| i64::try_from(ns).unwrap_or(i64::MAX)));
        }
        let buckets: Vec<String> = histogram.iter().map(|(at, count)| format!("\"{at}\":{count}")).collect();
        self.buckets.push(format!("{{{}}}", buckets.join(",")).into());
    }

    fn into_columns(self, name: &str) -> impl Iterator<Item = Column> {
        let column = |what: &str, values| Column { name: format!("{name}_{what}"), values };
        let whole = [column("count", Values::Whole(self.counts)), column("sum_ns", Values::Whole(self.sums))];
        let quantiles = self.quantiles.into_iter().zip(QUANTILES);
        let quantiles: Vec<Column> =
            quantiles.map(|(values, (q, _))| column(&format!("{q}_ns"), Values::Known(values))).collect();
        let buckets = column("buckets", Values::Text(self.buckets));
        whole.into_iter().chain(quantiles).chain([buckets])
    }
}

impl<C: Cell> Part<C> {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            keys: shape.keys.iter().map(|key| (*key, Vec::new())).collect(),
            classes: Vec::new(),
            seconds: Vec::new(),
            numbers: C::NUMBERS.iter().map(|_| Vec::new()).collect(),
            histograms: C::HISTOGRAMS.iter().map(|_| Histograms::default()).collect(),
            of: std::marker::PhantomData,
        }
    }

    fn add(&mut self, (keys, class, second, cell): Row<'_, C>) {
        self.keys.iter_mut().zip(keys).for_each(|((_, column), key)| column.push(key));
        self.classes.push(class.into());
        self.seconds.push(second);
        self.numbers.iter_mut().zip(cell.numbers()).for_each(|(column, number)| column.push(number));
        cell.each_histogram(&mut |which, histogram| {
            if let Some(columns) = self.histograms.get_mut(which) {
                columns.add(histogram);
            }
        });
    }

    fn into_table(self) -> Table {
        let text = |(name, values): (&str, _)| Column { name: name.to_owned(), values: Values::Text(values) };
        let mut columns: Vec<Column> = self.keys.into_iter().map(text).collect();
        columns.push(text(("class", self.classes)));
        columns.push(Column { name: "second".to_owned(), values: Values::Whole(self.seconds) });
        let numbers = C::NUMBERS.iter().zip(self.numbers);
        columns.extend(
            numbers.map(|(name, values)| Column { name: (*name).to_owned(), values: Values::Whole(values) }),
        );
        let histograms = C::HISTOGRAMS.iter().zip(self.histograms);
        columns.extend(histograms.flat_map(|(name, values)| values.into_columns(name)));
        Table { name: self.shape.name, window_s: self.shape.window_s, columns }
    }
}
