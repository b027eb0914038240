//! What came over and what did not, by kind of row.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Most rows of one kind that the report names for one reason; the others are counted.
const NAMED_MAX: usize = 20;

/// A kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Accounts.
    Users,
    /// What users log in with instead of a password.
    Tokens,
    /// SSH public keys.
    Keys,
    /// Apps.
    Apps,
    /// Configurations.
    Configs,
    /// Builds.
    Builds,
    /// Releases.
    Releases,
    /// Host names.
    Domains,
    /// TLS certificates.
    Certificates,
    /// Settings of apps.
    Settings,
    /// How apps treat plain HTTP.
    Tls,
    /// Who may use whose app.
    Perms,
    /// The log of old pushes.
    Pushes,
    /// Further services of apps (Drycc 2020).
    Services,
    /// Volumes of apps (Drycc 2020).
    Volumes,
    /// Service instances of apps (Drycc 2020).
    Resources,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Tokens => "tokens",
            Self::Keys => "keys",
            Self::Apps => "apps",
            Self::Configs => "configs",
            Self::Builds => "builds",
            Self::Releases => "releases",
            Self::Domains => "domains",
            Self::Certificates => "certificates",
            Self::Settings => "settings",
            Self::Tls => "tls",
            Self::Perms => "perms",
            Self::Pushes => "pushes",
            Self::Services => "services",
            Self::Volumes => "volumes",
            Self::Resources => "resources",
        })
    }
}

/// Rows that share a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    /// How many.
    pub count: usize,
    /// Names of the first of them.
    pub rows: Vec<String>,
}

impl Named {
    fn add(&mut self, row: &str) {
        self.count += 1;
        if self.rows.len() < NAMED_MAX {
            self.rows.push(shown(row));
        }
    }
}

/// What became of the rows of one kind. `found` is the sum of `imported`, `existing` and those that were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Rows in the source.
    pub found: usize,
    /// Rows that were added.
    pub imported: usize,
    /// Rows that were here already, and were left alone.
    pub existing: usize,
    /// Rows that were not taken over, by reason.
    pub refused: BTreeMap<String, Named>,
    /// Rows that were taken over with a difference, by what it is.
    pub changed: BTreeMap<String, Named>,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing was kept.
    pub dry_run: bool,
    /// By kind; a kind without rows is there too.
    pub kinds: BTreeMap<Kind, Tally>,
    /// What the operator has to do or to know.
    pub remarks: Vec<String>,
}

impl Report {
    fn tally(&mut self, kind: Kind) -> &mut Tally {
        self.kinds.entry(kind).or_default()
    }

    /// Has the kind appear although there are no rows.
    pub(crate) fn mention(&mut self, kind: Kind) {
        self.tally(kind);
    }

    pub(crate) fn imported(&mut self, kind: Kind) {
        let tally = self.tally(kind);
        tally.found += 1;
        tally.imported += 1;
    }

    pub(crate) fn existing(&mut self, kind: Kind) {
        let tally = self.tally(kind);
        tally.found += 1;
        tally.existing += 1;
    }

    pub(crate) fn refused(&mut self, kind: Kind, row: &str, reason: impl Into<String>) {
        let tally = self.tally(kind);
        tally.found += 1;
        tally.refused.entry(shown(&reason.into())).or_default().add(row);
    }

    /// So many rows that are not looked at one by one.
    pub(crate) fn refused_all(&mut self, kind: Kind, count: usize, reason: &str) {
        let tally = self.tally(kind);
        tally.found += count;
        if count > 0 {
            tally.refused.entry(reason.to_owned()).or_default().count += count;
        }
    }

    pub(crate) fn changed(&mut self, kind: Kind, row: &str, what: impl Into<String>) {
        self.tally(kind).changed.entry(shown(&what.into())).or_default().add(row);
    }

    /// How many rows of a kind were added.
    #[must_use]
    pub fn count_imported(&self, kind: Kind) -> usize {
        self.kinds.get(&kind).map_or(0, |tally| tally.imported)
    }
}

/// A name from the source as it may stand in a terminal: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(200).flat_map(char::escape_debug).collect();
    if text.chars().nth(200).is_some() {
        short.push('…');
    }
    // `escape_debug` is for texts between quotes.
    short.replace("\\'", "'").replace("\\\"", "\"")
}

/// One of the maps of a tally.
type Part = fn(&Tally) -> &BTreeMap<String, Named>;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = if self.dry_run { "would import" } else { "imported" };
        writeln!(f, "{:<14}{:>9}{:>14}{:>14}{:>14}", "", "found", head, "here already", "not imported")?;
        for (kind, tally) in &self.kinds {
            let refused: usize = tally.refused.values().map(|named| named.count).sum();
            let Tally { found, imported, existing, .. } = tally;
            writeln!(f, "{kind:<14}{found:>9}{imported:>14}{existing:>14}{refused:>14}", kind = kind.to_string())?;
        }
        let sections: [(&str, Part); 2] =
            [("Not imported:", |tally| &tally.refused), ("Imported with a difference:", |tally| &tally.changed)];
        for (title, part) in sections {
            if self.kinds.values().all(|tally| part(tally).is_empty()) {
                continue;
            }
            writeln!(f, "\n{title}")?;
            for (kind, tally) in &self.kinds {
                for (reason, named) in part(tally) {
                    writeln!(f, "  {kind}: {reason} ({})", named.count)?;
                    for row in &named.rows {
                        writeln!(f, "    {row}")?;
                    }
                    let rest = named.count - named.rows.len();
                    if rest > 0 && !named.rows.is_empty() {
                        writeln!(f, "    and {rest} more")?;
                    }
                }
            }
        }
        for remark in &self.remarks {
            writeln!(f, "\n{remark}")?;
        }
        if self.dry_run {
            writeln!(f, "\nNothing was changed: this was a dry run.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_the_first_of_them_named() {
        let mut report = Report::default();
        report.imported(Kind::Users);
        report.existing(Kind::Users);
        for number in 0..NAMED_MAX + 5 {
            report.refused(Kind::Users, &format!("user{number}"), "why");
        }
        report.changed(Kind::Users, "a\u{1b}[31m", "how");
        let tally = &report.kinds[&Kind::Users];
        assert_eq!((tally.found, tally.refused["why"].count), (NAMED_MAX + 7, NAMED_MAX + 5));
        let text = report.to_string();
        assert!(text.contains("and 5 more") && text.contains("user19") && !text.contains("user20"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
