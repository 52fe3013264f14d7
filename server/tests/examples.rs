//! The examples run and do what they say.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// An example that serves; ended with the test.
struct Example {
    child: Child,
    address: String,
}

impl Example {
    /// Cargo builds the examples with the tests, and puts them beside them.
    fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    fn start_with(name: &str, options: &[&str]) -> Self {
        let tests = std::env::current_exe().unwrap();
        let program: PathBuf = tests.ancestors().nth(2).unwrap().join("examples").join(name);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = Command::new(&program).arg(&address).args(options).stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `cargo build --examples` makes it, and so does `cargo test` without \
                 `--test`",
                program.display()
            )
        });
        let example = Self { child, address };
        let end = Instant::now() + Duration::from_secs(30);
        while !example.answers().is_ok_and(|bytes| bytes > 0) {
            assert!(Instant::now() < end, "{name} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        example
    }

    /// To connect proves nothing: a program that another test is just starting may have inherited
    /// the socket that found the free port.
    fn answers(&self) -> io::Result<usize> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        stream.read(&mut [0])
    }

    /// Sends this at once, and then a byte now and then, until the server has enough. Returns its
    /// answer.
    fn trickle(&self, start: &'static str) -> std::thread::JoinHandle<String> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        std::thread::spawn(move || {
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            stream.write_all(start.as_bytes()).unwrap();
            let (end, mut said) = (Instant::now() + Duration::from_secs(30), Vec::new());
            let mut buffer = [0; 1024];
            while Instant::now() < end {
                match stream.read(&mut buffer) {
                    Ok(0) => return String::from_utf8(said).unwrap(),
                    Ok(count) => said.extend(&buffer[..count]),
                    Err(error)
                        if matches!(
                            error.kind(),
                            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                        ) =>
                    {
                        let _ = stream.write_all(b"x");
                    }
                    Err(_) => return String::from_utf8(said).unwrap(),
                }
            }
            panic!("the server waits for ever");
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (Response<()>, String) {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response =
            client.request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(head, ()), String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (Response<()>, String) {
        self.send(Method::GET, path, headers).await
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cookies(response: &Response<()>) -> String {
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    lines
        .map(|line| line.to_str().unwrap().split(';').next().unwrap())
        .collect::<Vec<_>>()
        .join("; ")
}

#[tokio::test]
async fn minimal() {
    let example = Example::start("minimal");
    let (first, body) = example.get("/api/me", &[]).await;
    assert!(body.contains("\"signedIn\":false"), "{body}");
    let (_, again) = example.get("/api/me", &[("cookie", &cookies(&first))]).await;
    assert_eq!(again, body, "the same visitor");
}

#[tokio::test]
async fn ssr() {
    let example = Example::start("ssr");
    let (page, html) = example.get("/", &[("accept", "text/html")]).await;
    assert!(html.contains("Hello visitor") && cookies(&page).is_empty(), "{html}");
    let (page, _) = example.get("/orders?x=1", &[("accept", "text/html")]).await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["location"]),
        (303, &"/refresh-session?redirectBack=%2Forders%3Fx%3D1".parse().unwrap())
    );
    assert_eq!(example.get("/orders", &[]).await.0.status(), 401);
    let (login, _) = example.send(Method::POST, "/login", &[]).await;
    let jar = cookies(&login);
    let (_, html) = example.get("/orders", &[("accept", "text/html"), ("cookie", &jar)]).await;
    assert!(html.contains("alice &#60;b&#62;") || html.contains("alice &lt;b&gt;"), "{html}");
    assert_eq!(example.get("/orders", &[("cookie", &jar)]).await.1, "{\"orders\":[]}");
}

#[tokio::test]
async fn actix() {
    let example = Example::start("actix");
    let (_, body) = example.get("/api/me", &[]).await;
    assert!(body.contains("\"signedIn\":false"), "{body}");
    let (login, _) = example.send(Method::POST, "/api/login", &[]).await;
    assert_eq!(
        example.get("/api/orders", &[("cookie", &cookies(&login))]).await.1,
        "orders of alice"
    );
    assert_eq!(example.get("/api/orders", &[]).await.0.status(), 401);
}

#[tokio::test]
async fn timeouts() {
    let example = Example::start_with("timeouts", &["1"]);
    let (_, body) = example.get("/api/me", &[]).await;
    assert!(body.contains("\"signedIn\":false"), "{body}");
    let (answer, body) = example.send(Method::POST, "/api/note", &[("content-length", "0")]).await;
    assert_eq!((answer.status().as_u16(), body.as_str()), (200, "0 bytes"));
    // A body that comes byte by byte, and half a head.
    let slow = "POST /api/note HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
    let (slow, half) = (example.trickle(slow), example.trickle("GET /api/me HTTP/1.1\r\n"));
    let (slow, half) = (slow.join().unwrap(), half.join().unwrap());
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    assert!(half.is_empty() || half.starts_with("HTTP/1.1 408"), "{half}");
}
