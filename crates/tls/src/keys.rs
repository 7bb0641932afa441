//! What settings are called where people write them.

/// How the keys of the settings are called, for errors that say which one to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// In a scenario, within a block: `tls: { ca: … }`.
    Scenario,
    /// As flags that begin so: of `--metrics-to` the flag `--metrics-to-ca`.
    Flags(&'static str),
}

impl Keys {
    /// The name of a key, in the quotes of prose.
    pub(crate) fn of(self, key: &str) -> String {
        match self {
            Self::Scenario => format!("`tls.{key}`"),
            Self::Flags(begin) => format!("`{begin}-{}`", key.replace('_', "-")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_called_as_it_was_written() {
        assert_eq!(Keys::Scenario.of("server_name"), "`tls.server_name`");
        assert_eq!(Keys::Flags("--metrics-to").of("server_name"), "`--metrics-to-server-name`");
    }
}
