//! `peakdrill otel-profile`.

use std::net::SocketAddr;

use peakdrill_drill_model::exit::Exit;

use super::Failure;
use crate::args::{OtelProfile, OtlpProtocol, ProfileFormat};
use crate::profile::{Tee, Workload, collector, environment, kubernetes, settings};
use crate::show::out;

/// Where the drill takes OTLP when nothing is said: over gRPC, and over HTTP.
const GRPC: &str = "127.0.0.1:4317";
const HTTP: &str = "127.0.0.1:4318";
/// Longest name that is taken, as Kubernetes has it.
const NAME_MAX: usize = 253;

pub(super) fn run(args: &OtelProfile) -> Result<Exit, Failure> {
    let text = text(args).map_err(|message| Failure::new(Exit::Usage, message))?;
    out(&text);
    Ok(Exit::Ok)
}

/// What is printed, or what is wrong with the arguments.
fn text(args: &OtelProfile) -> Result<String, String> {
    fits_format(args)?;
    let grpc = address("--otlp-grpc", args.otlp_grpc.as_deref().unwrap_or(GRPC))?;
    let http = address("--otlp-http", args.otlp_http.as_deref().unwrap_or(HTTP))?;
    let service = args.service.as_deref().map(|name| named("--service", name)).transpose()?;
    let (protocol, endpoint, flag) = match args.protocol {
        None | Some(OtlpProtocol::Grpc) => ("grpc", grpc, "--otlp-grpc"),
        Some(OtlpProtocol::Http) => ("http/protobuf", http, "--otlp-http"),
    };
    let all = settings(endpoint, protocol, service);
    match args.format {
        ProfileFormat::Env => Ok(environment(&all)),
        ProfileFormat::Kubernetes => {
            if is_loopback(endpoint) {
                return Err(format!(
                    "{flag} {endpoint}: inside a pod that is the pod itself: give the address of the machine that the \
                     drill runs on, and let the drill listen there, as in `peakdrill run {flag} 0.0.0.0:{}`",
                    port(endpoint)
                ));
            }
            let deployment = args.deployment.as_deref().ok_or("--format kubernetes needs --deployment")?;
            let deployment = named("--deployment", deployment)?;
            let container = args.container.as_deref().map(|name| named("--container", name)).transpose()?;
            Ok(kubernetes(&all, &Workload { deployment, container: container.unwrap_or(deployment) }))
        }
        ProfileFormat::Collector => Ok(collector(grpc, tee(args, grpc)?.as_ref())),
    }
}

/// An option that the form has no use for is a mistake: somebody would wait for its effect.
fn fits_format(args: &OtelProfile) -> Result<(), String> {
    let (kubernetes, collector) =
        (args.format == ProfileFormat::Kubernetes, args.format == ProfileFormat::Collector);
    let wrong = [
        (args.deployment.is_some() && !kubernetes, "--deployment", "kubernetes"),
        (args.backend.is_some() && !collector, "--backend", "collector"),
    ];
    if let Some((_, flag, format)) = wrong.iter().find(|(wrong, ..)| *wrong) {
        return Err(format!("{flag} is for --format {format}"));
    }
    let of_services = [(args.service.is_some(), "--service"), (args.protocol.is_some(), "--protocol")];
    if let Some((_, flag)) = of_services.iter().find(|(given, _)| *given && collector) {
        return Err(format!("{flag} is a setting of services, not of a Collector: leave it out"));
    }
    // The Collector sends over gRPC, and services do unless it is said otherwise.
    let over_http = !collector && args.protocol == Some(OtlpProtocol::Http);
    match (args.otlp_grpc.is_some(), args.otlp_http.is_some()) {
        (_, true) if collector => {
            Err("--otlp-http: a Collector sends over gRPC: give --otlp-grpc".to_owned())
        }
        (_, true) if !over_http => Err("--otlp-http is for --protocol http/protobuf".to_owned()),
        (true, _) if over_http => Err("--otlp-grpc is for --protocol grpc".to_owned()),
        _ => Ok(()),
    }
}

