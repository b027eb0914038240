//! What is asked before something is destroyed.

use crate::error::{Error, Result};
use crate::{print, program};

/// What is to be destroyed, in the words of the question.
#[derive(Debug, Clone, Copy)]
pub struct Doomed<'a> {
    /// What it is: `application`.
    pub what: &'a str,
    /// What it is where another name was typed: `App`.
    pub title: &'a str,
    /// Its name, which is to be typed.
    pub name: &'a str,
}

impl Doomed<'_> {
    /// Goes on when its name was given in advance, or is typed by the person at the terminal.
    pub fn confirm(self, given: Option<&str>) -> Result {
        let Self { what, title, name } = self;
        let typed = match given {
            Some(typed) => typed.to_owned(),
            None if program::current().is_upstream() => print::ask(&format!(
                " !    WARNING: Potentially Destructive Action\n \
                 !    This command will destroy the {what}: {name}\n \
                 !    To proceed, type \"{name}\" or re-run this command with --confirm={name}\n\n> "
            ))?,
            None if print::can_ask() => {
                print::warning("WARNING: Potentially Destructive Action");
                print::warning(format_args!("This command will destroy the {what}: {name}"));
                print::ask(&format!("!    To proceed, type \"{name}\": "))?
            }
            None => {
                return Err(
                    Error::new(format!("destroying {name} must be confirmed")).hint(format!("pass --confirm={name}"))
                );
            }
        };
        if typed == name {
            Ok(())
        } else {
            Err(Error::new(format!("{title} {name} does not match confirm {typed}, aborting.")))
        }
    }
}
