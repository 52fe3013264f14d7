//! The configuration: a file, over it environment variables, over them the command line. An option
//! that is unknown or out of range is refused.

use std::{collections::BTreeMap, fmt, fs, net::SocketAddr, path::Path, time::Duration};

use passerby_server::session_core::CoreSettings;
use serde::Deserialize;
use toml::{Table, Value};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Environment variables of ours begin with this; the rest is the name of the option in capitals.
const PREFIX: &str = "PASSERBY_SERVER_";

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
passerby-server: the session core for SuperTokens back ends.

Usage: passerby-server core [options]     serve, until SIGTERM or Ctrl-C
       passerby-server check [options]    check the configuration, print it without secrets, and end

  --config FILE      configuration file (TOML); default: $PASSERBY_SERVER_CONFIG, else none
  --listen ADDRESS   address and port; overrides the file and the environment
  --port N           the same, on 127.0.0.1; 0 takes any free port
  --database WHERE   a SQLite file, or postgres://user:password@host/database
  --help, --version

Each option of the file can be given as an environment variable, which overrides it: `database` is
PASSERBY_SERVER_DATABASE. The file is the better place for a password, because other processes may
see the environment and the command line.

  listen                   address and port. Default \"127.0.0.1:3567\". Only back ends may
                           reach it: anyone who can send it a request can sign in as
                           anybody
  database                 see --database. Default \"passerby-core.db\"
  api_keys                 list of keys, one of which back ends must send (`apiKey`); in the
                           environment with commas between. Default: none
  allow_without_key        true: serve without `api_keys` also beyond this machine. Default false
  hosts                    names that back ends call the core by, where there is no key and the name
                           has a dot; in the environment with commas between. Default: none
  access_token_validity    seconds. Default 3600
  refresh_token_validity   seconds without use that end a session. Default 8640000 (100 days)
  refresh_grace            seconds that a refresh token stays acceptable after another took its
                           place, for slow answers; 0 for none. Default 30
  key_rotation             seconds, at least 120. Default 604800 (168 hours)
  prune_interval           seconds between removals of expired sessions. Default 300
  max_body_bytes           largest request body. Default 1048576
  max_header_bytes         largest request head, at least 8192. Default 32768
  header_timeout           seconds to receive a request head, and between two requests of a
                           connection. Default 30
  request_timeout          seconds to receive and answer a request. Default 30
  shutdown_timeout         seconds that requests under way get at the end. Default 30
  log                      error, warn, info, debug, trace, or per module:
                           \"info,passerby_server=debug\". Default \"info\"
  log_format               \"text\" or \"json\", on standard error. Default \"text\"

GET /healthz answers 200 while the process runs, /readyz 200 while the database answers and 503 at
the end, /metrics in the format of Prometheus.";

/// A configuration that can be used as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) database: String,
    api_keys: Vec<String>,
    allow_without_key: bool,
    hosts: Vec<String>,
    access_token_validity: u64,
    refresh_token_validity: u64,
    refresh_grace: u64,
    key_rotation: u64,
    prune_interval: u64,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_header_bytes: usize,
    header_timeout: u64,
    request_timeout: u64,
    shutdown_timeout: u64,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let core = CoreSettings::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3567)),
            database: "passerby-core.db".into(),
            api_keys: Vec::new(),
            allow_without_key: false,
            hosts: Vec::new(),
            access_token_validity: core.access_token_validity.as_secs(),
            refresh_token_validity: core.refresh_token_validity.as_secs(),
            refresh_grace: core.refresh_grace.as_secs(),
            key_rotation: core.key_rotation.as_secs(),
            prune_interval: 300,
            max_body_bytes: 1 << 20,
            max_header_bytes: 32 << 10,
            header_timeout: 30,
            request_timeout: 30,
            shutdown_timeout: 30,
            log: "info".into(),
            log_format: LogFormat::Text,
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the configuration file `{path}` cannot be read: {reason}")]
    Unreadable { path: String, reason: std::io::Error },
    /// Without the text around it, which may be a password.
    #[error("the configuration file `{path}` is not TOML: {message} (line {line})")]
    NotToml { path: String, message: String, line: usize },
    #[error("the configuration is refused: {0}; see `passerby-server --help`")]
    Refused(String),
}

