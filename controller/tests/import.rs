//! Importing the database of another platform, on both of our databases and from every form of source.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

#[path = "import/bed.rs"]
mod bed;
#[path = "import/command.rs"]
mod command;
#[path = "import/contents.rs"]
mod contents;
#[path = "import/hostile.rs"]
mod hostile;
#[path = "import/running.rs"]
mod running;
#[path = "import/source.rs"]
mod source;
