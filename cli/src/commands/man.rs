//! Manual pages, one a command, from the same source as `--help`.

use std::fs;
use std::path::Path;

use clap::Command;

use crate::args::grammar;
use crate::error::{Error, Result};
use crate::print;

/// Writes `slipway.1` and a page for each command into `folder`.
pub fn write(folder: &Path) -> Result {
    let cannot = |error: std::io::Error| Error::caused(format!("cannot write to {}", folder.display()), &error);
    fs::create_dir_all(folder).map_err(cannot)?;
    let mut root = grammar();
    // Gives commands the names by which pages are called: slipway-apps-create.
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages);
    for page in &pages {
        let mut text = Vec::new();
        let source = concat!("slipway ", env!("CARGO_PKG_VERSION"));
        clap_mangen::Man::new((*page).clone()).source(source).manual("Slipway").render(&mut text).map_err(cannot)?;
        let name = page.get_display_name().unwrap_or_else(|| page.get_name());
        fs::write(folder.join(format!("{name}.1")), text).map_err(cannot)?;
    }
    print::line(format_args!("Wrote {} pages to {}.", pages.len(), folder.display()))
}

fn collect<'a>(command: &'a Command, pages: &mut Vec<&'a Command>) {
    pages.push(command);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        collect(below, pages);
    }
}
