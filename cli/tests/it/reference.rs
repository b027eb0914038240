//! The reference is what the program would write.

#![cfg(feature = "up")]

use std::collections::BTreeMap;
use std::path::Path;

use crate::person::Person;

fn pages(folder: &Path) -> BTreeMap<String, String> {
    let page = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(page).collect()
}

#[test]
fn the_reference_is_up_to_date() {
    let person = Person::stranger();
    let written = person.work().join("reference");
    std::fs::create_dir(&written).unwrap();
    std::fs::write(written.join("apps-gone.md"), "of a command that is no more").unwrap();
    let run = person.run("reference reference");
    assert_eq!(run.code, 0, "{run:?}");
    let (written, kept) = (pages(&written), pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference")));
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&kept), "run `make reference`");
    for (name, text) in &written {
        assert_eq!(text, &kept[name], "docs/reference/{name}: run `make reference`");
    }
    for (name, text) in &kept {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            assert!(kept.contains_key(file), "{name} leads to {link}, which is not there");
        }
    }
}
