//! What a release changed, in a sentence. Source: `drycc-v2.md` §3.3.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::Build;
use crate::config::Config;
use crate::{Username, VolumeName};

/// The sentence for the first release.
#[must_use]
pub fn summary_initial(owner: &Username) -> String {
    format!("{owner} created initial release")
}

/// The sentence for a rollback.
#[must_use]
pub fn summary_rollback(user: &Username, to: super::ReleaseVersion) -> String {
    format!("{user} rolled back to {to}")
}

/// The sentence for a release that is as the one before.
#[must_use]
pub fn summary_unchanged(user: &Username) -> String {
    format!("{user} changed nothing")
}

/// The sentence for a release that differs from the last good one by `build` (if it is a new one) and by `config`.
/// `None` when nothing differs.
#[must_use]
pub fn summary(build: Option<&Build>, previous: &Config, config: &Config) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(build) = build {
        let what = if build.sha.is_empty() { build.image.clone() } else { build.sha.chars().take(7).collect() };
        parts.push(format!("{} deployed {what}", build.owner_name));
    }
    let user = &config.owner_name;
    let texts = [
        changes(&previous.values, &config.values, ["added ", "changed ", "deleted "]),
        limits(previous, config),
        (previous.termination_grace_period != config.termination_grace_period)
            .then(|| "changed timeouts for termination_grace_period".to_owned()),
        hooks(previous, config),
        changes(&previous.tags, &config.tags, ["added tag ", "changed tag ", "deleted tag "]),
        changes(
            &previous.registry,
            &config.registry,
            ["added registry info ", "changed registry info ", "deleted registry info "],
        ),
        changes(
            &previous.healthcheck,
            &config.healthcheck,
            [
                "added healthcheck info for proc type ",
                "changed healthcheck info for proc type ",
                "deleted healthcheck info for proc type ",
            ],
        ),
        mounts(previous, config),
    ];
    parts.extend(texts.into_iter().flatten().map(|text| format!("{user} {text}")));
    (!parts.is_empty()).then(|| parts.join(" and "))
}

fn hooks(previous: &Config, config: &Config) -> Option<String> {
    let changed: Vec<&str> = [
        ("lifecycle_post_start", previous.lifecycle_post_start != config.lifecycle_post_start),
        ("lifecycle_pre_stop", previous.lifecycle_pre_stop != config.lifecycle_pre_stop),
    ]
    .into_iter()
    .filter_map(|(name, is_changed)| is_changed.then_some(name))
    .collect();
    (!changed.is_empty()).then(|| format!("changed lifecycle for {}", changed.join(", ")))
}

fn changes<T: PartialEq>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    verbs: [&str; 3],
) -> Option<String> {
    let added = keys_only_in(after, before);
    let changed: Vec<&str> = after
        .iter()
        .filter(|(key, value)| before.get(*key).is_some_and(|old| old != *value))
        .map(|(key, _)| shown(key))
        .collect();
    let deleted = keys_only_in(before, after);
    let parts: Vec<String> = [added, changed, deleted]
        .iter()
        .zip(verbs)
        .filter(|(keys, _)| !keys.is_empty())
        .map(|(keys, verb)| format!("{verb}{}", keys.join(", ")))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The keys that only the first map has.
fn keys_only_in<'a, T>(first: &'a BTreeMap<String, T>, second: &BTreeMap<String, T>) -> Vec<&'a str> {
    first.keys().filter(|key| !second.contains_key(*key)).map(|key| shown(key)).collect()
}

fn shown(key: &str) -> &str {
    if key.is_empty() { "default" } else { key }
}

fn limits(before: &Config, after: &Config) -> Option<String> {
    let kinds: Vec<&str> = [("memory", before.memory != after.memory), ("cpu", before.cpu != after.cpu)]
        .into_iter()
        .filter_map(|(kind, is_changed)| is_changed.then_some(kind))
        .collect();
    (!kinds.is_empty()).then(|| format!("changed limits for {}", kinds.join(", ")))
}

fn mounts(before: &Config, after: &Config) -> Option<String> {
    let names: BTreeSet<&VolumeName> = before.mounts.keys().chain(after.mounts.keys()).collect();
    let is_changed = |name: &&VolumeName| before.mounts.get(*name) != after.mounts.get(*name);
    let changed: Vec<&str> = names.into_iter().filter(is_changed).map(VolumeName::as_str).collect();
    (!changed.is_empty()).then(|| format!("changed volume mount for {}", changed.join(", ")))
}

/// What a failed release was about, which decides the sentence that replaces its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedWith<'a> {
    /// A new build.
    Build(&'a Build),
    /// A new configuration.
    Config,
    /// Another place for a volume.
    Volume,
    /// A rollback.
    Rollback,
}