/// The rest of the Collector's configuration, where it is to be whole.
fn tee<'a>(args: &'a OtelProfile, drill: &str) -> Result<Option<Tee<'a>>, String> {
    let Some(backend) = args.backend.as_deref() else { return Ok(None) };
    let backend = address("--backend", backend)?;
    let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
    let listen_grpc = args.listen_grpc.unwrap_or_else(|| any(4317));
    let listen_http = args.listen_http.unwrap_or_else(|| any(4318));
    for (flag, listen) in [("--listen-grpc", listen_grpc), ("--listen-http", listen_http)] {
        let clash =
            [drill, backend].into_iter().find(|to| is_loopback(to) && port(to) == listen.port().to_string());
        if let Some(to) = clash {
            return Err(format!(
                "the Collector would listen on {listen} and send to {to}, which is itself: choose another {flag}"
            ));
        }
    }
    Ok(Some(Tee { backend, listen_grpc, listen_http }))
}

/// `HOST:PORT`, of characters that need no quoting anywhere.
fn address<'a>(flag: &str, text: &'a str) -> Result<&'a str, String> {
    let host = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
    let plain = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match inner {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
        }
    };
    match host {
        Some((host, _)) if text.len() <= NAME_MAX && plain(host) => Ok(text),
        _ => Err(format!("{flag} {text}: expected HOST:PORT without a scheme, such as drill-host:4317")),
    }
}

fn named<'a>(flag: &str, text: &'a str) -> Result<&'a str, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/@:".contains(c);
    let good = !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(plain);
    if good {
        Ok(text)
    } else {
        Err(format!("{flag} {text}: expected letters, digits and any of . _ - / @ :"))
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(_, port)| port)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn text_of(arguments: &[&str]) -> Result<String, String> {
        let all = ["peakdrill", "otel-profile"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).map_err(|error| error.to_string())?;
        let Command::OtelProfile(args) = cli.command else { return Err("another command".to_owned()) };
        text(&args)
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_do() {
        for (arguments, wanted) in [
            (&["--format", "kubernetes"][..], "--deployment"),
            (&["--format", "kubernetes", "--deployment", "order"], "inside a pod that is the pod itself"),
            (&["--otlp-grpc", "http://x:4317"], "without a scheme"),
            (&["--otlp-grpc", "x"], "expected HOST:PORT"),
            (&["--protocol", "http/protobuf", "--otlp-http", "x:0"], "expected HOST:PORT"),
            (&["--otlp-http", "drill-host:4318"], "--otlp-http is for --protocol http/protobuf"),
            (&["--protocol", "grpc", "--otlp-http", "x:1"], "--otlp-http is for --protocol http/protobuf"),
            (&["--protocol", "http/protobuf", "--otlp-grpc", "x:1"], "--otlp-grpc is for --protocol grpc"),
            (&["--format", "collector", "--otlp-http", "x:1"], "a Collector sends over gRPC"),
            (&["--service", "a b"], "expected letters"),
            (&["--backend", "x:4317"], "--backend is for --format collector"),
            (&["--deployment", "x"], "--deployment is for --format kubernetes"),
            (&["--format", "collector", "--service", "x"], "a setting of services"),
            (&["--format", "collector", "--backend", "jaeger:4317"], "which is itself"),
            (&["--format", "collector", "--listen-grpc", "0.0.0.0:1"], "--backend"),
        ] {
            let said = text_of(arguments).expect_err("must be refused");
            assert!(said.contains(wanted), "{arguments:?}: {said}");
        }
    }

    #[test]
    fn addresses_come_through() {
        let said = text_of(&["--otlp-http", "[fd00::1]:4318", "--protocol", "http/protobuf"]).unwrap();
        assert!(said.contains("\nOTEL_EXPORTER_OTLP_ENDPOINT=http://[fd00::1]:4318\n"), "{said}");
        assert!(said.contains("\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"), "{said}");
        let listen = ["--listen-grpc", "0.0.0.0:14317", "--listen-http", "0.0.0.0:14318"];
        let said =
            text_of(&[&["--format", "collector", "--backend", "jaeger:4317"][..], &listen].concat()).unwrap();
        for address in ["jaeger:4317", "127.0.0.1:4317", "0.0.0.0:14317", "0.0.0.0:14318"] {
            assert!(said.contains(&format!("endpoint: {address}\n")), "{address}: {said}");
        }
    }
}
