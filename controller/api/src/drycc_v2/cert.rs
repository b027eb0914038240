//! Certificates. Source: `drycc-v2.md` §2.8.

use http::StatusCode;
use secrecy::ExposeSecret;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};
use crate::page;

pub(super) async fn certs_list(call: Call) -> Answer {
    let query = page::query(&call);
    let certificates = call.state.service.certificates_list(&call.cx, query).await?;
    ok(&to_wire::page(&call, query, &certificates, to_wire::cert))
}

pub(super) async fn cert_create(call: Call) -> Answer {
    let new = from_wire::cert(&call)?;
    let key = new.key.expose_secret();
    let certificate = call.state.service.certificate_create(&call.cx, &new.name, &new.certificate, key).await?;
    created(&to_wire::cert(&certificate))
}

pub(super) async fn cert_read(call: Call) -> Answer {
    let certificate = call.state.service.certificate_get(&call.cx, call.param("cert")).await?;
    ok(&to_wire::cert(&certificate))
}

pub(super) async fn cert_delete(call: Call) -> Answer {
    call.state.service.certificate_delete(&call.cx, call.param("cert")).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn cert_attach(call: Call) -> Answer {
    let domain = from_wire::cert_domain(&call)?;
    call.state.service.certificate_attach(&call.cx, call.param("cert"), &domain).await?;
    empty(StatusCode::CREATED)
}

pub(super) async fn cert_detach(call: Call) -> Answer {
    call.state.service.certificate_detach(&call.cx, call.param("cert"), call.param("domain")).await?;
    empty(StatusCode::NO_CONTENT)
}
