//! A SOCKS proxy (RFC 1928) that opens one connection after the other, between the browser and
//! wasm-bindgen's test server.
//!
//! That server (wasm-bindgen-test-runner 0.2.129 with tiny_http 0.12) counts a thread as free until
//! it has woken up. Of six connections at once, as many as a browser opens for the modules of a
//! page, the fifth and sixth may be given to threads that are taken, and wait until the browser
//! gives up: nearly every fifth page never came, before any test had begun.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Long enough for a thread to wake up on a busy machine, and nothing that six connections would
/// make felt.
const PACE: Duration = Duration::from_millis(50);

/// Listens on a free port, which it returns, for as long as this program runs.
pub(crate) fn proxy() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for browser in listener.incoming().flatten() {
            // A connection that fails is one the browser sees closed, and opens again.
            let _ = connect(browser);
            thread::sleep(PACE);
        }
    });
    Ok(port)
}

/// Does as Chromium asks: no authentication, CONNECT to a name, which an address is to it too.
fn connect(mut browser: TcpStream) -> io::Result<()> {
    let [_version, methods] = read(&mut browser)?;
    take(&browser, methods)?;
    browser.write_all(&[5, 0])?;
    let [_version, _connect, _, _name, length] = read(&mut browser)?;
    let (host, port) = (take(&browser, length)?, u16::from_be_bytes(read(&mut browser)?));
    if host != b"127.0.0.1" {
        // The browser's own requests to the internet would hold up the page.
        return Ok(());
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    browser.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let (requests, answers) = ((browser.try_clone()?, server.try_clone()?), (server, browser));
    for (mut from, mut to) in [requests, answers] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    Ok(())
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn take(stream: &TcpStream, length: u8) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(length.into()).read_to_end(&mut bytes)?;
    Ok(bytes)
}
