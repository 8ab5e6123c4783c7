//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use super::notation::{ALL, CLIENT, SERVER, V3, V5, V31, V311, Vector, accepted, accepted_as, refused};

pub(crate) const UNSUBSCRIBE: &[Vector] = &[
    accepted("one filter", V5, CLIENT, "A2 .. 000A {} <a/b>"),
    accepted("one filter", V3, CLIENT, "A2 .. 000A <a/b>"),
    accepted("several filters", V5, CLIENT, "A2 .. 000A {26 <k><v>} <a/b> <#> <$share/g/t>"),
    refused("flags", V5, CLIENT, "A0 .. 000A {} <a/b>", 0x81, "MQTT-3.10.1-1"),
    refused("flags", V311, CLIENT, "A0 .. 000A <a/b>", 0x81, "MQTT3-3.10.1-1"),
    accepted_as("flags not used", V31, CLIENT, "AA .. 000A <a/b>", "A2 .. 000A <a/b>"),
    refused("packet id 0", V5, CLIENT, "A2 .. 0000 {} <a/b>", 0x81, "MQTT-2.2.1-3"),
    refused("no filter", V5, CLIENT, "A2 .. 000A {}", 0x82, "MQTT-3.10.3-2"), // U5-072
    refused("no filter", V3, CLIENT, "A2 .. 000A", 0x82, "MQTT3-3.10.3-2"),
    // MQTT-3.10.3-1, MQTT3-3.10.3-1.
    refused("not UTF-8", V5, CLIENT, "A2 .. 000A {} 0001 FF", 0x81, "MQTT-1.5.4-1"),
    refused("not UTF-8", V3, CLIENT, "A2 .. 000A 0001 FF", 0x81, "MQTT3-1.5.3-1"),
    refused("empty filter", V5, CLIENT, "A2 .. 000A {} <>", 0x8F, "MQTT-4.7.3-1"),
    refused("bad filter", V3, CLIENT, "A2 .. 000A <a#>", 0x8F, "MQTT3-4.7.1-2"),
    refused("filter cut", V5, CLIENT, "A2 .. 000A {} <a/b> 0002 'a'", 0x81, ""),
    refused("subscription id", V5, CLIENT, "A2 .. 000A {0B 01} <a/b>", 0x81, "U5-006"),
    refused("from a server", ALL, SERVER, "A2 .. 000A 0001 'a'", 0x82, ""),
];

pub(crate) const UNSUBACK: &[Vector] = &[
    accepted("every code", V5, SERVER, "B0 .. 000A {} 00 11 80 83 87 8F 91"),
    accepted("properties", V5, SERVER, "B0 .. 000A {1F <why> 26 <k><v>} 11"),
    accepted("no payload", V3, SERVER, "B0 .. 000A"),
    refused("payload", V3, SERVER, "B0 .. 000A 00", 0x81, ""),
    refused("no code", V5, SERVER, "B0 .. 000A {}", 0x82, "MQTT-3.11.3-2"),
    refused("unknown code", V5, SERVER, "B0 .. 000A {} 01", 0x82, "MQTT-3.11.3-2"),
    refused("reason string twice", V5, SERVER, "B0 .. 000A {1F <a> 1F <a>} 00", 0x82, "U5-073"),
    refused("flags", V5, SERVER, "B2 .. 000A {} 00", 0x81, "MQTT-2.1.3-1"),
    refused("packet id 0", V3, SERVER, "B0 .. 0000", 0x81, "MQTT3-2.3.1-1"),
    refused("from a client", ALL, CLIENT, "B0 .. 000A", 0x82, ""),
];
