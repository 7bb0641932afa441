//! Values bound to a statement.

use sqlx::error::BoxDynError;
use sqlx::{Arguments, Database, Encode, Type};

/// The values of a statement's parameters, in order.
pub struct Args<DB: Database>(Result<DB::Arguments, BoxDynError>);

impl<DB: Database> Args<DB> {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self(Ok(DB::Arguments::default()))
    }

    /// Adds the next value. One that cannot be encoded fails the statement when it is run.
    #[must_use]
    pub fn bind<'t, T: Encode<'t, DB> + Type<DB>>(mut self, value: T) -> Self {
        if let Ok(values) = &mut self.0
            && let Err(error) = values.add(value)
        {
            self.0 = Err(error);
        }
        self
    }

    pub(super) fn take(self) -> Result<DB::Arguments, sqlx::Error> {
        self.0.map_err(sqlx::Error::Encode)
    }
}

impl<DB: Database> Default for Args<DB> {
    fn default() -> Self {
        Self::new()
    }
}

impl<DB: Database> std::fmt::Debug for Args<DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Args").finish_non_exhaustive()
    }
}
