//! The store on both databases: each test in `both!` runs on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test did not expect fails it")]

/// Makes of each async fn a module with a test for either database.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($test:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn run($test: slipway_store::testing::TestStore) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(slipway_store::testing::TestStore::open(slipway_store::testing::Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run(slipway_store::testing::TestStore::open(slipway_store::testing::Backend::Postgres).await).await;
            }
        }
    )*};
}

mod apps;
mod certificates;
mod concurrency;
mod controllers;
mod deliveries;
mod deployments;
mod fixtures;
mod histories;
mod logins;
mod releases;
mod schema;
mod sealing;
mod team_projects;
mod teams;
mod users;
mod volumes;
