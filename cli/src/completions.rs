//! Scripts that complete commands in a shell.

use clap_complete::Shell;

use crate::args::grammar;
use crate::error::Result;
use crate::{print, program};

/// Prints the script for a shell.
pub fn print(shell: Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar(), program::current().name(), &mut script);
    print::raw(&script)
}
