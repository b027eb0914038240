//! Which process types run after a build. Source: `drycc-v2.md` §3.6.

use crate::ProcessType;
use crate::app::Structure;
use crate::build::{Build, BuildKind};

/// What the first build of an app comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstStructure {
    /// What the kind of build suggests, which may be nothing.
    #[default]
    ByKind,
    /// One process in any case. Source: `deis-v1.md` §8.
    One,
}

/// What runs of the first build of an app with [`FirstStructure::One`]: `web` of a push that has it or says nothing, else
/// `cmd`.
#[must_use]
pub fn structure_one(build: &Build) -> Structure {
    let is_image = build.sha.is_empty();
    let is_dockerfile = !build.dockerfile.is_empty() && build.procfile.is_empty();
    let lacks_web = !build.procfile.is_empty() && !build.procfile.contains_key("web");
    let process_type = if is_image || is_dockerfile || lacks_web { ProcessType::cmd() } else { ProcessType::web() };
    Structure::from([(process_type, 1)])
}

/// What runs of a build when nobody has scaled anything yet.
#[must_use]
pub fn structure_default(build: &Build) -> Structure {
    let one = |process_type: ProcessType| Structure::from([(process_type, 1)]);
    if build.procfile.contains_key("web") {
        return one(ProcessType::web());
    }
    match build.kind() {
        BuildKind::Image | BuildKind::Dockerfile => one(ProcessType::cmd()),
        BuildKind::Buildpack if build.procfile.is_empty() => one(ProcessType::web()),
        BuildKind::Buildpack => Structure::new(),
    }
}

/// What runs of `next` after `previous`, given what was wanted so far.
///
/// The default at first; `web` and `cmd` anew when the kind of build changed; and, if `is_missing_removed` or the
/// build has a Procfile at all, nothing of types that its Procfile lacks.
#[must_use]
pub fn structure_next(
    current: &Structure,
    previous: Option<&Build>,
    next: &Build,
    is_missing_removed: bool,
) -> Structure {
    if current.is_empty() {
        return structure_default(next);
    }
    let mut structure = current.clone();
    if let Some(previous) = previous {
        let is_gone = |process_type: &ProcessType| {
            process_type.as_str() != "cmd"
                && previous.procfile.contains_key(process_type)
                && !next.procfile.contains_key(process_type)
        };
        if is_missing_removed || !next.procfile.is_empty() {
            for (process_type, replicas) in &mut structure {
                if is_gone(process_type) {
                    *replicas = 0;
                }
            }
        }
        if previous.kind() != next.kind() {
            for process_type in [ProcessType::web(), ProcessType::cmd()] {
                if let Some(replicas) = structure.get_mut(&process_type) {
                    *replicas = 0;
                }
            }
            structure.extend(structure_default(next));
        }
    }
    structure
}

/// Whether a build has this process type, so that it can be scaled. `cmd` always counts, and so does what runs by
/// default of a build without a Procfile.
#[must_use]
pub fn is_known(build: &Build, process_type: &ProcessType) -> bool {
    process_type.as_str() == "cmd"
        || build.procfile.contains_key(process_type)
        || structure_default(build).contains_key(process_type)
}

/// The type that requests go to: `web` if it is there, else `cmd`.
#[must_use]
pub fn routed_type<'a>(types: impl IntoIterator<Item = &'a ProcessType>) -> Option<ProcessType> {
    let mut routed = None;
    for process_type in types {
        match process_type.as_str() {
            "web" => return Some(process_type.clone()),
            "cmd" => routed = Some(process_type.clone()),
            _ => {}
        }
    }
    routed
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::{AppId, BuildId, UserId, Username};

    fn build(types: &[&str], sha: &str, dockerfile: &str) -> Build {
        Build {
            id: BuildId::generate(),
            app: AppId::generate(),
            owner: UserId::generate(),
            owner_name: Username::new("bob").unwrap(),
            image: "image".to_owned(),
            pinned: None,
            sha: sha.to_owned(),
            procfile: types.iter().map(|name| (ProcessType::new(*name).unwrap(), "run".to_owned())).collect(),
            dockerfile: dockerfile.to_owned(),
            stack: String::new(),
            created: Utc::now(),
        }
    }

    fn structure(entries: &[(&str, u32)]) -> Structure {
        entries.iter().map(|(name, replicas)| (ProcessType::new(*name).unwrap(), *replicas)).collect()
    }

    #[test]
    fn defaults() {
        for (build, expect) in [
            (build(&["web", "worker"], "", ""), structure(&[("web", 1)])),
            (build(&[], "", ""), structure(&[("cmd", 1)])),
            (build(&["worker"], "", ""), structure(&[("cmd", 1)])),
            (build(&[], "abcdef12", "true"), structure(&[("cmd", 1)])),
            (build(&["worker"], "abcdef12", ""), structure(&[])),
            (build(&[], "abcdef12", ""), structure(&[("web", 1)])),
        ] {
            assert_eq!(structure_default(&build), expect, "{build:?}");
        }
    }

    #[test]
    fn one_process_of_a_first_build() {
        for (build, expect) in [
            (build(&["web"], "", ""), "cmd"),
            (build(&[], "", ""), "cmd"),
            (build(&[], "abcdef12", "true"), "cmd"),
            (build(&["worker"], "abcdef12", ""), "cmd"),
            (build(&["web"], "abcdef12", "true"), "web"),
            (build(&["web", "worker"], "abcdef12", ""), "web"),
            (build(&[], "abcdef12", ""), "web"),
        ] {
            assert_eq!(structure_one(&build), structure(&[(expect, 1)]), "{build:?}");
        }
    }

    #[test]
    fn later_builds() {
        let slug = |types: &[&str]| build(types, "abcdef12", "");
        let docker = build(&[], "abcdef12", "true");
        for (current, previous, next, expect) in [
            (structure(&[("web", 3)]), slug(&["web"]), slug(&["web", "worker"]), structure(&[("web", 3)])),
            (
                structure(&[("web", 3), ("worker", 2)]),
                slug(&["web", "worker"]),
                slug(&["web"]),
                structure(&[("web", 3), ("worker", 0)]),
            ),
            (structure(&[("web", 3)]), slug(&["web"]), slug(&[]), structure(&[("web", 0)])),
            (structure(&[("web", 3)]), slug(&["web"]), docker.clone(), structure(&[("web", 0), ("cmd", 1)])),
            (structure(&[("cmd", 2)]), docker, slug(&["web"]), structure(&[("cmd", 0), ("web", 1)])),
        ] {
            assert_eq!(structure_next(&current, Some(&previous), &next, true), expect);
        }
        let kept = structure_next(&structure(&[("web", 3)]), Some(&slug(&["web"])), &slug(&[]), false);
        assert_eq!(kept, structure(&[("web", 3)]));
    }

    #[test]
    fn web_is_routed_before_cmd() {
        let types = |names: &[&str]| names.iter().map(|name| ProcessType::new(*name).unwrap()).collect::<Vec<_>>();
        assert_eq!(routed_type(&types(&["cmd", "web"])), Some(ProcessType::web()));
        assert_eq!(routed_type(&types(&["worker", "cmd"])), Some(ProcessType::cmd()));
        assert_eq!(routed_type(&types(&["worker"])), None);
    }
}
