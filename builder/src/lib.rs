//! Git over SSH, receive-pack in process, and source to slug.
