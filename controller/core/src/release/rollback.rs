//! Which release a rollback goes back to. Source: `drycc-v2.md` §3.4.

use serde_json::Value;

use super::{Release, ReleaseState, ReleaseVersion};
use crate::{Error, Result};

/// The message when there is nothing to run.
pub const NO_BUILD: &str = "No build associated with this release";

/// How far back a rollback may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackFloor {
    /// To the second release, and to none without a build once there is one.
    SecondRelease,
    /// To the very first; nothing of the app runs after it.
    Initial,
}

/// The number that a rollback asks for; by default the one before `current`.
///
/// # Errors
/// `Rejected` when `wanted` is not a number, or below `floor`.
pub fn rollback_version(
    wanted: Option<&Value>,
    current: ReleaseVersion,
    floor: RollbackFloor,
) -> Result<ReleaseVersion> {
    let reject = |text: &str| Err(Error::Rejected(text.to_owned()));
    let number = match wanted {
        None | Some(Value::Null) => i128::from(current.0) - 1,
        Some(value) => {
            let text = match value {
                Value::String(text) => text.trim().to_owned(),
                other => other.to_string(),
            };
            match text.parse::<i128>() {
                Ok(number) => number,
                Err(_) => return reject("version must be a number"),
            }
        }
    };
    match number {
        ..1 => reject("version cannot be below 0"),
        1 if floor == RollbackFloor::SecondRelease => reject("Cannot roll back to initial release."),
        _ => match u32::try_from(number) {
            Ok(number) => Ok(ReleaseVersion(number)),
            Err(_) => reject("Release matching query does not exist."),
        },
    }
}

/// Checks that the release of that number can be gone back to, from one that has a build or not.
///
/// A release that was replaced before it was ready never ran, so it counts as failed.
///
/// # Errors
/// `Rejected` when it does not exist, failed, or has no build though the current one has and `floor` minds.
pub fn rollback_check(target: Option<Release>, has_current_build: bool, floor: RollbackFloor) -> Result<Release> {
    let reject = |text: &str| Err(Error::Rejected(text.to_owned()));
    let Some(target) = target else { return reject("Release matching query does not exist.") };
    match target.state {
        ReleaseState::Failed | ReleaseState::Superseded | ReleaseState::Canceled => {
            reject("Cannot roll back to failed release.")
        }
        ReleaseState::Created | ReleaseState::Deploying | ReleaseState::Succeeded
            if floor == RollbackFloor::SecondRelease && has_current_build && target.build.is_none() =>
        {
            reject(NO_BUILD)
        }
        ReleaseState::Created | ReleaseState::Deploying | ReleaseState::Succeeded => Ok(target),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;
    use crate::{AppId, BuildId, ConfigId, ReleaseId, UserId, Username};

    #[test]
    fn versions() {
        for (wanted, current, expect) in [
            (None, 5, Ok(4)),
            (Some(json!(3)), 5, Ok(3)),
            (Some(json!(" 3 ")), 5, Ok(3)),
            (Some(json!(5)), 5, Ok(5)),
            (None, 2, Err("Cannot roll back to initial release.")),
            (None, 1, Err("version cannot be below 0")),
            (Some(json!(0)), 5, Err("version cannot be below 0")),
            (Some(json!(-7)), 5, Err("version cannot be below 0")),
            (Some(json!("x")), 5, Err("version must be a number")),
            (Some(json!(2.7)), 5, Err("version must be a number")),
            (Some(json!([2])), 5, Err("version must be a number")),
            (Some(json!(99_999_999_999_u64)), 5, Err("Release matching query does not exist.")),
        ] {
            let got = rollback_version(wanted.as_ref(), ReleaseVersion(current), RollbackFloor::SecondRelease);
            match expect {
                Ok(number) => assert_eq!(got.unwrap(), ReleaseVersion(number)),
                Err(text) => assert_eq!(got.unwrap_err().to_string(), text, "{wanted:?}"),
            }
        }
    }

    #[test]
    fn targets() {
        let release = |state: ReleaseState, has_build: bool| Release {
            id: ReleaseId::generate(),
            app: AppId::generate(),
            owner: UserId::generate(),
            owner_name: Username::new("bob").unwrap(),
            version: ReleaseVersion(2),
            summary: String::new(),
            config: ConfigId::generate(),
            build: has_build.then(BuildId::generate),
            state,
            exception: String::new(),
            deadline: None,
            created: Utc::now(),
            updated: Utc::now(),
        };
        for (target, has_current_build, expect) in [
            (Some(release(ReleaseState::Succeeded, true)), true, None),
            (Some(release(ReleaseState::Succeeded, false)), false, None),
            (Some(release(ReleaseState::Succeeded, false)), true, Some(NO_BUILD)),
            (Some(release(ReleaseState::Failed, true)), true, Some("Cannot roll back to failed release.")),
            (Some(release(ReleaseState::Superseded, true)), true, Some("Cannot roll back to failed release.")),
            (None, true, Some("Release matching query does not exist.")),
        ] {
            let got = rollback_check(target, has_current_build, RollbackFloor::SecondRelease)
                .err()
                .map(|error| error.to_string());
            assert_eq!(got.as_deref(), expect);
        }
        let bare = Some(release(ReleaseState::Succeeded, false));
        assert!(rollback_check(bare, true, RollbackFloor::Initial).is_ok());
        let failed = Some(release(ReleaseState::Failed, false));
        assert!(rollback_check(failed, true, RollbackFloor::Initial).is_err());
    }

    #[test]
    fn the_initial_release_may_be_within_reach() {
        let version = |wanted: Option<Value>, current| {
            rollback_version(wanted.as_ref(), ReleaseVersion(current), RollbackFloor::Initial)
        };
        assert_eq!(version(None, 2).unwrap(), ReleaseVersion(1));
        assert_eq!(version(Some(json!("1")), 9).unwrap(), ReleaseVersion(1));
        assert!(version(None, 1).is_err() && version(Some(json!(0)), 9).is_err());
    }
}
