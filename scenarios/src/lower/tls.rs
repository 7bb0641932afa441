//! The block `tls`, of whatever is reached over TLS.

use std::net::IpAddr;

use peakdrill_drill_model::plan::{Tls, TlsIdentity};

use crate::codes::{E0311, E0319, E0405, W0803};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::node::Node;

/// Reads `tls` of a block. `secure`: whether its URL says TLS, without which the block has no meaning; `help`: what to
/// write then.
pub(super) fn lower(ctx: &Ctx<'_>, of: &Fields<'_>, secure: bool, help: &str) -> Tls {
    let place = of.key_span("tls");
    let fields = of.get("tls").and_then(|node| ctx.fields(node, place, &keys::TLS));
    let Some(fields) = fields else { return Tls::default() };
    if !fields.is_empty() && !secure {
        let message = "`tls` has no meaning for what is not reached over TLS";
        ctx.push(draft(E0319, place, message).help(help));
    }
    read(ctx, &fields)
}

fn read(ctx: &Ctx<'_>, fields: &Fields<'_>) -> Tls {
    let file = |name: &str| {
        let node = fields.get(name)?;
        ctx.text(node, &format!("`tls.{name}`")).map(|text| text.into_owned())
    };
    let insecure =
        fields.get("insecure").and_then(|node| ctx.boolean(node, "`tls.insecure`")).unwrap_or(false);
    if insecure {
        let at = fields.key_span("insecure");
        ctx.push(
            draft(W0803, at, "the server's certificate is not verified")
                .help("name its authority: `tls: { ca: ca.pem }`"),
        );
    }
    let ca = file("ca");
    if insecure && ca.is_some() {
        ctx.push(draft(E0319, fields.key_span("ca"), "`ca` has no meaning beside `insecure: true`"));
    }
    for (has, lacks) in [("cert", "key"), ("key", "cert")] {
        if fields.get(has).is_some() && fields.get(lacks).is_none() {
            let message = format!("`tls.{has}` needs `tls.{lacks}`: a certificate and its private key");
            ctx.push(draft(E0311, fields.key_span(has), message).label(format!("no `{lacks}` here")));
        }
    }
    let server_name = fields.get("server_name").and_then(|node| server_name(ctx, node));
    let resume = fields.get("resume").and_then(|node| ctx.boolean(node, "`tls.resume`")).unwrap_or(true);
    let identity = TlsIdentity { cert: file("cert"), key: file("key"), server_name, resume };
    Tls { ca, insecure, identity }
}

fn server_name(ctx: &Ctx<'_>, node: &Node) -> Option<String> {
    let name = ctx.text(node, "`tls.server_name`")?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.parse::<IpAddr>().is_err() && (name.is_empty() || !name.chars().all(good)) {
        let message = format!("`{name}` is no host name");
        ctx.push(draft(E0405, node.span, message).help("write the name alone, as in `shop.example.com`"));
        return None;
    }
    Some(name.into_owned())
}
