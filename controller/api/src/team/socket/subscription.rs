//! What a client is subscribed to, and what follows it.

use std::collections::HashMap;
use std::future::Future;

use slipway_team::Result;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::connection::Message;
use super::deployment::Following;
use super::follower::{Follower, Over};
use super::node::{self, Watch, Watched};
use super::topic::{Place, Topic};

/// Most messages on a path that wait until those before them are done with.
const ORDERS_MAX: usize = 8;

/// What a client is subscribed to. Dropping it ends what follows.
pub(super) struct Subscription {
    /// Tells it from others, earlier ones of the same path too.
    pub(super) number: u64,
    /// Where.
    pub(super) place: Place,
    /// Takes messages that are answered one after the other; nothing where each is answered by itself.
    pub(super) orders: Option<mpsc::Sender<Message>>,
    tasks: JoinSet<()>,
    watches: HashMap<Watched, AbortHandle>,
}

impl Subscription {
    /// Begins to follow.
    ///
    /// # Errors
    /// 404 `node`, `deployment`.
    pub(super) async fn begin(number: u64, follower: Follower) -> Result<Self> {
        let (place, service) = (follower.place.clone(), follower.state.service.clone());
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        let mut tasks = JoinSet::new();
        let sender = match place.topic {
            Topic::Registries => None,
            Topic::Nodes => {
                // What was begun is done to its end, so that nothing ends this but the last message.
                tokio::spawn(ending(follower.clone(), |follower| node::work(follower, orders)));
                let changes = service.node_changes();
                tasks.spawn(ending(follower, |follower| node::follow(follower, changes)));
                Some(sender)
            }
            Topic::Node(id) => {
                service.node_find(&follower.member, id).await?;
                tokio::spawn(ending(follower.clone(), |follower| node::work(follower, orders)));
                tasks.spawn(ending(follower, Follower::guard));
                Some(sender)
            }
            Topic::Deployment(id) => {
                let news = service.team_deployment_news();
                let seen = service.team_deployment_events_seen(&follower.member, id).await?;
                let following = move |follower| Following { follower, id, seen, news, orders }.run();
                tasks.spawn(ending(follower, following));
                Some(sender)
            }
        };
        Ok(Self { number, place, orders: sender, tasks, watches: HashMap::new() })
    }

    /// How many things are watched beside.
    pub(super) fn watched(&self) -> usize {
        self.watches.values().filter(|watch| !watch.is_finished()).count()
    }

    /// Watches something at a node beside everything else; anew what is watched already.
    pub(super) fn watch(&mut self, follower: Follower, watch: Watch) {
        let Topic::Node(id) = self.place.topic else { return };
        while self.tasks.try_join_next().is_some() {}
        self.watches.retain(|_, task| !task.is_finished());
        let of = watch.of.clone();
        let task = self.tasks.spawn(ending(follower, move |follower| watch.follow(follower, id)));
        if let Some(before) = self.watches.insert(of, task) {
            before.abort();
        }
    }
}

/// Follows, and lets the connection know how it ended.
async fn ending<F: Future<Output = Over>>(follower: Follower, follow: impl FnOnce(Follower) -> F) {
    let line = follower.line.clone();
    let over = follow(follower).await;
    line.end(over).await;
}
