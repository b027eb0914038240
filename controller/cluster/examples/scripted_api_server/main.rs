//! An API server of Kubernetes in memory, for measuring the controller with more apps than a machine can run.
//!
//! Usage: `scripted_api_server [ADDR]` (default `127.0.0.1:0`); prints its address. It has what the controller uses:
//! discovery, lists in pages, watches, server-side apply, metadata only. What controllers and kubelets would do it does
//! itself: a Deployment gets its ReplicaSet and pods, which are ready at once, all with the fields and the managed fields
//! that real ones have. It is an image registry, too, with one image.
//!
//! | path | what |
//! |---|---|
//! | `GET /script/counts` | requests and objects so far, as JSON |
//! | `POST /script/expire` | ends every watch with 410, so that everything is listed anew |

#![expect(clippy::print_stdout, reason = "a program for scripts")]

mod collection;
mod kind;
mod registry;
mod rollout;
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let listener = TcpListener::bind(addr).await?;
    println!("{}", listener.local_addr()?);
    let server = Arc::new(server::Server::default());
    loop {
        let (stream, _) = listener.accept().await?;
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(|request| server.answer(request));
            // Whoever goes away in the middle is not missed.
            let _ =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
