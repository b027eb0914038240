//! Pages of long lists.

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most this many entries.
    pub limit: u32,
    /// Passing over this many first.
    pub offset: u64,
}

impl Page {
    /// The whole of a list that is known to be short.
    pub const ALL: Self = Self { limit: u32::MAX, offset: 0 };
}

impl Default for Page {
    /// The first hundred. Source: `drycc-v2.md` §1.7.
    fn default() -> Self {
        Self { limit: 100, offset: 0 }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// How long the whole list is.
    pub total: u64,
    /// The entries of this page.
    pub items: Vec<T>,
}
