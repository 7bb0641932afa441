//! Names of runs, environments and keys: short, inline, cheap to copy and compare.

use std::fmt;
use std::str::FromStr;

/// Longest name of a run, an environment or a key, in bytes.
pub const ID_MAX_BYTES: usize = 24;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty or longer than [`ID_MAX_BYTES`].
    #[error("a name has 1 to {ID_MAX_BYTES} characters")]
    Length,
    /// A character is not a letter, a digit, `_` or `-`.
    #[error("a name has only the characters A-Z a-z 0-9 _ -")]
    Character,
}

// Zero-padded, so that comparing the whole array compares the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Text {
    bytes: [u8; ID_MAX_BYTES],
    len: u8,
}

impl Text {
    fn new(text: &[u8]) -> Result<Self, IdError> {
        let len = u8::try_from(text.len()).map_err(|_| IdError::Length)?;
        let mut bytes = [0; ID_MAX_BYTES];
        let Some(room) = bytes.get_mut(..text.len()).filter(|room| !room.is_empty()) else {
            return Err(IdError::Length);
        };
        if !text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            return Err(IdError::Character);
        }
        room.copy_from_slice(text);
        Ok(Self { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 24 characters of `A-Z a-z 0-9 _ -`, held inline; in JSON a string.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Text);

        impl $name {
            /// Takes the name from ASCII bytes.
            ///
            /// # Errors
            /// [`IdError`] when the length or a character is not allowed.
            pub fn from_bytes(text: &[u8]) -> Result<Self, IdError> {
                Text::new(text).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The name as ASCII bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::from_bytes(text.as_bytes())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// The name of one drill run.
    RunId
}
id! {
    /// The name of an environment (`production`, `staging`): a token of one is refused in every other.
    EnvId
}
id! {
    /// The name of a signing key, by which a verifier finds the public half.
    KeyId
}

#[cfg(test)]
mod tests {
    use super::{IdError, RunId};

    #[test]
    fn length_and_characters_are_checked() {
        assert_eq!("".parse::<RunId>(), Err(IdError::Length));
        assert_eq!("a".repeat(25).parse::<RunId>(), Err(IdError::Length));
        assert_eq!("a".repeat(300).parse::<RunId>(), Err(IdError::Length));
        for bad in ["a.b", "a b", "é", "a|b", "a\0"] {
            assert_eq!(bad.parse::<RunId>(), Err(IdError::Character), "{bad:?}");
        }
        let longest = "aZ09_-".repeat(4);
        let id: RunId = longest.parse().unwrap();
        assert_eq!(id.to_string(), longest);
        assert_eq!(serde_json::from_str::<RunId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        assert!(serde_json::from_str::<RunId>("\"a.b\"").is_err());
    }
}
