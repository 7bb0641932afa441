//! Names of one kind, of which so many are kept.

use foldhash::{HashMap, HashSet};

/// Names of one kind that are kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// Zeros that a hash begins with.
    pub(super) zeros: u32,
    pub(super) hashes: HashSet<u64>,
    /// The most that were kept at once: as many as there are, up to the limit.
    pub(super) most: usize,
}

impl Kept {
    /// Those of which as many zeros are asked for; which there were is not known.
    pub(super) fn with_zeros(zeros: u32) -> Self {
        Self { zeros, ..Self::default() }
    }

    pub(super) fn has(&self, hash: u64) -> bool {
        hash.leading_zeros() >= self.zeros
    }

    /// Whether some were left out.
    pub(super) fn is_thinned(&self) -> bool {
        self.zeros > 0
    }

    /// True when names that were kept are not any more.
    pub(super) fn note(&mut self, hash: u64, max: usize) -> bool {
        self.has(hash) && self.hashes.insert(hash) && self.trim(max)
    }

    pub(super) fn trim(&mut self, max: usize) -> bool {
        self.most = self.most.max(self.hashes.len()).min(max);
        let before = self.zeros;
        while self.hashes.len() > max && self.zeros < u64::BITS {
            self.zeros += 1;
            self.hashes.retain(|hash| hash.leading_zeros() >= self.zeros);
        }
        self.zeros > before
    }

    pub(super) fn merge(&mut self, other: &Self, max: usize) -> bool {
        let before = self.zeros;
        if other.zeros > self.zeros {
            self.zeros = other.zeros;
            self.hashes.retain(|hash| hash.leading_zeros() >= other.zeros);
        }
        self.most = self.most.max(other.most);
        self.hashes.extend(other.hashes.iter().filter(|hash| hash.leading_zeros() >= self.zeros));
        self.trim(max);
        self.zeros > before
    }
}

/// How many names of two parts are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairLimits {
    /// First parts; where this is reached, each has as many second parts as leave room for all.
    pub(super) firsts: usize,
    /// Second parts of one first part.
    pub(super) each: usize,
    /// The same of all.
    pub(super) all: usize,
}

impl PairLimits {
    /// Second parts of one, where there are as many first parts as may be.
    fn least(&self) -> usize {
        (self.all / self.firsts.max(1)).clamp(1, self.each.max(1))
    }
}

/// Names of two parts: those that have many second parts lose these, and the others none.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    pub(super) firsts: Kept,
    /// By the hash of the first part.
    pub(super) seconds: HashMap<u64, Kept>,
    pub(super) each_max: usize,
    /// Over all first parts, [`Kept::most`].
    most: usize,
}

impl Pairs {
    pub(super) fn new(each_max: usize) -> Self {
        Self { firsts: Kept::default(), seconds: HashMap::default(), each_max, most: 0 }
    }

    pub(super) fn has(&self, first: u64, second: u64) -> bool {
        self.seconds.get(&first).is_none_or(|seconds| seconds.has(second))
    }

    /// True when names that were kept are not any more, here and below.
    pub(super) fn first(&mut self, first: u64, limits: &PairLimits) -> bool {
        if !self.firsts.note(first, limits.firsts) {
            return false;
        }
        self.flooded(limits);
        true
    }

    /// There are more first parts than may be: what belongs to those that were left out was counted or not, as it came, so
    /// that no limit must follow from its count.
    fn flooded(&mut self, limits: &PairLimits) {
        self.seconds.retain(|first, _| self.firsts.has(*first));
        self.limit_each(limits.least());
    }

    /// After [`Self::first`] of the same.
    pub(super) fn second(&mut self, first: u64, second: u64, limits: &PairLimits) -> bool {
        if !self.firsts.has(first) {
            return false;
        }
        let seconds = self.seconds.entry(first).or_default();
        let before = seconds.most;
        let lowered = seconds.note(second, self.each_max);
        self.most += seconds.most - before;
        lowered | self.fit(limits)
    }

    /// Fewer are kept from now on.
    pub(super) fn narrow(&mut self, limits: &PairLimits) -> bool {
        let lowered = self.firsts.trim(limits.firsts);
        if lowered {
            self.flooded(limits);
        }
        lowered | self.fit(limits)
    }

    /// Lowers the limit of each first part until there is room for all.
    fn fit(&mut self, limits: &PairLimits) -> bool {
        let before = self.each_max;
        while self.most > limits.all && self.each_max > limits.least() {
            self.limit_each((self.each_max / 2).max(limits.least()));
        }
        self.each_max < before
    }

    fn limit_each(&mut self, max: usize) {
        self.each_max = self.each_max.min(max);
        for seconds in self.seconds.values_mut() {
            seconds.trim(self.each_max);
        }
        self.most = self.seconds.values().map(|seconds| seconds.most).sum();
    }

    pub(super) fn merge(&mut self, other: &Self, limits: &PairLimits) -> bool {
        let mut lowered = self.firsts.merge(&other.firsts, limits.firsts);
        self.each_max = self.each_max.min(other.each_max);
        for (first, seconds) in &other.seconds {
            self.seconds.entry(*first).or_default().merge(seconds, self.each_max);
        }
        if self.firsts.is_thinned() {
            self.flooded(limits);
        }
        self.limit_each(self.each_max);
        lowered |= self.fit(limits);
        lowered | self.seconds.values().any(Kept::is_thinned)
    }
}
