//! Builds. Source: `deis-v1.md` §8.

use super::{from_wire, page, to_wire, with_release};
use crate::call::{Answer, Call, created, ok};

pub(super) async fn builds_list(call: Call) -> Answer {
    let query = page::query(&call)?;
    let builds = call.state.service.builds_list(&call.cx, call.param("app"), query).await?;
    ok(&page::page(&call, query, &builds, |build| to_wire::build(build, call.param("app")))?)
}

pub(super) async fn build_read(call: Call) -> Answer {
    let build = call.state.service.build_get(&call.cx, call.param("app"), call.param("build")).await?;
    ok(&to_wire::build(&build, call.param("app")))
}

pub(super) async fn build_create(call: Call) -> Answer {
    let new = from_wire::build(&call)?;
    let deployed = call.state.service.build_create(&call.cx, call.param("app"), new).await?;
    let answer = created(&to_wire::build(&deployed.build, call.param("app")))?;
    Ok(with_release(answer, &deployed.release))
}
