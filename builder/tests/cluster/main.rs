//! Builds as Jobs on a real cluster, with a real registry. They run when `SLIPWAY_TEST_KUBECONFIG` names a cluster:
//!
//! | variable | meaning |
//! |---|---|
//! | `SLIPWAY_TEST_KUBECONFIG` | its kubeconfig |
//! | `SLIPWAY_TEST_REGISTRY` | host and port of a plain HTTP registry, as nodes and this machine name it (`127.0.0.1:5000`) |
//! | `SLIPWAY_TEST_STACK_IMAGE` | the stack image with the program under test (`builder/stack/build`) |
//! | `SLIPWAY_TEST_CA_FILE` | certificate authorities, in PEM, that package indexes need here besides the usual ones |
//! | `SLIPWAY_TEST_BUILDAH_IMAGE` | the image with buildah (`builder/stack/build --recipe builder/buildah`) |
//! | `SLIPWAY_TEST_CNB_BUILDER_IMAGE` | a builder image (`tests/support/cnb-builder`); without it Cloud Native Buildpacks are left out |
//! | `SLIPWAY_TEST_CNB_RUN_IMAGE` | the run image that was made with it |
//! | `SLIPWAY_TEST_HOST` | an address of this machine that pods reach (`10.244.0.1`) |

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by panicking, and say why they are skipped")]

mod builds;
mod ends;
mod kinds;
mod lab;
mod proxy;
