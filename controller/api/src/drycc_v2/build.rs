//! Builds. `build/` has one object, `builds/` a list. Source: `drycc-v2.md` §2.5.

use super::{from_wire, release, to_wire};
use crate::call::{Answer, Call, created, ok};
use crate::page;

pub(super) async fn build_current(call: Call) -> Answer {
    let build = call.state.service.build_current(&call.cx, call.param("app")).await?;
    ok(&to_wire::build(&build, call.param("app")))
}

pub(super) async fn builds_list(call: Call) -> Answer {
    let query = page::query(&call);
    let builds = call.state.service.builds_list(&call.cx, call.param("app"), query).await?;
    ok(&to_wire::page(&call, query, &builds, |build| to_wire::build(build, call.param("app"))))
}

pub(super) async fn build_read(call: Call) -> Answer {
    let build = call.state.service.build_get(&call.cx, call.param("app"), call.param("build")).await?;
    ok(&to_wire::build(&build, call.param("app")))
}

pub(super) async fn build_create(call: Call) -> Answer {
    let new = from_wire::build(&call)?;
    let deployed = call.state.service.build_create(&call.cx, call.param("app"), new).await?;
    let answer = created(&to_wire::build(&deployed.build, call.param("app")))?;
    Ok(release::with_version(answer, &deployed.release))
}
