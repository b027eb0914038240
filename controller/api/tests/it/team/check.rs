//! The twenty checks of the contract, each with the tests that make it. Source: `team-api.md` §10.
//!
//! A row names files and tests in them: files beside this one, or below `controller/` where a path is given. A test that
//! is renamed or removed fails this one.

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
        9,
        "one deployment for each place",
        &[
            ("deployment.rs", "deployments_keep_out_of_each_others_way"),
            ("deployment.rs", "what_succeeds_takes_the_place_of_its_kin_and_one_can_go_back"),
        ],
    ),
    (10, "what a start needs", &[("deployment.rs", "a_deployment_starts_only_when_everything_is_there")]),
    (
        11,
        "what a success puts away, and trying again",
        &[
            ("deployment.rs", "what_succeeds_takes_the_place_of_its_kin_and_one_can_go_back"),
            ("deployment.rs", "the_log_tells_each_try_and_is_read_from_its_end"),
        ],
    ),
    (
        12,
        "tokens of deployments",
        &[
            ("deployment.rs", "a_token_starts_its_own_deployment_and_opens_nothing_else"),
            ("deployment.rs", "what_succeeds_takes_the_place_of_its_kin_and_one_can_go_back"),
        ],
    ),
    (13, "the log by parts", &[("deployment.rs", "the_log_tells_each_try_and_is_read_from_its_end")]),
    (
        14,
        "nodes in use, and their scripts",
        &[
            ("deployment.rs", "a_deployment_starts_only_when_everything_is_there"),
            ("node.rs", "scripts_are_good_for_ten_minutes_and_one_joining"),
        ],
    ),
    (
        15,
        "what is used is kept, and secrets are told nobody",
        &[
            ("thing.rs", "registries_are_probed_kept_and_hide_their_secrets"),
            ("thing.rs", "storages_never_tell_their_secret"),
        ],
    ),
    (
        16,
        "who is told of deployments",
        &[
            ("service/src/tests/team_deployment.rs", "ends_of_deployments_are_told_on_sqlite"),
            ("service/src/tests/team_deployment.rs", "ends_of_deployments_are_told_on_postgres"),
        ],
    ),
    (
        17,
        "what stands on a cluster",
        &[
            ("cluster/src/workload/tests.rs", "a_container_with_everything"),
            ("cluster/src/workload/tests.rs", "a_bare_container"),
            ("cluster/src/workload/tests.rs", "what_is_not_wanted_any_more_is_left_over"),
            ("cluster/tests/cluster/workload.rs", "a_container_lives_its_life"),
        ],
    ),
    (
        18,
        "the older generation",
        &[
            ("replay.rs", "every_call_of_the_older_document_is_there"),
            ("project.rs", "the_older_generation_calls_projects_products"),
            ("group.rs", "clients_of_the_older_generation_need_no_slug"),
            ("deployment.rs", "the_older_generation_deploys_for_the_active_team"),
        ],
    ),
    (
        19,
        "a restart in the middle",
        &[
            (
                "service/src/tests/team_deployment.rs",
                "what_a_killed_controller_left_half_done_has_failed_and_can_be_started_again_on_sqlite",
            ),
            (
                "service/src/tests/team_deployment.rs",
                "what_a_killed_controller_left_half_done_has_failed_and_can_be_started_again_on_postgres",
            ),
        ],
    ),
    (20, "the tips of the dashboard", &[("group.rs", "the_dashboard_of_a_new_team_shows_what_is_to_be_done")]),
];

#[test]
fn every_check_has_its_tests() {
    let numbers: Vec<u8> = CHECKS.iter().map(|(number, _, _)| *number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<u8>>());
    let controller = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    for (number, _, tests) in CHECKS {
        assert!(!tests.is_empty(), "check {number} names a test");
        for (file, test) in *tests {
            let beside = if file.contains('/') { "" } else { "api/tests/it/team/" };
            let text = std::fs::read_to_string(format!("{controller}{beside}{file}")).unwrap();
            let is_there = text.contains(&format!(", {test});")) || text.contains(&format!("fn {test}()"));
            assert!(is_there, "check {number}: {file} has no test {test}");
        }
    }
}
