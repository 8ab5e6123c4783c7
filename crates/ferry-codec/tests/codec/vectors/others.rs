//! PINGREQ, PINGRESP, DISCONNECT, AUTH (sections 3.12 to 3.15) and what is no packet at all.

use super::notation::{ALL, CLIENT, SERVER, V3, V5, V31, V311, Vector, accepted, accepted_as, refused};

pub(crate) const PING: &[Vector] = &[
    accepted("PINGREQ", ALL, CLIENT, "C0 .."),
    accepted("PINGRESP", ALL, SERVER, "D0 .."),
    refused("PINGREQ with flags", V5, CLIENT, "C1 ..", 0x81, "MQTT-2.1.3-1"), // U5-005
    refused("PINGREQ with flags", V311, CLIENT, "C1 ..", 0x81, "MQTT3-2.2.2-2"),
    accepted_as("PINGREQ with flags not used", V31, CLIENT, "C2 ..", "C0 .."),
    refused("PINGREQ with bytes", ALL, CLIENT, "C0 .. 00", 0x81, ""),
    refused("PINGREQ from a server", ALL, SERVER, "C0 ..", 0x82, ""),
    refused("PINGRESP from a client", ALL, CLIENT, "D0 ..", 0x82, ""),
    refused("PINGRESP with flags", V5, SERVER, "D8 ..", 0x81, "MQTT-2.1.3-1"),
];

pub(crate) const DISCONNECT: &[Vector] = &[
    accepted("normal", ALL, CLIENT, "E0 .."),
    accepted("normal", V5, SERVER, "E0 .."),
    accepted("with will", V5, CLIENT, "E0 .. 04"),
    accepted("from the server", V5, SERVER, "E0 .. 8B"),
    accepted("0x8C, which only Table 2-6 allows", V5, CLIENT, "E0 .. 8C"),
    accepted(
        "every property of a client",
        V5,
        CLIENT,
        "E0 .. 04 {11 0000000A 1F <why> 26 <k><v> 1C <other>}",
    ),
    accepted("every property of a server", V5, SERVER, "E0 .. 9C {1F <why> 26 <k><v> 1C <other>}"),
    accepted("properties without a reason", V5, CLIENT, "E0 .. 00 {11 00000000}"),
    accepted_as("reason code 0 may be said", V5, CLIENT, "E0 .. 00", "E0 .."),
    accepted_as("no properties may be said", V5, CLIENT, "E0 .. 00 {}", "E0 .."),
    refused("flags", V5, CLIENT, "E1 ..", 0x81, "MQTT-3.14.1-1"),
    refused("flags", V311, CLIENT, "E1 ..", 0x81, "MQTT3-3.14.1-1"),
    accepted_as("flags not used", V31, CLIENT, "E1 ..", "E0 .."),
    refused("reason code", V3, CLIENT, "E0 .. 00", 0x81, ""),
    refused("from a server", V3, SERVER, "E0 ..", 0x82, ""),
    refused("unknown reason code", V5, CLIENT, "E0 .. 01", 0x82, "MQTT-3.14.2-1"),
    refused("reason code of CONNACK", V5, SERVER, "E0 .. 84", 0x82, "MQTT-3.14.2-1"),
    refused("a server's reason code", V5, CLIENT, "E0 .. 8E", 0x82, "MQTT-3.14.2-1"),
    refused("a client's reason code", V5, SERVER, "E0 .. 04", 0x82, "MQTT-3.14.2-1"),
    refused("session expiry from the server", V5, SERVER, "E0 .. 80 {11 00000001}", 0x82, "MQTT-3.14.2-2"),
    refused("session expiry twice", V5, CLIENT, "E0 .. 00 {11 00000001 11 00000001}", 0x82, "U5-074"),
    refused("reason string twice", V5, CLIENT, "E0 .. 00 {1F <a> 1F <a>}", 0x82, "U5-077"),
    refused("server reference twice", V5, SERVER, "E0 .. 9C {1C <a> 1C <a>}", 0x82, "U5-078"),
    refused("receive maximum", V5, CLIENT, "E0 .. 00 {21 0001}", 0x81, "U5-006"),
    refused("bytes after the end", V5, CLIENT, "E0 .. 00 {} 00", 0x81, ""),
];

pub(crate) const AUTH: &[Vector] = &[
    accepted("continue", V5, CLIENT, "F0 .. 18 {15 <m>}"),
    accepted("continue", V5, SERVER, "F0 .. 18 {15 <m> 16 <d> 1F <why> 26 <k><v>}"),
    accepted("re-authenticate", V5, CLIENT, "F0 .. 19 {15 <m> 16 <d>}"),
    accepted("success", V5, SERVER, "F0 .. 00 {15 <m>}"),
    refused("flags", V5, CLIENT, "F1 .. 18 {15 <m>}", 0x81, "MQTT-3.15.1-1"),
    refused("3.1.1 has no such packet", V311, CLIENT, "F0 .. 18 {15 <m>}", 0x81, "MQTT3-2.2.2-2"),
    refused("success from a client", V5, CLIENT, "F0 .. 00 {15 <m>}", 0x82, "MQTT-3.15.2-1"),
    refused("re-authenticate from a server", V5, SERVER, "F0 .. 19 {15 <m>}", 0x82, "MQTT-3.15.2-1"),
    refused("unknown reason code", V5, CLIENT, "F0 .. 80 {15 <m>}", 0x82, "MQTT-3.15.2-1"),
    refused("no method", V5, CLIENT, "F0 .. 18 {}", 0x82, "U5-080"),
    refused("no properties", V5, CLIENT, "F0 .. 18", 0x82, "U5-080"),
    refused("nothing", V5, SERVER, "F0 ..", 0x82, "U5-080"),
    refused("method twice", V5, CLIENT, "F0 .. 18 {15 <m> 15 <m>}", 0x82, "U5-080"),
    refused("data twice", V5, CLIENT, "F0 .. 18 {15 <m> 16 <d> 16 <d>}", 0x82, "U5-081"),
    refused("reason string twice", V5, CLIENT, "F0 .. 18 {15 <m> 1F <a> 1F <a>}", 0x82, "U5-082"),
    refused("server reference", V5, CLIENT, "F0 .. 18 {15 <m> 1C <a>}", 0x81, "U5-006"),
    refused("bytes after the end", V5, CLIENT, "F0 .. 18 {15 <m>} 00", 0x81, ""),
];

pub(crate) const FRAME: &[Vector] = &[
    refused("packet type 0", ALL, CLIENT, "00 ..", 0x81, ""),
    refused("remaining length of 5 bytes", ALL, CLIENT, "30 FFFFFFFF 01", 0x81, ""),
    refused("remaining length overlong", V5, CLIENT, "C0 8000", 0x81, "MQTT-1.5.5-1"),
    refused("remaining length overlong, 4 bytes", V5, CLIENT, "C0 80808000", 0x81, "MQTT-1.5.5-1"),
    accepted_as("remaining length overlong", V3, CLIENT, "C0 8000", "C0 00"),
];
