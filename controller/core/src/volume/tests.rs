use proptest::prelude::*;

use super::*;

fn name(text: &str) -> VolumeName {
    VolumeName::new(text).unwrap()
}

fn path(text: &str) -> MountPath {
    MountPath::new(text).unwrap()
}

fn process(text: &str) -> ProcessType {
    ProcessType::new(text).unwrap()
}

fn mounts(all: &[(&str, &[(&str, &str)])]) -> Mounts {
    let paths = |paths: &[(&str, &str)]| paths.iter().map(|(of, at)| (process(of), path(at))).collect();
    all.iter().map(|(volume, of)| (name(volume), paths(of))).collect()
}

#[test]
fn names() {
    for good in ["a", "0", "data", "my-data2", "1a", &"a".repeat(63)] {
        assert!(VolumeName::new(good).is_ok(), "{good}");
    }
    for bad in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a\n", &"a".repeat(64)] {
        assert!(VolumeName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [("1M", 1 << 20), ("500M", 500 << 20), ("10G", 10 << 30), ("16384G", BYTES_MAX)] {
        assert_eq!(VolumeSize::new(text).unwrap().bytes(), bytes, "{text}");
    }
    for bad in
        ["", "M", "G", "0M", "01G", "1", "1T", "1K", "1m", "1MB", "1Gi", "-1G", "+1G", "1.5G", " 1G", "1G\n", "١G"]
    {
        assert_eq!(VolumeSize::new(bad), Err(SIZE_RULE), "{bad}");
    }
    for large in ["16385G", "16777217M", "99999999999999999999G", "18446744073709551615G"] {
        assert_eq!(VolumeSize::new(large), Err(SIZE_RANGE), "{large}");
    }
}

#[test]
fn paths() {
    for good in ["/data", "/srv/my.files/x_y-z+1", "/usrx", "/app/etc", "/etc/app", "/run/app", "/...", "/tmp/a"] {
        assert!(MountPath::new(good).is_ok(), "{good}");
    }
    for bad in
        ["", "/", "data", "/data/", "//data", "/a//b", "/a/../b", "/..", "/a/.", "/a b", "/a:b", "/a,b", "/ä", "/a\n"]
    {
        assert_eq!(MountPath::new(bad), Err(PATH_RULE), "{bad}");
    }
    assert_eq!(MountPath::new(&format!("/{}", "a".repeat(PATH_MAX))), Err(PATH_RULE));
    for reserved in ["/etc", "/app", "/proc/1", "/sys", "/dev/shm", "/usr/bin", "/var/run/secrets/x", "/slipway/start"]
    {
        assert_eq!(MountPath::new(reserved), Err(PATH_RESERVED), "{reserved}");
    }
}

#[test]
fn mounts_change_one_volume() {
    let before = mounts(&[("logs", &[("web", "/logs")]), ("data", &[("web", "/data"), ("cron", "/data")])]);
    let change = |of: &[(&str, Option<&str>)]| {
        let change = of.iter().map(|(of, at)| (process(of), at.map(path))).collect();
        mounts_change(&before, &name("data"), &change)
    };
    let after = mounts(&[("logs", &[("web", "/logs")]), ("data", &[("web", "/new"), ("worker", "/logs")])]);
    assert_eq!(change(&[("web", Some("/new")), ("worker", Some("/logs")), ("cron", None)]), Ok(after));
    let after = mounts(&[("logs", &[("web", "/logs")])]);
    assert_eq!(change(&[("web", None), ("cron", None)]), Ok(after));
    assert_eq!(change(&[]), Err(MountError::Unchanged));
    assert_eq!(change(&[("web", Some("/data"))]), Err(MountError::Unchanged));
    assert_eq!(change(&[("worker", None)]), Err(MountError::NotMounted(process("worker"))));
    for taken in ["/logs", "/logs/a"] {
        let taken = MountError::Taken { path: path(taken), by: name("logs"), at: path("/logs") };
        let MountError::Taken { path, .. } = &taken else { unreachable!() };
        assert_eq!(change(&[("web", Some(path.as_str()))]), Err(taken.clone()));
    }
    assert!(change(&[("web", Some("/logs2"))]).is_ok());
}

proptest! {
    /// Nothing panics, and what is taken is normal: it says where it is, and nothing else does.
    #[test]
    fn any_text_is_a_path_as_it_is_or_none(text in "(/|[a-z.]{1,3}|\\PC){0,12}") {
        if let Ok(path) = MountPath::new(&text) {
            prop_assert_eq!(path.as_str(), &text);
            prop_assert!(text.starts_with('/') && text.len() > 1 && !text.ends_with('/'));
            let ended = text.clone() + "/";
            prop_assert!(!text.contains("//") && !ended.contains("/../") && !ended.contains("/./"));
            let parts = std::path::Path::new(&text).components().count();
            prop_assert_eq!(parts, text.matches('/').count() + 1);
        }
    }

    #[test]
    fn any_text_is_a_size_as_it_is_or_none(text in "[0-9]{0,22}[MGKT]?|\\PC{0,5}") {
        if let Ok(size) = VolumeSize::new(&text) {
            prop_assert_eq!(size.as_str(), &text);
            prop_assert!(size.bytes() >= 1 << 20 && size.bytes() <= BYTES_MAX);
        }
    }

    /// No two volumes of a process type are in each other's way, whatever was asked for.
    #[test]
    fn no_two_volumes_clash(changes in prop::collection::vec(("[ab]", "[xy]", prop::option::of("(/[ab]){1,3}")), 0..12)) {
        let mut now = Mounts::new();
        for (volume, of, at) in changes {
            let change = [(process(&of), at.as_deref().map(path))].into();
            if let Ok(next) = mounts_change(&now, &name(&volume), &change) {
                prop_assert_ne!(&next, &now);
                now = next;
            }
        }
        for (volume, paths) in &now {
            prop_assert!(!paths.is_empty());
            for (other, others) in now.iter().filter(|(other, _)| *other != volume) {
                for (of, at) in paths {
                    prop_assert!(others.get(of).is_none_or(|other| !other.clashes_with(at)), "{volume} {other}");
                }
            }
        }
    }
}
