//! How a target is reached: connections, addresses, certificates.

use std::net::{IpAddr, SocketAddr};

use peakdrill_drill_model::plan::{
    ConnectionRules, FIXED_ADDRESSES_MAX, LOCAL_ADDRESSES_MAX, ResolveRules, Sharing, Subnet, Target, Tls,
};
use peakdrill_timebase::NS_PER_S;

use super::tls;
use crate::codes::{E0318, E0319, E0416, E0701};
use crate::ctx::{Ctx, Fields, draft};
use crate::keys;
use crate::limits;
use crate::node::{Node, Span};

const LIFETIME_RANGE_NS: std::ops::RangeInclusive<u64> = NS_PER_S..=limits::MAX_DURATION_NS;
const REFRESH_RANGE_NS: std::ops::RangeInclusive<u64> = NS_PER_S..=3_600 * NS_PER_S;

/// What the URL of a target says of this.
pub(super) struct Url<'u> {
    pub(super) host: &'u str,
    pub(super) port: u16,
    pub(super) secure: bool,
}

/// Reads `connections`, `resolve` and `tls` into a target. Without a URL, nothing is held against it. Returns how many
/// streams a connection may have, and where that stands: whether it may be said is for the protocol to say.
pub(super) fn lower(
    ctx: &Ctx<'_>,
    fields: &Fields<'_>,
    url: Option<&Url<'_>>,
    target: &mut Target,
) -> Option<(u32, Span)> {
    let mut streams = None;
    let block = |name: &str, keys| {
        let node = fields.get(name)?;
        ctx.fields(node, fields.key_span(name), keys)
    };
    if let Some(fields) = block("connections", &keys::CONNECTIONS) {
        limit(ctx, &fields, target);
        streams = fields.get("streams").and_then(|node| {
            let streams = ctx.whole(node, "`connections.streams`", 1..=limits::MAX_STREAMS)?;
            Some((streams, fields.key_span("streams")))
        });
        target.connections = rules(ctx, &fields, target);
    }
    if let Some(fields) = block("resolve", &keys::RESOLVE) {
        target.resolve = resolve(ctx, &fields, url);
    }
    let secure = url.is_none_or(|url| url.secure);
    let read = tls::lower(ctx, fields, secure, "write `https://`, `wss://` or `grpcs://` in `base_url`");
    Tls { ca: target.tls_ca, insecure: target.tls_insecure, identity: target.tls } = read;
    streams
}

fn limit(ctx: &Ctx<'_>, fields: &Fields<'_>, target: &mut Target) {
    let read = |name: &str| {
        let node = fields.get(name)?;
        ctx.whole(node, &format!("`connections.{name}`"), 1..=limits::MAX_CONNECTIONS)
    };
    let (max, per_agent) = (read("max"), read("max_per_agent"));
    if fields.get("max").is_some() && fields.get("max_per_agent").is_some() {
        let message =
            "`max` and `max_per_agent` exclude each other: one limit for all, or one for each agent";
        ctx.push(draft(E0319, fields.key_span("max_per_agent"), message));
    }
    let exact =
        fields.get("exact").and_then(|node| ctx.boolean(node, "`connections.exact`")).unwrap_or(false);
    if exact && fields.get("max").is_none() && fields.get("max_per_agent").is_none() {
        let message = "`exact: true` needs `max`: how many connections";
        ctx.push(draft(E0319, fields.key_span("exact"), message));
    }
    target.max_connections = max.or(per_agent).unwrap_or(limits::DEFAULT_CONNECTIONS);
    target.exact_connections = exact;
}

fn rules(ctx: &Ctx<'_>, fields: &Fields<'_>, target: &Target) -> ConnectionRules {
    let per = fields.get("per").and_then(|node| ctx.choice(node, "`connections.per`", &keys::SHARING));
    let per = if per == Some("user") { Sharing::User } else { Sharing::Pool };
    if per == Sharing::User && target.exact_connections {
        let message = "`exact` has no meaning beside `per: user`: connections come and go with journeys";
        ctx.push(draft(E0319, fields.key_span("exact"), message));
    }
    let lifetime = fields.get("lifetime");
    ConnectionRules {
        per,
        max_is_per_agent: fields.get("max_per_agent").is_some(),
        lifetime_ns: lifetime
            .and_then(|node| ctx.duration(node, "`connections.lifetime`", LIFETIME_RANGE_NS)),
        from: fields.get("from").map(|node| local(ctx, node, fields)).unwrap_or_default(),
    }
}

