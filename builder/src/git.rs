//! Git's server side, in process: the wire protocol, the repositories, and what is checked before a push counts.
//!
//! Nothing here knows SSH, apps or the controller. Blocking libgit2 work runs on blocking threads, one a push.

pub mod checkout;
pub mod command;
pub mod connectivity;
pub mod pack;
pub mod packet;
pub mod quarantine;
pub mod receive;
pub mod repository;
pub mod stream;
pub mod upload;
