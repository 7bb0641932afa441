//! Outlines of nodes: what a node is can be seen without colour.

use peakdrill_drill_model::verdict::NodeKind;

use crate::markup::Page;

/// Rise of a cylinder's lid, pixels.
pub(super) const LID: f64 = 5.0;
/// Corner of a service.
const CORNER: f64 = 8.0;
/// What is cut from the sides of a cache, and from the corner of what is outside.
const CUT: f64 = 9.0;

/// The outline of a node, and a line inside it, around a middle. `None`: the load.
pub(super) fn outline(
    kind: Option<NodeKind>,
    (x, y): (f64, f64),
    (w, h): (f64, f64),
) -> (String, Option<String>) {
    let (left, top) = (x - w / 2.0, y - h / 2.0);
    match kind {
        Some(NodeKind::Service) => (rounded(left, top, w, h, CORNER), None),
        None => (rounded(left, top, w, h, (h / 2.0).min(22.0)), None),
        Some(NodeKind::Database) => {
            let (rx, side) = (w / 2.0, h - 2.0 * LID);
            let whole = format!(
                "M{left:.1} {:.1}a{rx:.1} {LID} 0 0 1 {w} 0v{side:.1}a{rx:.1} {LID} 0 0 1 {:.1} 0z",
                top + LID,
                -w
            );
            (whole, Some(format!("M{left:.1} {:.1}a{rx:.1} {LID} 0 0 0 {w} 0", top + LID)))
        }
        Some(NodeKind::Queue) => {
            let (ry, side) = (h / 2.0, w - 2.0 * LID);
            let whole = format!(
                "M{:.1} {top:.1}h{side:.1}a{LID} {ry:.1} 0 0 1 0 {h:.1}h{:.1}a{LID} {ry:.1} 0 0 1 0 {:.1}z",
                left + LID,
                -side,
                -h
            );
            (whole, Some(format!("M{:.1} {top:.1}a{LID} {ry:.1} 0 0 0 0 {h:.1}", left + LID + side)))
        }
        Some(NodeKind::Cache) => {
            let (half, side) = (h / 2.0, w - 2.0 * CUT);
            let whole = format!(
                "M{:.1} {top:.1}h{side:.1}l{CUT} {half:.1}l-{CUT} {half:.1}h{:.1}l-{CUT} -{half:.1}z",
                left + CUT,
                -side
            );
            (whole, None)
        }
        Some(NodeKind::External) => {
            let whole = format!("M{left:.1} {top:.1}h{:.1}l{CUT} {CUT}v{:.1}h{:.1}z", w - CUT, h - CUT, -w);
            (whole, Some(format!("M{:.1} {top:.1}v{CUT}h{CUT}", left + w - CUT)))
        }
    }
}

fn rounded(left: f64, top: f64, w: f64, h: f64, r: f64) -> String {
    let (across, down) = (w - 2.0 * r, h - 2.0 * r);
    format!(
        "M{:.1} {top:.1}h{across:.1}a{r} {r} 0 0 1 {r} {r}v{down:.1}a{r} {r} 0 0 1 -{r} {r}h{:.1}a{r} {r} 0 0 1 -{r} -{r}v{:.1}a{r} {r} 0 0 1 {r} -{r}z",
        left + r,
        -across,
        -down
    )
}

/// The outlines and their names.
pub(super) fn legend(page: &mut Page) {
    let kinds = [
        (NodeKind::Service, "service"),
        (NodeKind::Database, "database"),
        (NodeKind::Cache, "cache"),
        (NodeKind::Queue, "queue"),
        (NodeKind::External, "external"),
    ];
    for (kind, name) in kinds {
        let (whole, inner) = outline(Some(kind), (15.0, 10.0), (28.0, 18.0));
        page.raw(
            "<span class=\"shape-key\"><svg class=\"node\" width=\"30\" height=\"20\" aria-hidden=\"true\">",
        );
        page.put("<path class=\"shape\" d=\"{}\"/>", &[&whole]);
        if let Some(inner) = inner {
            page.put("<path class=\"inner\" d=\"{}\"/>", &[&inner]);
        }
        page.put("</svg> {}</span> ", &[&name]);
    }
}
