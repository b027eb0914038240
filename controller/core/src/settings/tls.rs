//! How an app is reached by TLS. Source: `drycc-v2.md` §2.9.

use chrono::{DateTime, Utc};

use crate::{AppId, UserId, Username};

/// How an app treats plain HTTP, and where its certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The app.
    pub app: AppId,
    /// Who owns it.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// Whether plain requests are sent to HTTPS; nothing until somebody has said so.
    pub https_enforced: Option<bool>,
    /// Whether the platform gets certificates for the app's own domains; nothing for what the operator has set: it does
    /// where there is an issuer.
    pub certs_auto_enabled: Option<bool>,
    /// When it was made, with the app.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}

/// What shall become of something that is on, off, or not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SwitchChange {
    /// It stays.
    #[default]
    Keep,
    /// As if nobody had said anything.
    Unset,
    /// This.
    To(bool),
}

impl SwitchChange {
    fn apply(self, before: Option<bool>) -> Option<bool> {
        match self {
            Self::Keep => before,
            Self::Unset => None,
            Self::To(to) => Some(to),
        }
    }
}

/// What shall be changed of an app's [`Tls`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TlsChange {
    /// Whether plain requests are sent to HTTPS.
    pub https_enforced: SwitchChange,
    /// Whether the platform gets certificates for the app's own domains.
    pub certs_auto_enabled: SwitchChange,
}

/// How TLS is treated after a change; `None` when nothing changes. Owner and times are the caller's to set.
///
/// An unset is a change even of what is not set, and a change that names nothing unsets everything. Source:
/// `drycc-v2.md` §2.9 \[R!\].
#[must_use]
pub fn tls_apply(previous: &Tls, change: &TlsChange) -> Option<Tls> {
    let TlsChange { mut https_enforced, mut certs_auto_enabled } = *change;
    if *change == TlsChange::default() {
        (https_enforced, certs_auto_enabled) = (SwitchChange::Unset, SwitchChange::Unset);
    }
    let next = Tls {
        https_enforced: https_enforced.apply(previous.https_enforced),
        certs_auto_enabled: certs_auto_enabled.apply(previous.certs_auto_enabled),
        ..previous.clone()
    };
    let is_unset = [https_enforced, certs_auto_enabled].contains(&SwitchChange::Unset);
    (is_unset || next != *previous).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_switch_changes_without_the_other() {
        use SwitchChange::{Keep, To, Unset};
        let tls = |https_enforced, certs_auto_enabled| Tls {
            app: AppId::from_uuid(uuid::Uuid::nil()),
            owner: UserId::from_uuid(uuid::Uuid::nil()),
            owner_name: Username::new("bob").unwrap(),
            https_enforced,
            certs_auto_enabled,
            created: DateTime::UNIX_EPOCH,
            updated: DateTime::UNIX_EPOCH,
        };
        let (no, on, off) = (None, Some(true), Some(false));
        for (before, change, after) in [
            ((no, no), (To(true), Keep), Some((on, no))),
            ((no, on), (To(false), Keep), Some((off, on))),
            ((on, no), (Keep, To(false)), Some((on, off))),
            ((on, off), (To(true), To(true)), Some((on, on))),
            ((on, off), (Unset, Keep), Some((no, off))),
            ((on, off), (Keep, Unset), Some((on, no))),
            ((on, off), (Keep, Keep), Some((no, no))),
            // Nothing changes, which is told, but for what is unset.
            ((on, off), (To(true), Keep), None),
            ((on, off), (Keep, To(false)), None),
            ((on, off), (To(true), To(false)), None),
            ((no, no), (Unset, Keep), Some((no, no))),
            ((no, on), (Unset, To(true)), Some((no, on))),
            ((no, no), (Keep, Keep), Some((no, no))),
        ] {
            let change = TlsChange { https_enforced: change.0, certs_auto_enabled: change.1 };
            let applied = tls_apply(&tls(before.0, before.1), &change);
            assert_eq!(applied, after.map(|(enforced, auto)| tls(enforced, auto)), "{before:?} {change:?}");
        }
    }
}
