//! A PostgreSQL server of its own, in a temporary folder, on a free port.
