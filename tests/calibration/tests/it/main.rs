//! The load engine against servers whose truth is known.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod common;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod freeze;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod http2_peers;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod websocket;
#[cfg(test)]
mod websocket_faults;
