//! Container engines: a real Podman where one is installed (`apt-get install podman`), and engines in this process that
//! answer what no engine should.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails a test, and the setting for tests covers only the test functions themselves"
)]

mod bed;
mod hostile;
mod podman;