/// The sentence for a release that failed. `user` made the release.
#[must_use]
pub fn summary_failed(user: &Username, what: FailedWith<'_>) -> String {
    match what {
        FailedWith::Build(build) => {
            let id: String = build.id.to_string().chars().take(7).collect();
            format!("{} deployed {id} which failed", build.owner_name)
        }
        FailedWith::Config => format!("{user} deployed a config that failed"),
        FailedWith::Volume => format!("{user} deploy with a volume that failed"),
        FailedWith::Rollback => format!("{user} performed roll back to a release that failed"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;
    use crate::config::SecretText;
    use crate::{AppId, BuildId, ConfigId, ProcessType, UserId};

    fn user(name: &str) -> Username {
        Username::new(name).unwrap()
    }

    fn config(owner: &str, values: &[(&str, &str)]) -> Config {
        Config {
            id: ConfigId::generate(),
            app: AppId::generate(),
            owner: UserId::generate(),
            owner_name: user(owner),
            values: values.iter().map(|(key, value)| ((*key).to_owned(), SecretText::new(*value))).collect(),
            memory: BTreeMap::new(),
            cpu: BTreeMap::new(),
            tags: BTreeMap::new(),
            registry: BTreeMap::new(),
            healthcheck: BTreeMap::new(),
            termination_grace_period: BTreeMap::new(),
            lifecycle_post_start: BTreeMap::new(),
            lifecycle_pre_stop: BTreeMap::new(),
            mounts: BTreeMap::new(),
            created: Utc::now(),
        }
    }

    fn build(sha: &str) -> Build {
        Build {
            id: BuildId::generate(),
            app: AppId::generate(),
            owner: UserId::generate(),
            owner_name: user("al"),
            image: "repo/image:1".to_owned(),
            pinned: None,
            sha: sha.to_owned(),
            procfile: BTreeMap::new(),
            dockerfile: String::new(),
            stack: String::new(),
            created: Utc::now(),
        }
    }

    #[test]
    fn sentences() {
        let before = config("al", &[("A", "1"), ("B", "2"), ("C", "3")]);
        let mut after = config("bob", &[("A", "1"), ("B", "x"), ("D", "4"), ("E", "5")]);
        assert_eq!(summary(None, &before, &before), None);
        assert_eq!(summary(None, &before, &after).unwrap(), "bob added D, E, changed B, deleted C");
        after.memory.insert(ProcessType::web(), "1G".to_owned());
        after.cpu.insert(ProcessType::web(), "1".to_owned());
        after.tags.insert("disk".to_owned(), "ssd".to_owned());
        after.registry.insert("username".to_owned(), SecretText::new("x"));
        after.healthcheck.insert("web/cmd".to_owned(), json!({}));
        assert_eq!(
            summary(Some(&build("0123456789")), &before, &after).unwrap(),
            "al deployed 0123456 and bob added D, E, changed B, deleted C and bob changed limits for memory, cpu and \
             bob added tag disk and bob added registry info username and \
             bob added healthcheck info for proc type web/cmd"
        );
        let mut mounted = config("bob", &[("A", "1"), ("B", "2"), ("C", "3")]);
        let at = |path| [(ProcessType::web(), crate::volume::MountPath::new(path).unwrap())].into();
        mounted.mounts = [(VolumeName::new("data").unwrap(), at("/data"))].into();
        assert_eq!(summary(None, &before, &mounted).unwrap(), "bob changed volume mount for data");
        assert_eq!(summary(None, &mounted, &before).unwrap(), "al changed volume mount for data");
        let mut late = mounted.clone();
        late.termination_grace_period.insert(ProcessType::web(), "5".to_owned());
        assert_eq!(summary(None, &mounted, &late).unwrap(), "bob changed timeouts for termination_grace_period");

        let mut hooked = late.clone();
        hooked.lifecycle_pre_stop.insert(ProcessType::web(), "bin/leave".to_owned());
        assert_eq!(summary(None, &late, &hooked).unwrap(), "bob changed lifecycle for lifecycle_pre_stop");
        assert_eq!(summary(Some(&build("")), &before, &before).unwrap(), "al deployed repo/image:1");
    }

    #[test]
    fn failures() {
        let build = build("0123456789");
        let id = build.id.to_string();
        assert_eq!(
            summary_failed(&user("bob"), FailedWith::Build(&build)),
            format!("al deployed {} which failed", &id[..7])
        );
        assert_eq!(summary_failed(&user("bob"), FailedWith::Config), "bob deployed a config that failed");
        assert_eq!(summary_failed(&user("bob"), FailedWith::Volume), "bob deploy with a volume that failed");
        assert_eq!(
            summary_failed(&user("bob"), FailedWith::Rollback),
            "bob performed roll back to a release that failed"
        );
    }
}
