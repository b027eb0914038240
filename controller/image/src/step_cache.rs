//! How a registry names what the steps of Dockerfiles made, which the app's next build uses again.
//!
//! Each app has a repository of its own below that of its images. The app's identity is in its name: who takes the name
//! of a destroyed app finds nothing that another left there. A tag names the week in which it was used last, so that
//! what has not been used for a while is known by the names alone.

use std::time::{Duration, SystemTime};

/// Before the app's identity in the last part of a repository's name.
const REPOSITORY_PREFIX: &str = "steps-";
/// Before the week in a tag.
const TAG_PREFIX: &str = "week-";
/// For how many weeks something is kept that is not used, the one it was used in included.
pub const WEEKS_KEPT: u64 = 2;

/// The repository for the steps of the app with the identity `app`, whose images are in the repository `images`.
#[must_use]
pub fn repository(images: &str, app: &str) -> String {
    format!("{images}/{REPOSITORY_PREFIX}{app}")
}

/// The repository of the app's images, if `repository` is one for steps.
#[must_use]
pub fn images_of(repository: &str) -> Option<&str> {
    let (images, last) = repository.rsplit_once('/')?;
    last.starts_with(REPOSITORY_PREFIX).then_some(images)
}

/// A week, counted from the beginning of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week(u64);

impl Week {
    /// The week of `time`.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs() / Duration::from_hours(24 * 7).as_secs())
    }

    /// This one and those before it in which something was used that is still kept, newest first.
    pub fn kept(self) -> impl Iterator<Item = Self> {
        (0..WEEKS_KEPT).filter_map(move |ago| self.0.checked_sub(ago)).map(Self)
    }

    /// The tag of what is found by `key`, used in this week.
    #[must_use]
    pub fn tag(self, key: &str) -> String {
        format!("{TAG_PREFIX}{}-{key}", self.0)
    }

    /// The week that a tag names.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        tag.strip_prefix(TAG_PREFIX)?.split_once('-')?.0.parse().ok().map(Self)
    }

    /// Whether what was used in this week last is kept in the week `now`.
    #[must_use]
    pub fn is_kept_in(self, now: Self) -> bool {
        self.0 + WEEKS_KEPT > now.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_belong_to_those_of_images() {
        let steps = repository("apps/shop", "0193a6b2");
        assert_eq!((steps.as_str(), images_of(&steps)), ("apps/shop/steps-0193a6b2", Some("apps/shop")));
        for other in ["apps/shop", "steps-1", "apps/shop/steps", "apps/steps-1/x"] {
            assert_eq!(images_of(other), None, "{other}");
        }
    }

    #[test]
    fn tags_say_for_how_long_they_are_kept() {
        let day = |days: u64| Week::of(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * days));
        assert_eq!(day(13), day(7));
        let used = day(7);
        assert_eq!((used.tag("abc").as_str(), Week::of_tag(&used.tag("abc"))), ("week-1-abc", Some(used)));
        assert_eq!([day(7), day(14), day(21)].map(|now| used.is_kept_in(now)), [true, true, false]);
        assert_eq!(day(21).kept().collect::<Vec<_>>(), [day(21), day(14)]);
        assert_eq!(day(0).kept().collect::<Vec<_>>(), [day(0)]);
        for other in ["git-1", "week-", "week-x-1", "week-1"] {
            assert_eq!(Week::of_tag(other), None, "{other}");
        }
    }
}
