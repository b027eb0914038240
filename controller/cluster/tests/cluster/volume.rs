//! Volumes on a real cluster.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use slipway_core::{VolumeId, VolumeName};
use slipway_engine::spec::{MountPath, MountSpec, VolumeSpec};
use slipway_engine::{Engine, RunSpec};

use crate::bed::{Bed, app, image, process, release};

const LOOK: Duration = Duration::from_millis(200);

fn run(spec: &slipway_engine::AppSpec, command: &str, mounts: Vec<MountSpec>) -> RunSpec {
    let current = spec.release.as_ref().unwrap();
    RunSpec {
        app: spec.app,
        name: spec.name.clone(),
        version: current.version,
        artifact: slipway_engine::Artifact::Image { reference: image() },
        kind: current.kind,
        registry: None,
        placement: current.placement.clone(),
        env: current.env.clone(),
        command: command.to_owned(),
        process_name: "run.abcde".to_owned(),
        memory: None,
        cpu: None,
        timeout: Duration::from_mins(1),
        mounts,
    }
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn what_is_in_a_volume_outlives_pods_and_releases_and_goes_with_it() {
    // The test makes the storage itself: a directory of the node, in a class of its own.
    let class = format!("engine-test-volume-{}", std::process::id());
    let settings = {
        let class = class.clone();
        move |settings: &mut slipway_cluster::ClusterSettings| {
            settings.volume_storage_class = Some(class);
            settings.volume_access_mode = "ReadWriteOnce".to_owned();
        }
    };
    let bed = Bed::with(settings).await;
    let disks: Api<PersistentVolume> = Api::all(bed.client.clone());
    let disk = json!({
        "metadata": {"name": class},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": format!("/tmp/{class}"), "type": "DirectoryOrCreate"},
        },
    });
    disks.create(&PostParams::default(), &serde_json::from_value(disk).unwrap()).await.unwrap();

    let volume = VolumeSpec { id: VolumeId::generate(), name: VolumeName::new("data").unwrap(), bytes: 1 << 30 };
    let at =
        |path: &str| MountSpec { volume: volume.id, name: volume.name.clone(), path: MountPath::new(path).unwrap() };
    let line = "echo $VERSION >> /app/data/starts; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
    let mut spec = app("volume");
    let mut worker = process("worker", 1, line);
    worker.mounts = vec![at("/app/data")];
    spec.volumes = vec![volume.clone()];
    spec.release = Some(release(1, vec![worker.clone()]));
    bed.settle(&spec).await;
    let starts = async |spec: &slipway_engine::AppSpec| {
        let outcome = bed.engine.run(run(spec, "cat /in/starts", vec![at("/in")])).await.unwrap();
        assert_eq!(outcome.exit_code, 0, "{outcome:?}");
        String::from_utf8_lossy(&outcome.output).into_owned()
    };
    assert_eq!(starts(&spec).await, "v1\n");
    // A new pod, and a new release: the old pod gives the volume up first.
    spec.generation += 1;
    spec.release.as_mut().unwrap().processes[0].restart_token = 1;
    bed.settle(&spec).await;
    assert_eq!(starts(&spec).await, "v1\nv1\n");
    spec.generation += 1;
    spec.release = Some(release(2, vec![worker]));
    bed.settle(&spec).await;
    assert_eq!(starts(&spec).await, "v1\nv1\nv2\n");

    // This storage cannot grow, which keeps nothing else from going on.
    spec.generation += 1;
    spec.volumes[0].bytes = 2 << 30;
    bed.settle(&spec).await;
    bed.writes();
    spec.generation += 1;
    bed.settle(&spec).await;
    let writes = bed.writes();
    assert!(writes.iter().all(|write| !write.contains("persistentvolumeclaims")), "{writes:?}");

    // Without the volume nobody has it, and its claim goes.
    spec.generation += 1;
    spec.volumes.clear();
    spec.release.as_mut().unwrap().processes[0].mounts.clear();
    spec.release.as_mut().unwrap().processes[0].command = Some("exec sleep 1000".to_owned());
    bed.settle(&spec).await;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(bed.client.clone(), spec.name.as_str());
    let gone = async {
        while claims.get_opt("data").await.unwrap().is_some() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone).await.unwrap();
    disks.delete(&class, &DeleteParams::default()).await.unwrap();
    bed.end(&spec).await;
}
