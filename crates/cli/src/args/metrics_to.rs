//! Where the drill's own metrics are sent, and how its TLS is set up: the keys of a scenario's `tls`, as flags.

use clap::Args;
use peakdrill_drill_control::exposition::{Endpoint, Keys, Receiver, endpoint};
use peakdrill_drill_model::exit::Exit;

use crate::commands::Failure;

/// A receiver of the drill's own metrics.
#[derive(Args)]
pub(crate) struct MetricsTo {
    /// Sends the drill's own metrics by OTLP over HTTP, once a second: `http://collector:4318`, `https://collector:4318`.
    #[arg(id = "metrics-to", long, value_name = "URL", value_parser = endpoint, help_heading = "Telemetry")]
    url: Option<Endpoint>,
    /// A PEM file with further certificate authorities, for `--metrics-to https://…`.
    #[arg(
        id = "metrics-to-ca",
        long,
        value_name = "FILE",
        requires = "metrics-to",
        conflicts_with = "metrics-to-insecure",
        help_heading = "Telemetry"
    )]
    ca: Option<String>,
    /// A PEM file with the client's certificate, for `--metrics-to https://…`.
    #[arg(
        id = "metrics-to-cert",
        long,
        value_name = "FILE",
        requires_all = ["metrics-to", "metrics-to-key"],
        help_heading = "Telemetry"
    )]
    cert: Option<String>,
    /// A PEM file with the private key of `--metrics-to-cert`.
    #[arg(
        id = "metrics-to-key",
        long,
        value_name = "FILE",
        requires_all = ["metrics-to", "metrics-to-cert"],
        help_heading = "Telemetry"
    )]
    key: Option<String>,
    /// The name that the receiver's certificate is held against, in place of that in `--metrics-to`.
    #[arg(
        id = "metrics-to-server-name",
        long,
        value_name = "NAME",
        requires = "metrics-to",
        help_heading = "Telemetry"
    )]
    server_name: Option<String>,
    /// Does not verify the certificate of `--metrics-to https://…`.
    #[arg(id = "metrics-to-insecure", long, requires = "metrics-to", help_heading = "Telemetry")]
    insecure: bool,
}

impl MetricsTo {
    /// Who is sent to, its certificates read; `None`: metrics are sent nowhere.
    pub(crate) fn receiver(&self) -> Result<Option<Receiver>, Failure> {
        let Some(endpoint) = self.endpoint()? else { return Ok(None) };
        let receiver = Receiver::new(endpoint, Keys::Flags("--metrics-to"));
        receiver.map(Some).map_err(|error| Failure::new(Exit::Usage, format!("--metrics-to: {error}")))
    }

    /// The endpoint with its TLS.
    fn endpoint(&self) -> Result<Option<Endpoint>, Failure> {
        let Some(mut endpoint) = self.url.clone() else { return Ok(None) };
        match &mut endpoint.tls {
            Some(tls) => {
                (tls.ca, tls.insecure) = (self.ca.clone(), self.insecure);
                (tls.identity.cert, tls.identity.key) = (self.cert.clone(), self.key.clone());
                tls.identity.server_name = self.server_name.clone();
            }
            None => {
                if let Some(flag) = self.of_tls() {
                    let text = format!("{flag} has no meaning for `http://`: write `--metrics-to https://…`");
                    return Err(Failure::new(Exit::Usage, text));
                }
            }
        }
        Ok(Some(endpoint))
    }

    /// A flag that says something of TLS.
    fn of_tls(&self) -> Option<&'static str> {
        let said = [
            (self.ca.is_some(), "--metrics-to-ca"),
            (self.cert.is_some(), "--metrics-to-cert"),
            (self.server_name.is_some(), "--metrics-to-server-name"),
            (self.insecure, "--metrics-to-insecure"),
        ];
        said.into_iter().find_map(|(is_said, flag)| is_said.then_some(flag))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        to: MetricsTo,
    }

    fn read(line: &str) -> Result<Option<Endpoint>, String> {
        let words = ["peakdrill"].into_iter().chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.to.endpoint().map_err(|failure| failure.message)
    }

    #[test]
    fn flags_are_the_keys_of_tls() {
        assert_eq!(read(""), Ok(None));
        let plain = read("--metrics-to http://otel:4318").unwrap().unwrap();
        assert_eq!(plain.tls, None);
        let tls = read(
            "--metrics-to https://otel:4318 --metrics-to-ca ca.pem --metrics-to-cert me.pem \
             --metrics-to-key me.key --metrics-to-server-name otel.test",
        );
        let tls = tls.unwrap().unwrap().tls.unwrap();
        assert_eq!((tls.ca.as_deref(), tls.insecure), (Some("ca.pem"), false));
        let identity = tls.identity;
        assert_eq!((identity.cert.as_deref(), identity.key.as_deref()), (Some("me.pem"), Some("me.key")));
        assert_eq!((identity.server_name.as_deref(), identity.resume), (Some("otel.test"), true));
        let all = read("--metrics-to https://otel --metrics-to-insecure").unwrap().unwrap();
        assert!(all.tls.unwrap().insecure);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let https = "--metrics-to https://otel";
        for (line, said) in [
            ("--metrics-to-ca ca.pem".to_owned(), "--metrics-to <URL>"),
            (format!("{https} --metrics-to-cert me.pem"), "--metrics-to-key <FILE>"),
            (format!("{https} --metrics-to-key me.key"), "--metrics-to-cert <FILE>"),
            (format!("{https} --metrics-to-ca ca.pem --metrics-to-insecure"), "cannot be used with"),
            (
                "--metrics-to http://otel --metrics-to-insecure".to_owned(),
                "--metrics-to-insecure has no meaning for `http://`",
            ),
        ] {
            let found = read(&line).unwrap_err();
            assert!(found.contains(said), "{line}: {found}");
        }
    }
}
