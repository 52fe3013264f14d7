//! Runs the demo shop. `passerby-www --help` lists the options.

use std::error::Error;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use passerby_www::customers::Customers;
use passerby_www::options::{Options, USAGE};
use passerby_www::serve::serve;
use passerby_www::shop;
use tokio::net::TcpListener;

use stop::StopSignal;

/// As the server's program has it. A crate of their own would be one more to publish.
#[path = "../../server/src/bin/passerby-server/stop.rs"]
mod stop;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(tracing::Level::WARN).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr is closed, the exit code says it all the same.
            let _ = writeln!(io::stderr(), "passerby-www: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args_os().skip(1))? else {
        writeln!(io::stdout(), "{USAGE}")?;
        return Ok(());
    };
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(|error| {
            format!("cannot listen on port {}: {error}. Choose another with --port", options.port)
        })?;
    let origin = format!("http://localhost:{}", listener.local_addr()?.port());
    let customers = Arc::new(Customers::default());
    let sessions = shop::sessions(&origin, &options, customers.clone()).await?;
    let router = shop::router(&sessions, customers, &options.web)?;
    let stop = StopSignal::listen()?;
    // The first line on stdout; tests read the address from it.
    writeln!(io::stdout(), "listening on {origin}")?;
    serve(listener, router, stop.received()).await?;
    Ok(())
}
