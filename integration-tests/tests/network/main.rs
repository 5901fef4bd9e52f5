//! Sockets, names and packets, end to end: what real programs and hand-made packets do, and every field that a signal tells of it.

mod address;
mod burst;
mod clients;
mod containers;
mod dns;
mod encodings;
mod flows;
mod imds;
mod multicast;
mod names;
mod namespaces;
mod packets;
mod policy;
mod refused;
mod resolver;
mod rings;
mod segments;
mod server;
mod socket_filters;
mod sockets;
mod wire;
