//! Container engines: a real Podman and a real Docker where they are installed (`apt-get install podman docker.io`), and
//! engines in this process that answer what no engine should.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails a test, and the setting for tests covers only the test functions themselves"
)]

mod bed;
mod container;
mod hostile;
