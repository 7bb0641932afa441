//! Serialised forms.

use peakdrill_bottleneck::Cells;

use crate::shop::cells_of;
use crate::sim::{Setup, simulate};

#[test]
fn cells_read_back_the_same() {
    let mut setup = Setup::new(None, 1);
    setup.profile = vec![(2.0, 20.0, 20.0)];
    let cells = cells_of(&simulate(&setup));
    let text = serde_json::to_string(&cells).unwrap();
    assert_eq!(serde_json::from_str::<Cells>(&text).unwrap(), cells);
}
