//! Names that people give to things.

use crate::Error;

/// Longest name, in characters. Source: `team-api.md` §1.10.
pub const NAME_MAX: usize = 70;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 4096;

/// Checks a name given under `property`: 1 to [`NAME_MAX`] characters, no blanks around it, no control characters.
///
/// # Errors
/// 400 that names `property`.
pub fn name_check(property: &str, name: &str) -> Result<(), Error> {
    let message = if name.is_empty() {
        "must not be empty"
    } else if name.chars().count() > NAME_MAX {
        "must have at most 70 characters"
    } else if name.trim() != name {
        "must not begin or end with blanks"
    } else if name.chars().any(char::is_control) {
        "must not hold control characters"
    } else {
        return Ok(());
    };
    Err(Error::invalid(property, format!("{property} {message}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_length_and_no_blanks_around() {
        for good in ["a", "Docker Hub Library", "größer", &"x".repeat(70), &"ü".repeat(70)] {
            assert!(name_check("name", good).is_ok(), "{good}");
        }
        for bad in ["", " ", " a", "a\n", "a\tb", "a\0", &"x".repeat(71)] {
            assert!(name_check("name", bad).is_err(), "{bad:?}");
        }
    }
}
