//! Kinds of spans that came last, told by where their texts lie in memory: spans of one kind share their texts, so that
//! to see that nothing about one is new takes no hash of a name and one look.

use std::sync::Arc;

/// Places in a table, in each of which so many kinds are remembered. A system has a few hundred; what is forgotten is
/// looked up by its names.
const PLACES: usize = 1_024;
const KINDS: usize = 2;
/// Texts that make a kind.
pub(crate) const TEXTS: usize = 5;

/// Where the texts of a kind lie, and what makes it besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    texts: [usize; TEXTS],
    besides: u32,
}

impl Place {
    fn in_table(&self) -> usize {
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = self.texts.iter().fold(u64::from(self.besides), |mixed, text| {
            (mixed.rotate_left(21) ^ *text as u64).wrapping_mul(MIX)
        });
        (mixed >> 40) as usize % PLACES
    }
}

#[derive(Debug)]
struct Kind {
    place: Place,
    /// Nothing else can lie where these do.
    _texts: [Option<Arc<str>>; TEXTS],
}

/// The kinds that came last, the newest of a place first. No table until the first one comes.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<[Option<Kind>; KINDS]>);

impl Seen {
    /// Whether a kind came before, and is remembered; it is from now on.
    pub(crate) fn again(&mut self, texts: [Option<&Arc<str>>; TEXTS], besides: u32) -> bool {
        let at = |text: Option<&Arc<str>>| text.map_or(0, |text| Arc::as_ptr(text).addr());
        let place = Place { texts: texts.map(at), besides };
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || [const { None }; KINDS]);
        }
        let Some(kinds) = self.0.get_mut(place.in_table()) else { return false };
        let again = kinds.iter().flatten().any(|kind| kind.place == place);
        if !again {
            kinds.rotate_right(1);
            kinds[0] = Some(Kind { place, _texts: texts.map(Option::<&Arc<str>>::cloned) });
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
    fn hundreds_are_remembered() {
        let texts: Vec<Arc<str>> = (0..200).map(|at| at.to_string().into()).collect();
        let mut seen = Seen::default();
        let mut again =
            || texts.iter().filter(|text| seen.again([Some(text), None, None, None, None], 0)).count();
        assert_eq!(again(), 0);
        assert!(again() > 150);
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
