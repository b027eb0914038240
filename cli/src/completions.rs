//! Scripts that complete commands in a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::Result;
use crate::print;

/// Prints the script for a shell.
pub fn print(shell: Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "slipway", &mut script);
    print::raw(&script)
}
