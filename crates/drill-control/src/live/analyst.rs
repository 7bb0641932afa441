//! A look at the cells on a thread of its own: its cost grows with the run, and no guard may wait for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
use std::time::{Duration, Instant};

use peakdrill_bottleneck::{AnalysisInput, Cells};

/// How much the thread gives way to others: a tenth of their weight.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// How much of a core looks may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// A rest is so many times as long as the look before it.
    rest_times: u32,
    rest_until: Option<Instant>,
}

impl Pace {
    /// At most one part in `rest_times + 1` of a core.
    pub(crate) fn new(rest_times: u32) -> Self {
        Self { rest_times, rest_until: None }
    }

    /// A look has ended.
    fn ended(&mut self, now: Instant, took: Duration) {
        self.rest_until = now.checked_add(took.saturating_mul(self.rest_times));
    }

    fn is_rested(&self, now: Instant) -> bool {
        self.rest_until.is_none_or(|until| now >= until)
    }
}

/// The thread is gone: it panicked. There will be no further answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

struct Answer<T> {
    found: T,
    ended: Instant,
    took: Duration,
}

/// Looks at the cells when asked, one look at a time, and rests in between.
pub(crate) struct Analyst<T> {
    asks: SyncSender<(Arc<Cells>, AnalysisInput)>,
    answers: Receiver<Answer<T>>,
    is_busy: bool,
    pace: Pace,
}

impl<T: Send + 'static> Analyst<T> {
    /// Starts the thread, which ends with its owner. `None` when there can be no further thread.
    pub(crate) fn start(
        pace: Pace,
        look: impl Fn(&Cells, &AnalysisInput) -> T + Send + 'static,
    ) -> Option<Self> {
        // Nothing is asked before the last answer: there is never more than one in either.
        let (asks, asked) = sync_channel::<(Arc<Cells>, AnalysisInput)>(1);
        let (answer, answers) = channel();
        let work = move || {
            give_way();
            for (cells, input) in asked {
                let began = Instant::now();
                let found = look(&cells, &input);
                let ended = Instant::now();
                if answer.send(Answer { found, ended, took: ended.duration_since(began) }).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("pd-analyst".into()).spawn(work).ok()?;
        Some(Self { asks, answers, is_busy: false, pace })
    }

    /// Whether it may be asked now.
    pub(crate) fn is_free(&self, now: Instant) -> bool {
        !self.is_busy && self.pace.is_rested(now)
    }

    /// Asks for a look. Not to be called while it is at work: the question would be passed over.
    pub(crate) fn ask(&mut self, cells: &Arc<Cells>, input: AnalysisInput) {
        self.is_busy |= self.asks.try_send((Arc::clone(cells), input)).is_ok();
    }

    /// What it found since it was asked, once.
    ///
    /// # Errors
    /// [`Gone`] when the thread has ended.
    pub(crate) fn answer(&mut self) -> Result<Option<T>, Gone> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(self.take(answer))),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }

    fn take(&mut self, answer: Answer<T>) -> T {
        self.is_busy = false;
        self.pace.ended(answer.ended, answer.took);
        answer.found
    }
}

/// Where cores are short, load and guards go before this thread. On Linux niceness is a thread's own; elsewhere it would be
/// the whole process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "the analysis runs beside the load as its equal");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::RecvTimeoutError;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    impl<T: Send + 'static> Analyst<T> {
        /// As [`Self::answer`], but waits for it.
        fn wait(&mut self) -> Result<T, Gone> {
            match self.answers.recv_timeout(PATIENCE) {
                Ok(answer) => Ok(self.take(answer)),
                Err(RecvTimeoutError::Disconnected) => Err(Gone),
                Err(RecvTimeoutError::Timeout) => panic!("no answer"),
            }
        }
    }

    fn asked(analyst: &mut Analyst<i64>, second: i64) {
        analyst.ask(&Arc::default(), AnalysisInput { load_seconds: second, ..AnalysisInput::default() });
    }

    #[test]
    fn a_rest_is_as_long_as_the_look_was() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(4);
        assert!(pace.is_rested(start));
        pace.ended(at(100), Duration::from_millis(50));
        assert!(!pace.is_rested(at(299)) && pace.is_rested(at(300)));
    }

    #[test]
    fn one_look_at_a_time() {
        let mut analyst = Analyst::start(Pace::new(0), |_, input| input.load_seconds).unwrap();
        assert!(analyst.is_free(Instant::now()) && analyst.answer() == Ok(None));
        asked(&mut analyst, 7);
        assert!(!analyst.is_free(Instant::now() + PATIENCE));
        assert_eq!(analyst.wait(), Ok(7));
        assert!(analyst.is_free(Instant::now()) && analyst.answer() == Ok(None), "told once");
    }

    #[test]
    fn a_look_that_panics_is_told() {
        let look = |_: &Cells, input: &AnalysisInput| {
            assert!(input.load_seconds < 2, "a bug on purpose");
            input.load_seconds
        };
        let mut analyst = Analyst::start(Pace::new(0), look).unwrap();
        asked(&mut analyst, 1);
        assert_eq!(analyst.wait(), Ok(1));
        asked(&mut analyst, 2);
        assert_eq!(analyst.wait(), Err(Gone));
        assert_eq!(analyst.answer(), Err(Gone));
    }
}
