//! The twenty checks of the contract, each with the tests that make it. Source: `team-api.md` §10.
//!
//! A row names files beside this one and tests in them; a test that is renamed or removed fails this one. What no test
//! makes yet is named, with the reason.

/// A check: its number, what it is about, and the tests that make it (file, name).
type Row = (u8, &'static str, &'static [(&'static str, &'static str)]);

const CHECKS: &[Row] = &[
    (
        1,
        "who is no member, what is not there, what is no identity",
        &[
            ("access.rs", "every_route_of_teams_lets_in_whom_it_should_and_nobody_else"),
            ("group.rs", "refusals_come_in_order"),
        ],
    ),
    (2, "the caller, and tokens that are shown once", &[("member.rs", "tokens_are_shown_once_and_end")]),
    (
        3,
        "a new team, and its slug",
        &[
            ("group.rs", "names_and_slugs_are_checked_and_unique"),
            ("thing.rs", "registries_are_probed_kept_and_hide_their_secrets"),
        ],
    ),
    (4, "leaving a team", &[("member.rs", "roles_are_kept")]),
    (5, "a project without versions", &[("version.rs", "a_converted_project_hands_its_version_on")]),
    (6, "increasing a version", &[("version.rs", "a_version_is_increased_once")]),
    (7, "images come and go in deployments", &[("image.rs", "instances_come_and_go_with_their_images")]),
    (8, "a changed configuration", &[("image.rs", "configurations_merge_as_they_are_changed")]),
    (
        15,
        "what is used is kept, and secrets are told nobody",
        &[
            ("thing.rs", "registries_are_probed_kept_and_hide_their_secrets"),
            ("thing.rs", "storages_never_tell_their_secret"),
        ],
    ),
    (20, "the tips of the dashboard", &[("group.rs", "the_dashboard_of_a_new_team_shows_what_is_to_be_done")]),
];

/// Checks that no test makes yet.
const PENDING: &[(u8, &str)] = &[
    (9, "deployments come next"),
    (10, "deployments come next"),
    (11, "deployments come next"),
    (12, "deployments come next"),
    (13, "deployments come next"),
    (14, "nodes come next"),
    (16, "deployments come next"),
    (17, "deployments come next"),
    (18, "the older generation has no deployments and nodes yet"),
    (19, "deployments come next"),
];

#[test]
fn every_check_has_its_tests() {
    for number in 1..=20 {
        let made = CHECKS.iter().filter(|(own, _, _)| *own == number).count();
        let pending = PENDING.iter().filter(|(own, _)| *own == number).count();
        assert!(matches!((made, pending), (1, 0) | (0, 1)), "check {number}: {made}, {pending}");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/team/");
    for (number, _, tests) in CHECKS {
        assert!(!tests.is_empty(), "check {number} names a test");
        for (file, test) in *tests {
            let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
            let is_there = text.contains(&format!(", {test});")) || text.contains(&format!("async fn {test}()"));
            assert!(is_there, "check {number}: {file} has no test {test}");
        }
    }
}
