//! What upstream's acceptance suite asserts of exact texts (drycc-v2.md §6.5).

use super::World;

#[test]
fn names_and_texts_of_upstream() {
    let world = World::new().with_app();
    let deis = world.ann.home().join(".deis");
    std::fs::create_dir_all(&deis).unwrap();
    std::fs::copy(world.ann.profile(), deis.join("client.json")).unwrap();
    let deis = |args: &[&str]| world.ann.run_as("deis", args);
    // stderr exactly, quotes included.
    for (args, what) in [
        (&["config", "-a", "none"][..], "App"),
        (&["certs:info", "none"], "Certificate"),
        (&["releases:info", "v9", "-a", "mine"], "Release"),
        (&["domains:remove", "none.example.com", "-a", "mine"], "Domain"),
    ] {
        deis(&["create", "mine"]);
        deis(args).fails(&format!("Error: \"No {what} matches the given query.\"\n"));
    }
    deis(&["create", "mine"]).fails("Error: Application with this id already exists.\n");
    deis(&["info", "-a", "foo"]).fails("Error: You do not have permission to perform this action.\n");
    let is_time =
        |text: &str| text.ends_with('Z') && text.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c));
    let info = deis(&["apps:info", "-a", "mine"]);
    for field in ["created: ", "updated: "] {
        let line = info.stdout.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        assert!(is_time(line.trim()), "{line}");
    }
    let releases = deis(&["releases", "-a", "mine"]);
    let first: Vec<&str> = releases.stdout.lines().nth(1).unwrap().split('\t').collect();
    assert!(first[0] == "v1" && is_time(first[1]) && first[2] == "ann created initial release", "{first:?}");
    let unset = deis(&["labels:unset", "not_exist", "-a", "mine"]);
    assert!(unset.code == 1 && unset.stderr.contains("not_exist does not exist"), "{unset:?}");
    let multi = "one\ntwo\r\n  thrëe 日本 ";
    assert_eq!(deis(&["config:set", &format!("TEXT={multi}"), "B= c ", "-a", "mine"]).code, 0);
    let list = deis(&["config:list", "-a", "mine", "--json"]);
    let config: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(config["values"]["TEXT"], multi);
    std::fs::write(world.ann.work().join(".env"), "ONE=1\r\nTWO=zwei drei\r\n").unwrap();
    assert_eq!(deis(&["config:push", "-a", "mine"]).code, 0);
    let list = deis(&["config:list", "-a", "mine", "--json"]);
    let config: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!((&config["values"]["ONE"], &config["values"]["TWO"]), (&"1".into(), &"zwei drei".into()));
    for wrong in [&["frobnicate"][..], &["ps:scale"], &["apps", "--none"]] {
        assert_eq!(deis(wrong).code, 1, "{wrong:?}");
    }
}
