//! Kinds of spans that came last, told by where their texts lie in memory: spans of one kind share their texts, so that
//! to see that nothing about one is new takes no hash of a name and one look.

use std::sync::Arc;

/// Kinds that are remembered: a power of two. A system has a few hundred; what is forgotten is looked up by its names.
const SLOTS: usize = 512;
/// Texts that make a kind.
pub(crate) const TEXTS: usize = 5;

/// Where the texts of a kind lie, and what makes it besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    texts: [usize; TEXTS],
    besides: u32,
}

impl Place {
    fn slot(&self) -> usize {
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = self.texts.iter().fold(u64::from(self.besides), |mixed, text| {
            (mixed.rotate_left(21) ^ *text as u64).wrapping_mul(MIX)
        });
        (mixed >> 40) as usize % SLOTS
    }
}

#[derive(Debug)]
struct Kind {
    place: Place,
    /// Nothing else can lie where these do.
    _texts: [Option<Arc<str>>; TEXTS],
}

/// The kinds that came last.
#[derive(Debug)]
pub(crate) struct Seen(Vec<Option<Kind>>);

impl Default for Seen {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| None).collect())
    }
}

impl Seen {
    /// Whether a kind came before, and is remembered; it is from now on.
    pub(crate) fn again(&mut self, texts: [Option<&Arc<str>>; TEXTS], besides: u32) -> bool {
        let at = |text: Option<&Arc<str>>| text.map_or(0, |text| Arc::as_ptr(text).addr());
        let place = Place { texts: texts.map(at), besides };
        let Some(slot) = self.0.get_mut(place.slot()) else { return false };
        let again = slot.as_ref().is_some_and(|kind| kind.place == place);
        if !again {
            *slot = Some(Kind { place, _texts: texts.map(Option::<&Arc<str>>::cloned) });
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_all_of_it() {
        let texts: Vec<Arc<str>> = (0..TEXTS).map(|at| at.to_string().into()).collect();
        let of = |left_out: usize| -> [Option<&Arc<str>>; TEXTS] {
            std::array::from_fn(|at| texts.get(at).filter(|_| at != left_out))
        };
        let mut seen = Seen::default();
        for left_out in 0..=TEXTS {
            for besides in 0..4 {
                assert!(!seen.again(of(left_out), besides));
                assert!(seen.again(of(left_out), besides));
            }
        }
        // An equal text that lies elsewhere is looked up by what it says.
        let elsewhere: Arc<str> = "0".into();
        let mut others = of(TEXTS);
        others[0] = Some(&elsewhere);
        assert!(!seen.again(others, 0));
    }

    #[test]
    fn no_text_takes_the_place_of_one_that_is_remembered() {
        let mut seen = Seen::default();
        for at in 0..10_000 {
            let text: Arc<str> = at.to_string().into();
            assert!(!seen.again([Some(&text), None, None, None, None], 0), "{at}");
        }
    }
}
