//! Persistence on SQLite and PostgreSQL; the only crate that names diesel.
