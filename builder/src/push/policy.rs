//! Which refs of a push deploy, which are only kept, and which are refused.

use crate::git::command::{Command, RefName};

/// The branches that deploy.
pub const DEPLOYS: [&str; 2] = ["main", "master"];

/// What shall be done about one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Build and release it; the ref moves if that succeeds.
    Deploy(RefName),
    /// Move, make or delete the ref, no more.
    Store(RefName),
    /// Leave the ref alone; the reason is for the pusher.
    Refuse(String),
}

impl Verdict {
    /// The ref that is to change.
    #[must_use]
    pub fn name(&self) -> Option<&RefName> {
        match self {
            Self::Deploy(name) | Self::Store(name) => Some(name),
            Self::Refuse(_) => None,
        }
    }
}

/// Judges the commands of one push, one verdict each.
///
/// The first branch of [`DEPLOYS`] deploys and a second is refused, since an app runs one commit. Deletions, tags
/// and other branches are stored.
#[must_use]
pub fn judge(commands: &[Command]) -> Vec<Verdict> {
    let mut has_deploy = false;
    commands
        .iter()
        .map(|command| {
            let name = match &command.name {
                Ok(name) => name.clone(),
                Err(reason) => return Verdict::Refuse((*reason).to_owned()),
            };
            let deploys = !command.is_deletion() && name.branch().is_some_and(|branch| DEPLOYS.contains(&branch));
            if !deploys {
                Verdict::Store(name)
            } else if std::mem::replace(&mut has_deploy, true) {
                Verdict::Refuse("only one branch deploys in a push; push main or master alone".to_owned())
            } else {
                Verdict::Deploy(name)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::command::parse;

    fn judged(lines: &[(&str, bool)]) -> Vec<String> {
        let id = "1".repeat(40);
        let zero = "0".repeat(40);
        let commands: Vec<_> = lines
            .iter()
            .map(|(name, deletes)| {
                let new = if *deletes { &zero } else { &id };
                parse(format!("{id} {new} {name}").as_bytes()).unwrap().0
            })
            .collect();
        judge(&commands)
            .iter()
            .map(|verdict| match verdict {
                Verdict::Deploy(_) => "deploy".to_owned(),
                Verdict::Store(_) => "store".to_owned(),
                Verdict::Refuse(reason) => reason.clone(),
            })
            .collect()
    }

    #[test]
    fn one_branch_deploys() {
        assert_eq!(judged(&[("refs/heads/main", false)]), ["deploy"]);
        assert_eq!(judged(&[("refs/heads/master", false)]), ["deploy"]);
        assert_eq!(judged(&[("refs/heads/main", true), ("refs/heads/master", false)]), ["store", "deploy"]);
        assert_eq!(judged(&[("refs/heads/feature", false), ("refs/tags/main", false)]), ["store", "store"]);
        let two = judged(&[("refs/heads/main", false), ("refs/heads/master", false)]);
        assert_eq!(two[0], "deploy");
        assert!(two[1].contains("only one branch"));
        assert_eq!(judged(&[("refs/heads/a..b", false)]), ["funny refname"]);
    }
}