fn local(ctx: &Ctx<'_>, node: &Node, fields: &Fields<'_>) -> Vec<Subnet> {
    let Some(items) = ctx.items(node, fields.key_span("from"), "`connections.from`") else {
        return Vec::new();
    };
    let one = |item: &Node| {
        let text = ctx.text(item, "a local address")?;
        let read = Subnet::parse(&text);
        read.map_err(|why| {
            ctx.push(draft(E0416, item.span, why).help("write `10.0.0.2`, or `10.0.0.0/28` for many"));
        })
        .ok()
    };
    let subnets: Vec<Subnet> = items.iter().filter_map(one).collect();
    if items.is_empty() {
        ctx.push(draft(E0318, node.span, "`connections.from` names no address"));
    }
    let addresses: u64 = subnets.iter().map(|subnet| u64::from(subnet.size())).sum();
    if addresses > u64::from(LOCAL_ADDRESSES_MAX) {
        let message =
            format!("`connections.from` has {addresses} addresses, at most {LOCAL_ADDRESSES_MAX} are used");
        ctx.push(draft(E0701, node.span, message));
    }
    subnets
}

fn resolve(ctx: &Ctx<'_>, fields: &Fields<'_>, url: Option<&Url<'_>>) -> ResolveRules {
    let refresh = fields.get("refresh");
    let refresh_ns = refresh.and_then(|node| ctx.duration(node, "`resolve.refresh`", REFRESH_RANGE_NS));
    let addresses = fields.get("addresses").map(|node| fixed(ctx, node, fields, url)).unwrap_or_default();
    if refresh.is_some() && fields.get("addresses").is_some() {
        let message = "`refresh` has no meaning beside `addresses`: nothing is looked up";
        ctx.push(draft(E0319, fields.key_span("refresh"), message));
    } else if refresh.is_some() && url.is_some_and(|url| url.host.parse::<IpAddr>().is_ok()) {
        let message = "`refresh` has no meaning: `base_url` holds an address, not a name";
        ctx.push(draft(E0319, fields.key_span("refresh"), message));
    }
    if fields.is_empty() {
        ctx.push(draft(E0318, fields.place, "`resolve` is empty: give it `refresh` or `addresses`"));
    }
    ResolveRules { refresh_ns, addresses }
}

fn fixed(ctx: &Ctx<'_>, node: &Node, fields: &Fields<'_>, url: Option<&Url<'_>>) -> Vec<SocketAddr> {
    let Some(items) = ctx.items(node, fields.key_span("addresses"), "`resolve.addresses`") else {
        return Vec::new();
    };
    if items.is_empty() {
        ctx.push(draft(E0318, node.span, "`resolve.addresses` names no address"));
    }
    if items.len() > FIXED_ADDRESSES_MAX {
        let message = format!("`resolve.addresses` has more than {FIXED_ADDRESSES_MAX} addresses");
        ctx.push(draft(E0701, node.span, message));
    }
    let port = url.map_or(0, |url| url.port);
    let one = |item: &Node| {
        let text = ctx.text(item, "an address")?;
        let read = address(&text, port);
        if read.is_none() {
            let message = format!("`{text}` is no IP address");
            let help = "write `10.0.0.2`, `10.0.0.2:8080` or `[fd00::2]:8080`; names belong into `base_url`";
            ctx.push(draft(E0416, item.span, message).help(help));
        }
        read
    };
    items.iter().filter_map(one).collect()
}

/// An address with the port of the URL where it has none of its own.
fn address(text: &str, port: u16) -> Option<SocketAddr> {
    let text = text.trim();
    let plain = || text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    text.parse()
        .ok()
        .or_else(|| Some(SocketAddr::new(plain()?, port)))
        .filter(|read| read.port() > 0 || port == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_port_of_the_url_unless_it_has_its_own() {
        let read = |text: &str| address(text, 80).map(|read| read.to_string());
        assert_eq!(read("10.0.0.1").as_deref(), Some("10.0.0.1:80"));
        assert_eq!(read("10.0.0.1:8080").as_deref(), Some("10.0.0.1:8080"));
        assert_eq!(read("::1").as_deref(), Some("[::1]:80"));
        assert_eq!(read("[::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(read("[::1]:8080").as_deref(), Some("[::1]:8080"));
        for bad in ["", "shop", "10.0.0.1:0", "10.0.0.1:99999", "shop:80"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
