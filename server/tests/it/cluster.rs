//! A PostgreSQL server of our own: in a temporary folder, on a Unix socket, and gone with the test
//! process, however that ends.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use passerby_server::PostgresStore;
use tempfile::TempDir;
use tokio::sync::OnceCell;

const PORT: u16 = 5432;
const START: Duration = Duration::from_secs(30);
/// Debian's packages make this user. PostgreSQL refuses to run as root.
const SERVER_USER: &str = "postgres";
/// Nothing here outlives the process, so nothing waits for the disk.
const SETTINGS: &str = "\
listen_addresses = ''
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 32MB
";

static SHARED: OnceCell<Cluster> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The server that all tests share.
pub(crate) async fn shared() -> &'static Cluster {
    SHARED.get_or_init(Cluster::start).await
}

/// A store in an empty database of the shared server.
pub(crate) async fn store() -> PostgresStore {
    shared().await.store().await
}

/// A running server.
pub(crate) struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    /// Waits for the end of this process, and then stops the server and removes its folder.
    guard: Child,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        tokio::task::spawn_blocking(Self::start_now).await.unwrap()
    }

    fn start_now() -> Self {
        let binaries = binaries();
        // In `/tmp`, because the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("passerby-pg-").tempdir_in("/tmp").unwrap();
        if is_root() {
            let id = |flag: &str| -> u32 {
                said(Command::new("id").args([flag, SERVER_USER])).trim().parse().unwrap()
            };
            std::os::unix::fs::chown(folder.path(), Some(id("-u")), Some(id("-g"))).unwrap();
        }
        let data = folder.path().join("data");
        said(
            as_server_user(&binaries.join("initdb"))
                .args([
                    "--no-sync",
                    "--auth=trust",
                    "--username=passerby",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--pgdata",
                ])
                .arg(&data),
        );
        let settings = format!(
            "{SETTINGS}port = {PORT}\nunix_socket_directories = '{}'\n",
            folder.path().display()
        );
        let mut file =
            fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        let script = format!(
            "read -r _; {} ; rm -rf '{}'",
            shell_words(
                as_server_user(&binaries.join("pg_ctl"))
                    .args(["stop", "-m", "immediate", "-s", "-D"])
                    .arg(&data)
            ),
            folder.path().display(),
        );
        let guard = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self { folder, binaries, guard };
        cluster.resume();
        cluster
    }

    /// Starts the server again.
    pub(crate) fn resume(&self) {
        let log = self.folder.path().join("log");
        self.control(&[
            "start",
            "-w",
            "-t",
            &START.as_secs().to_string(),
            "-l",
            log.to_str().unwrap(),
        ]);
    }

    /// Stops the server as a crash would.
    pub(crate) fn crash(&self) {
        self.control(&["stop", "-m", "immediate"]);
    }

    fn control(&self, arguments: &[&str]) {
        // To files and not to pipes: the server inherits them, and reading a pipe would wait for
        // its end.
        let status = as_server_user(&self.binaries.join("pg_ctl"))
            .args(arguments)
            .args(["-s", "-D"])
            .arg(self.folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(status.success(), "pg_ctl {arguments:?}: {log}");
    }

    /// The address of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(self.binaries.join("createdb"));
        command
            .args(["--username=passerby", "--host"])
            .arg(self.folder.path())
            .args(["--template=template0", &name]);
        tokio::task::spawn_blocking(move || said(&mut command)).await.unwrap();
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://passerby@{socket}:{PORT}/{name}")
    }

    /// A store in a new, empty database.
    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.database().await).await.unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The guard sees the end of its input, and acts.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Where `initdb` is: newest of Debian's folders first, then the `PATH`.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .collect();
    versions.sort();
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .find(|folder| folder.join("initdb").is_file())
    };
    versions
        .pop()
        .map(|(_, folder)| folder)
        .or_else(on_path)
        .expect("PostgreSQL is missing; `cargo xtask setup` installs it")
}

fn is_root() -> bool {
    said(Command::new("id").arg("-u")).trim() == "0"
}

fn as_server_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]).arg(program);
    // Its own folder is all that the user can enter for sure.
    command.current_dir("/tmp");
    command
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn shell_words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| format!("'{}'", word.to_str().unwrap())).collect::<Vec<_>>().join(" ")
}
