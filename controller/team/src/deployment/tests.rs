use proptest::prelude::*;

use super::*;
use crate::Refused;

const KINDS: [VersionKind; 2] = [VersionKind::Incremental, VersionKind::Rolling];

#[test]
fn states_are_read_as_they_are_written() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    assert_eq!(Status::parse("inProgress"), None);
    assert_eq!(Status::parse("downgraded"), None);
}

/// The table of the contract, whole: what is not in it does not happen.
#[test]
fn every_way_from_one_state_to_another_is_in_the_table() {
    use Event::{Fail, Replace, Start, Succeed};
    use Status::{Failed, InProgress, Obsolete, Preparing, Successful};
    let table = |status, event, kind| match (status, event) {
        (Preparing | Failed | Obsolete, Start) => Some(InProgress),
        (Successful, Start) if kind == VersionKind::Rolling => Some(InProgress),
        (InProgress, Succeed) => Some(Successful),
        (InProgress, Fail) => Some(Failed),
        (Successful | Failed | Obsolete, Replace) => Some(Obsolete),
        _ => None,
    };
    for kind in KINDS {
        for status in Status::ALL {
            for event in [Start, Succeed, Fail, Replace] {
                assert_eq!(status.after(event, kind), table(status, event, kind), "{status:?} {event:?} {kind:?}");
            }
        }
    }
}

#[test]
fn a_prefix_is_a_label_that_is_nobody_elses() {
    for good in ["a", "blog-prod", "0x", &"a".repeat(63)] {
        assert!(prefix_check(good, &["slipway"]).is_ok(), "{good}");
    }
    for bad in ["", "A", "a_b", "-a", "a-", "a.b", "default", "kube-system", "kube-x", "slipway", &"a".repeat(64)] {
        assert!(prefix_check(bad, &["slipway"]).is_err(), "{bad}");
    }
}

fn placed(version: VersionId, node: NodeId, prefix: &str, status: Status) -> Placed {
    Placed { id: DeploymentId::generate(), version, node, prefix: prefix.to_owned(), status }
}

fn code(error: Error) -> (Refused, Option<&'static str>) {
    match error {
        Error::Refused(refusal) => (refusal.kind, refusal.code),
        Error::Core(error) => panic!("{error}"),
    }
}

#[test]
fn a_rolling_version_has_one_deployment_in_a_place_and_an_incremental_one_in_preparation() {
    let (version, node) = (VersionId::generate(), NodeId::generate());
    for status in Status::ALL {
        let there = [placed(version, node, "p", status)];
        let rolling = place_check(VersionKind::Rolling, (version, node, "p"), None, &there);
        assert_eq!(code(rolling.unwrap_err()), (Refused::Conflict, Some("rollingVersionDeployment")));
        let incremental = place_check(VersionKind::Incremental, (version, node, "p"), None, &there);
        assert_eq!(incremental.is_err(), status == Status::Preparing, "{status:?}");
        for free in [(version, node, "q"), (version, NodeId::generate(), "p"), (VersionId::generate(), node, "p")] {
            assert!(place_check(VersionKind::Rolling, free, None, &there).is_ok());
        }
        assert!(place_check(VersionKind::Rolling, (version, node, "p"), Some(there[0].id), &there).is_ok());
    }
}

#[test]
fn what_succeeds_takes_the_place_of_its_kin() {
    let (version, parent, child, stranger) =
        (VersionId::generate(), VersionId::generate(), VersionId::generate(), VersionId::generate());
    let node = NodeId::generate();
    let done = placed(version, node, "p", Status::Successful);
    let others = [
        placed(version, node, "p", Status::Successful),
        placed(parent, node, "p", Status::Failed),
        placed(child, node, "p", Status::Successful),
        placed(version, node, "p", Status::Preparing),
        placed(parent, node, "p", Status::InProgress),
        placed(stranger, node, "p", Status::Successful),
        placed(version, node, "q", Status::Successful),
        placed(version, NodeId::generate(), "p", Status::Successful),
        done.clone(),
    ];
    let expected: Vec<_> = others[..3].iter().map(|other| other.id).collect();
    assert_eq!(replaced_by(&done, &[parent, child], &others), expected);
}

proptest! {
    /// Whatever happens in whatever order to deployments in one place, no more than one is successful once nothing
    /// is on its way, none in preparation is touched, and each state was reached by a way of the table.
    #[test]
    fn random_operations_never_leave_the_table(
        operations in prop::collection::vec((0_usize..4, 0_u8..3), 0..60),
        incremental: bool,
    ) {
        let kind = if incremental { VersionKind::Incremental } else { VersionKind::Rolling };
        let (version, node) = (VersionId::generate(), NodeId::generate());
        let mut all: Vec<Placed> = (0..4).map(|_| placed(version, node, "p", Status::Preparing)).collect();
        let mut started = [false; 4];
        for (index, operation) in operations {
            let event = [Event::Start, Event::Succeed, Event::Fail][usize::from(operation)];
            let Some(next) = all[index].status.after(event, kind) else { continue };
            all[index].status = next;
            started[index] = true;
            if event == Event::Succeed {
                for id in replaced_by(&all[index].clone(), &[], &all.clone()) {
                    let other = all.iter_mut().find(|other| other.id == id).unwrap();
                    let status = other.status.after(Event::Replace, kind);
                    prop_assert!(status.is_some(), "{:?} cannot be replaced", other.status);
                    other.status = status.unwrap();
                }
            }
            let successful = all.iter().filter(|one| one.status == Status::Successful).count();
            prop_assert!(successful <= 1, "{all:?}");
            for (one, started) in all.iter().zip(started) {
                prop_assert_eq!(one.status == Status::Preparing, !started);
            }
        }
    }
}