impl Config {
    /// Reads the file, the environment, and what the command line says.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        command_line: BTreeMap<&'static str, String>,
    ) -> Result<Self, ConfigError> {
        let mut variables: BTreeMap<String, String> = environment
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), value)))
            .collect();
        let named = variables.remove("config");
        let mut table = match file.or(named.as_deref().map(Path::new)) {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        table
            .extend(variables.into_iter().map(|(name, value)| (name.clone(), typed(&name, value))));
        table.extend(
            command_line.into_iter().map(|(name, value)| (name.to_owned(), typed(name, value))),
        );
        let config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Refused(error.message().to_owned()))?;
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let least = [
            ("prune_interval", self.prune_interval, 1),
            ("max_body_bytes", self.max_body_bytes as u64, 1024),
            ("max_header_bytes", self.max_header_bytes as u64, 8192),
            ("header_timeout", self.header_timeout, 1),
            ("request_timeout", self.request_timeout, 1),
        ];
        for (name, value, least) in least {
            if value < least {
                return Err(ConfigError::Refused(format!(
                    "`{name}` must be at least {least}, and is {value}"
                )));
            }
        }
        self.core().check().map_err(|error| ConfigError::Refused(error.to_string()))?;
        if !self.listen.ip().is_loopback() && self.api_keys.is_empty() && !self.allow_without_key {
            return Err(ConfigError::Refused(format!(
                "`listen` is {}, which others can reach, and whoever reaches a core without \
                 `api_keys` can sign in as anybody; set \
                 `api_keys`, or `allow_without_key = true` where the network lets only back ends \
                 through",
                self.listen
            )));
        }
        if self.database.is_empty() {
            return Err(ConfigError::Refused("`database` is empty".into()));
        }
        // A word that is not a level would be taken for a module, and everything else be silent.
        let level = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
        if !self.log.split(',').all(level) || self.log.parse::<Targets>().is_err() {
            return Err(ConfigError::Refused(
                "`log` is neither a level like `info` nor a list of levels by module".into(),
            ));
        }
        Ok(self)
    }

    /// The settings of the core itself.
    pub(crate) fn core(&self) -> CoreSettings {
        let mut settings = CoreSettings::default();
        settings.access_token_validity = Duration::from_secs(self.access_token_validity);
        settings.refresh_token_validity = Duration::from_secs(self.refresh_token_validity);
        settings.refresh_grace = Duration::from_secs(self.refresh_grace);
        settings.key_rotation = Duration::from_secs(self.key_rotation);
        settings.api_keys.clone_from(&self.api_keys);
        settings.hosts.clone_from(&self.hosts);
        settings
    }

    pub(crate) fn prune_interval(&self) -> Duration {
        Duration::from_secs(self.prune_interval)
    }

    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout)
    }

    pub(crate) fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.database.starts_with(scheme))
    }
}

/// The settings in force, without passwords and keys.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = if self.is_postgres() { "postgres://…" } else { &self.database };
        writeln!(f, "listen = \"{}\"", self.listen)?;
        writeln!(f, "database = {database:?}")?;
        writeln!(f, "# api_keys: {}", self.api_keys.len())?;
        writeln!(f, "allow_without_key = {}", self.allow_without_key)?;
        writeln!(f, "hosts = {:?}", self.hosts)?;
        for (name, value) in [
            ("access_token_validity", self.access_token_validity),
            ("refresh_token_validity", self.refresh_token_validity),
            ("refresh_grace", self.refresh_grace),
            ("key_rotation", self.key_rotation),
            ("prune_interval", self.prune_interval),
            ("max_body_bytes", self.max_body_bytes as u64),
            ("max_header_bytes", self.max_header_bytes as u64),
            ("header_timeout", self.header_timeout),
            ("request_timeout", self.request_timeout),
            ("shutdown_timeout", self.shutdown_timeout),
        ] {
            writeln!(f, "{name} = {value}")?;
        }
        writeln!(f, "log = {:?}", self.log)?;
        write!(
            f,
            "log_format = {:?}",
            if self.log_format == LogFormat::Json { "json" } else { "text" }
        )
    }
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|reason| ConfigError::Unreadable { path: shown.clone(), reason })?;
    text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
        path: shown,
        message: error.message().to_owned(),
        line: error
            .span()
            .map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1)),
    })
}

