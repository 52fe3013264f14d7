//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

/// The text of `--help`.
pub const USAGE: &str = "\
Sill, the demo shop of Passerby.

Usage: passerby-www [options]

  --port N                       port on localhost; 0 takes any free one (default 3000)
  --database FILE                SQLite file, made when missing (default: sill.db in the temp
                                 directory)
  --web DIR                      the built front end (default www/web/dist)
  --access-token-validity SECS   life of an access token (default 3600)
  --refresh-grace SECS           how long a refresh token stays acceptable after another took its
                                 place (default 0, so that the theft in the session panel shows at
                                 once; the server's default is 30)
  --mint-for-navigations         page loads make anonymous sessions, too, and not API requests only
  --mint-limit N                 at most N new anonymous sessions an hour from one address, as the
                                 proxy in front writes it to X-Forwarded-For (default: the server's
                                 limit, by the address of the connection)
  --no-anonymous-sessions        visitors get none, and lose those they have
  --anti-csrf-tokens             requests that change something must carry an anti-CSRF token
  --embedded                     cookies for a shop in frames of other websites
  --help                         this text";

/// How to run the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// On localhost; 0 takes any free one.
    pub port: u16,
    /// SQLite file.
    pub database: PathBuf,
    /// The built front end.
    pub web: PathBuf,
    /// In seconds.
    pub access_token_validity: u64,
    /// How long a replaced refresh token stays acceptable, in seconds.
    pub refresh_grace: u64,
    /// Whether page loads make anonymous sessions, too.
    pub mint_for_navigations: bool,
    /// New anonymous sessions an hour from one address, which a proxy in front tells.
    pub mint_limit: Option<u32>,
    /// Whether visitors get anonymous sessions.
    pub anonymous_sessions: bool,
    /// Whether requests that change something must carry an anti-CSRF token.
    pub anti_csrf_tokens: bool,
    /// Whether cookies are those of a shop in other websites' frames.
    pub embedded: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 3000,
            database: std::env::temp_dir().join("sill.db"),
            web: "www/web/dist".into(),
            access_token_validity: 3600,
            refresh_grace: 0,
            mint_for_navigations: false,
            mint_limit: None,
            anonymous_sessions: true,
            anti_csrf_tokens: false,
            embedded: false,
        }
    }
}

impl Options {
    /// Reads the arguments (without the program's name). `None` means that help was asked for.
    ///
    /// # Errors
    /// On an unknown option, and on a value that is missing or out of range.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("port") => options.port = parser.value()?.parse()?,
                Arg::Long("database") => options.database = parser.value()?.into(),
                Arg::Long("web") => options.web = parser.value()?.into(),
                Arg::Long("access-token-validity") => {
                    options.access_token_validity = parser.value()?.parse_with(validity)?
                }
                Arg::Long("refresh-grace") => options.refresh_grace = parser.value()?.parse()?,
                Arg::Long("mint-for-navigations") => options.mint_for_navigations = true,
                Arg::Long("mint-limit") => options.mint_limit = Some(parser.value()?.parse()?),
                Arg::Long("no-anonymous-sessions") => options.anonymous_sessions = false,
                Arg::Long("anti-csrf-tokens") => options.anti_csrf_tokens = true,
                Arg::Long("embedded") => options.embedded = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

fn validity(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds @ 1..=31_536_000) => Ok(seconds),
        _ => Err("expected 1 to 31536000 seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<Options>, String> {
        Options::parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_has_a_default() {
        assert_eq!(parse(&[]), Ok(Some(Options::default())));
    }

    #[test]
    fn reads_all_options() {
        let arguments = [
            "--port",
            "0",
            "--database=/tmp/x.db",
            "--web",
            "dist",
            "--access-token-validity",
            "3",
        ];
        let flags = [
            "--refresh-grace",
            "9",
            "--mint-for-navigations",
            "--mint-limit",
            "2",
            "--no-anonymous-sessions",
            "--anti-csrf-tokens",
            "--embedded",
        ];
        let expected = Options {
            port: 0,
            database: "/tmp/x.db".into(),
            web: "dist".into(),
            access_token_validity: 3,
            refresh_grace: 9,
            mint_for_navigations: true,
            mint_limit: Some(2),
            anonymous_sessions: false,
            anti_csrf_tokens: true,
            embedded: true,
        };
        assert_eq!(parse(&[&arguments[..], &flags].concat()), Ok(Some(expected)));
        assert_eq!(parse(&["--help", "--port"]), Ok(None));
    }

    #[test]
    fn says_what_is_wrong() {
        for (arguments, part) in [
            (&["--prot", "1"][..], "--prot"),
            (&["--port", "70000"], "70000"),
            (&["--port"], "--port"),
            (&["--mint-limit", "many"], "many"),
            (&["--access-token-validity", "0"], "1 to 31536000"),
            (&["extra"], "extra"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
