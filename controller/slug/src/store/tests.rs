use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use super::*;

struct Bed {
    dir: tempfile::TempDir,
    store: SlugStore,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SlugStore::open(dir.path().join("store")).unwrap();
        Self { dir, store }
    }

    fn build(&self, files: &[(&str, &str)]) -> PathBuf {
        let build = self.dir.path().join(format!("build-{}", Uuid::new_v4()));
        for (name, text) in files {
            let path = build.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        build
    }

    fn put(&self, build: &Path) -> Result<Digest, SlugError> {
        self.store.put(build, &SlugManifest::default(), &SlugLimits::default())
    }

    fn refusal(&self, build: &Path, limits: &SlugLimits) -> Refusal {
        match self.store.put(build, &SlugManifest::default(), limits) {
            Err(SlugError::Refused(refusal)) => {
                assert!(build.exists(), "a refused tree must stay");
                assert!(self.store.list().unwrap().is_empty());
                refusal
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
}

#[test]
fn what_is_put_is_found_again() {
    let bed = Bed::new();
    let build = bed.build(&[("app.py", "print()"), ("lib/x", "1")]);
    let manifest = SlugManifest {
        processes: [("web".to_owned(), "python app.py".to_owned())].into(),
        buildpack: "Python".to_owned(),
        ..SlugManifest::default()
    };
    let digest = bed.store.put(&build, &manifest, &SlugLimits::default()).unwrap();
    assert!(!build.exists());
    let again = SlugStore::open(bed.dir.path().join("store")).unwrap();
    assert_eq!(fs::read_to_string(again.path(&digest).unwrap().join("lib/x")).unwrap(), "1");
    assert_eq!(again.manifest(&digest).unwrap(), manifest);
    assert_eq!(again.list().unwrap().into_iter().map(|info| info.digest).collect::<Vec<_>>(), [digest]);
}

#[test]
fn the_name_depends_on_everything_that_counts_and_on_nothing_else() {
    let bed = Bed::new();
    let base = [("a", "1"), ("b", "2")];
    let first = bed.put(&bed.build(&base)).unwrap();
    assert_eq!(bed.put(&bed.build(&[("b", "2"), ("a", "1")])).unwrap(), first);

    let mut seen = HashSet::from([first.clone()]);
    let mut differs = |digest: Digest| assert!(seen.insert(digest), "two trees have one name");
    differs(bed.put(&bed.build(&[("a", "1"), ("b", "3")])).unwrap());
    differs(bed.put(&bed.build(&[("a", "1"), ("c", "2")])).unwrap());
    differs(bed.put(&bed.build(&[("a", "12"), ("b", "")])).unwrap());
    differs(bed.put(&bed.build(&[("a", "1"), ("b/b", "2")])).unwrap());
    let executable = bed.build(&base);
    fs::set_permissions(executable.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    differs(bed.put(&executable).unwrap());
    let linked = bed.build(&[("a", "1")]);
    symlink("a", linked.join("b")).unwrap();
    differs(bed.put(&linked).unwrap());
    let manifest = SlugManifest { stack: "other".to_owned(), ..SlugManifest::default() };
    differs(bed.store.put(&bed.build(&base), &manifest, &SlugLimits::default()).unwrap());
}

#[test]
fn links_that_leave_the_slug_are_refused() {
    let bed = Bed::new();
    fs::write(bed.dir.path().join("secret"), "x").unwrap();
    let outside = bed.dir.path().join("secret");
    for target in [
        "..",
        "../secret",
        "d/../../secret",
        outside.to_str().unwrap(),
        "/etc/passwd",
        "/usr/../etc/passwd",
        "/usr/bin/not-there",
        "/",
    ] {
        let build = bed.build(&[("d/x", "")]);
        symlink(target, build.join("link")).unwrap();
        assert!(matches!(bed.refusal(&build, &SlugLimits::default()), Refusal::LinkLeaves { .. }), "{target}");
    }
    // Harmless by its text, but the directory it goes through is itself a link to elsewhere.
    let build = bed.build(&[("d/x", "")]);
    symlink("/usr/bin", build.join("d/bin")).unwrap();
    symlink("d/bin/../../etc/passwd", build.join("link")).unwrap();
    assert!(matches!(bed.refusal(&build, &SlugLimits::default()), Refusal::LinkLeaves { .. }));
}

#[test]
fn links_that_stay_or_name_a_system_program_are_kept() {
    let bed = Bed::new();
    let build = bed.build(&[("lib/x", ""), ("lib/deep/y", "")]);
    symlink("/usr/bin/env", build.join("env")).unwrap();
    symlink("lib/nothing", build.join("dangling")).unwrap();
    symlink("../x", build.join("lib/deep/up")).unwrap();
    symlink(build.join("lib/x"), build.join("lib/deep/absolute")).unwrap();
    let digest = bed.put(&build).unwrap();
    let tree = bed.store.path(&digest).unwrap();
    assert_eq!(fs::read_link(tree.join("env")).unwrap(), Path::new("/usr/bin/env"));
    assert_eq!(fs::read_link(tree.join("lib/deep/absolute")).unwrap(), Path::new("../../lib/x"));
    assert!(tree.join("lib/deep/absolute").exists());
}

#[test]
fn a_toolchain_elsewhere_can_be_allowed() {
    let bed = Bed::new();
    let tools = bed.dir.path().canonicalize().unwrap().join("tools");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("python"), "").unwrap();
    let build = bed.build(&[("x", "")]);
    symlink(tools.join("python"), build.join("python")).unwrap();
    let mut limits = SlugLimits::default();
    assert!(matches!(bed.refusal(&build, &limits), Refusal::LinkLeaves { .. }));
    limits.system_roots.push(tools);
    bed.store.put(&build, &SlugManifest::default(), &limits).unwrap();
}

#[test]
fn special_files_are_refused() {
    let bed = Bed::new();
    let build = bed.build(&[("x", "")]);
    let _socket = UnixListener::bind(build.join("s")).unwrap();
    let refusal = bed.refusal(&build, &SlugLimits::default());
    assert_eq!(refusal.to_string(), "s: sockets cannot be part of a slug");
}

#[test]
fn limits_hold() {
    let bed = Bed::new();
    let build = bed.build(&[("a", "12345"), ("d/b", "67890")]);
    let limits =
        |bytes_max, entries_max, depth_max| SlugLimits { bytes_max, entries_max, depth_max, ..SlugLimits::default() };
    assert!(matches!(bed.refusal(&build, &limits(9, 10, 10)), Refusal::TooLarge { .. }));
    assert!(matches!(bed.refusal(&build, &limits(10, 2, 10)), Refusal::TooMany { .. }));
    assert!(matches!(bed.refusal(&build, &limits(10, 3, 0)), Refusal::TooDeep { .. }));
    bed.store.put(&build, &SlugManifest::default(), &limits(10, 3, 1)).unwrap();
}

#[test]
fn modes_are_made_safe() {
    let bed = Bed::new();
    let build = bed.build(&[("a", ""), ("d/b", "")]);
    fs::set_permissions(build.join("a"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::set_permissions(build.join("d"), fs::Permissions::from_mode(0o555)).unwrap();
    let digest = bed.put(&build).unwrap();
    let tree = bed.store.path(&digest).unwrap();
    let mode = |name: &str| fs::metadata(tree.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("a"), mode("d")), (0o711, 0o755));
}

#[test]
fn leftovers_of_another_process_go_at_open() {
    let bed = Bed::new();
    let root = bed.dir.path().join("store");
    let stale = root.join("tmp/0-half");
    let ours = root.join(format!("tmp/{}-half", std::process::id()));
    for dir in [&stale, &ours] {
        fs::create_dir_all(dir.join("tree")).unwrap();
    }
    SlugStore::open(&root).unwrap();
    assert!(!stale.exists());
    assert!(ours.exists());
}

#[test]
fn retain_keeps_the_named_and_the_young() {
    let bed = Bed::new();
    let [kept, young, old] = ["1", "2", "3"].map(|text| bed.put(&bed.build(&[("a", text)])).unwrap());
    let hour = Duration::from_hours(1);
    for digest in [&kept, &old] {
        let home = File::open(bed.store.home(digest)).unwrap();
        home.set_modified(SystemTime::now() - 2 * hour).unwrap();
    }
    assert_eq!(bed.store.retain(&HashSet::from([kept.clone()]), hour).unwrap(), 1);
    assert!(bed.store.path(&kept).is_ok());
    assert!(bed.store.path(&young).is_ok());
    assert!(matches!(bed.store.path(&old), Err(SlugError::Missing(_))));
    assert!(matches!(bed.store.manifest(&old), Err(SlugError::Missing(_))));
}
