//! Frames put together as they are read: a record of hours takes little more memory than one of minutes.

use std::collections::BTreeMap;

use peakdrill_drill_model::frame::{Frame, Tally};
use peakdrill_drill_model::plan::StepId;

use crate::fold::{SAMPLES_A_FRAME_MAX, open, point_width_s};

/// Histograms of the seconds that are one point of a series, as one. Counts of arrivals stay by second, since gaps are
/// looked for in them; those of steps do not. Every rendering is the same as of the frames by themselves.
#[derive(Debug)]
pub struct Together {
    width_s: u32,
    out: Vec<Frame>,
    /// By phase and step: one group, the last of its seconds, and its sums.
    open: BTreeMap<(u16, Option<StepId>), (u32, Tally)>,
}

impl Together {
    /// For frames of which the latest is of this second.
    #[must_use]
    pub fn new(last_second: u32) -> Self {
        Self { width_s: point_width_s(last_second), out: Vec::new(), open: BTreeMap::new() }
    }

    /// Takes a frame; they may come in any order, and are held in the fewest pieces when each second follows the last.
    pub fn add(&mut self, mut frame: Frame) {
        let opened = (self.width_s > 1).then(|| read(&frame)).flatten();
        let Some(mut tally) = opened else {
            // One that cannot be read is kept as it is: what is said of it is said by who folds it.
            self.out.push(frame);
            return;
        };
        let (second, key) = (frame.second, (frame.phase, frame.step));
        if frame.step.is_none() {
            tally = Tally {
                latency: tally.latency,
                service: tally.service,
                lateness: tally.lateness,
                conn_wait: tally.conn_wait,
                ..Tally::default()
            };
            for text in [&mut frame.latency, &mut frame.service, &mut frame.lateness, &mut frame.conn_wait] {
                *text = String::new();
            }
            self.out.push(frame);
        }
        let (last, sums) = match self.open.remove(&key) {
            Some((last, mut sums)) if last / self.width_s == second / self.width_s && fits(&sums, &tally) => {
                sums.merge(&tally);
                (last.max(second), sums)
            }
            Some((last, sums)) => {
                self.out.push(stored(&sums, last, key));
                (second, tally)
            }
            None => (second, tally),
        };
        self.open.insert(key, (last, sums));
    }

    /// All of them.
    #[must_use]
    pub fn finish(mut self) -> Vec<Frame> {
        self.out.extend(self.open.iter().map(|(key, (last, sums))| stored(sums, *last, *key)));
        self.out
    }
}

fn stored(sums: &Tally, second: u32, (phase, step): (u16, Option<StepId>)) -> Frame {
    sums.to_frame(second, phase, step)
}

/// The frame with open histograms, if all of them can be read.
fn read(frame: &Frame) -> Option<Tally> {
    let (latency, service) = (open(&frame.latency)?, open(&frame.service)?);
    let (lateness, conn_wait) = (open(&frame.lateness)?, open(&frame.conn_wait)?);
    let histograms = Tally { latency, service, lateness, conn_wait, ..Tally::default() };
    Some(histograms.with_counts_of(frame))
}

/// Whether the sums of both stay within what a frame may hold.
fn fits(a: &Tally, b: &Tally) -> bool {
    let pairs = [
        (&a.latency, &b.latency),
        (&a.service, &b.service),
        (&a.lateness, &b.lateness),
        (&a.conn_wait, &b.conn_wait),
    ];
    pairs.iter().all(|(a, b)| a.count().saturating_add(b.count()) <= SAMPLES_A_FRAME_MAX)
}