/// A text as the value of this option: a list where one is expected, a number where it looks like
/// one.
fn typed(name: &str, text: String) -> Value {
    match name {
        "api_keys" | "hosts" => {
            Value::Array(text.split(',').map(|key| Value::String(key.trim().to_owned())).collect())
        }
        "database" | "listen" | "log" | "log_format" => Value::String(text),
        "allow_without_key" => text.trim().parse().map_or(Value::String(text), Value::Boolean),
        _ => text.trim().parse().map_or(Value::String(text), Value::Integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        file: &str,
        environment: &[(&str, &str)],
        command_line: &[(&'static str, &str)],
    ) -> Result<Config, String> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("passerby.toml");
        fs::write(&path, file).unwrap();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let command_line =
            command_line.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Config::load(Some(&path), environment, command_line).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let config = load(
            "database = \"a.db\"\nlog = \"warn\"\naccess_token_validity = 5",
            &[
                ("PASSERBY_SERVER_LOG", "debug"),
                ("PASSERBY_SERVER_ACCESS_TOKEN_VALIDITY", "7"),
                ("PASSERBY_CHROMIUM", "x"),
            ],
            &[("database", "b.db"), ("listen", "127.0.0.1:0")],
        )
        .unwrap();
        assert_eq!((config.database.as_str(), config.log.as_str()), ("b.db", "debug"));
        assert_eq!(config.core().access_token_validity, Duration::from_secs(7));
        assert_eq!(config.listen.port(), 0);
        assert_eq!(config.core().key_rotation, Duration::from_secs(604_800));
        let config = load("", &[("PASSERBY_SERVER_API_KEYS", "one, two")], &[]).unwrap();
        assert_eq!(config.api_keys, ["one", "two"]);
        let anywhere = ("PASSERBY_SERVER_LISTEN", "0.0.0.0:3567");
        for lock in
            [("PASSERBY_SERVER_API_KEYS", "one"), ("PASSERBY_SERVER_ALLOW_WITHOUT_KEY", "true")]
        {
            load("", &[anywhere, lock], &[]).unwrap();
        }
    }

    #[test]
    fn an_option_that_is_unknown_or_out_of_range_is_named() {
        for (file, environment, part) in [
            ("databse = \"x\"", None, "databse"),
            ("", Some(("PASSERBY_SERVER_DATABSE", "x")), "databse"),
            ("access_token_validity = 0", None, "access_token_validity"),
            ("access_token_validity = -1", None, "-1"),
            ("", Some(("PASSERBY_SERVER_KEY_ROTATION", "119")), "key_rotation"),
            ("", Some(("PASSERBY_SERVER_KEY_ROTATION", "soon")), "soon"),
            ("max_header_bytes = 10", None, "max_header_bytes"),
            ("listen = \"nowhere\"", None, "socket address"),
            ("log = \"loud\"", None, "log"),
            ("log = \"info,hyper=loud\"", None, "log"),
            ("log_format = \"xml\"", None, "xml"),
            ("database = \"\"", None, "database"),
            ("listen = \"0.0.0.0:3567\"", None, "api_keys"),
            ("listen = \"[::]:3567\"\nallow_without_key = false", None, "api_keys"),
            ("", Some(("PASSERBY_SERVER_ALLOW_WITHOUT_KEY", "perhaps")), "perhaps"),
            ("a = ", None, "line 1"),
        ] {
            let environment: Vec<_> = environment.into_iter().collect();
            let error = load(file, &environment, &[])
                .err()
                .unwrap_or_else(|| panic!("{file} was accepted"));
            assert!(error.contains(part), "{file}: {error}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let config =
            load("database = \"postgres://alice:hunter2@h/x\"\napi_keys = [\"hunter2\"]", &[], &[])
                .unwrap();
        assert!(!config.to_string().contains("hunter2") && !config.to_string().contains("alice"));
        let error = load("database = \"postgres://alice:hunter2@h/x", &[], &[]).err().unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_help_names_every_option() {
        let names = [
            "listen",
            "database",
            "api_keys",
            "prune_interval",
            "max_body_bytes",
            "shutdown_timeout",
            "log_format",
        ];
        let shown = Config::default().to_string();
        let shown = shown.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
        for name in shown.chain(names) {
            assert!(USAGE.contains(&format!("\n  {name} ")), "{name}");
        }
    }

    #[test]
    fn the_help_tells_the_defaults() {
        let shown = Config::default().to_string();
        for (name, value) in shown.lines().filter_map(|line| line.split_once(" = ")) {
            let option = USAGE.split_once(&format!("\n  {name} ")).unwrap().1;
            // Its other lines begin with more spaces.
            let end =
                option.match_indices("\n  ").find(|(at, _)| !option[at + 3..].starts_with(' '));
            let text = &option[..end.map_or(option.len(), |(at, _)| at)];
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let value = if value == "[]" { "none" } else { value };
            let told = text.split_once("Default").unwrap().1.trim_start_matches([':', ' ']);
            let rest = told.strip_prefix(value);
            assert!(
                rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn a_configuration_that_is_shown_can_be_loaded() {
        let shown = Config::default().to_string();
        assert_eq!(load(&shown, &[], &[]).unwrap().to_string(), shown);
    }
}
