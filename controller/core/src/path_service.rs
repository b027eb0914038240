//! Paths that lead to processes of another type than the usual one. Source: `drycc-v2.md` §2.13.

use crate::ProcessType;

/// The paths of one process type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathService {
    /// The type.
    pub process_type: ProcessType,
    /// Regular expressions with commas between them, as the user wrote them.
    pub path_pattern: String,
}

/// Most characters of a list of patterns.
pub const PATTERN_MAX: usize = 1024;
/// Most patterns of one process type.
pub const PATTERNS_MAX: usize = 16;

/// The patterns of a list, without blanks around them and without empty ones.
pub fn patterns(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty())
}
