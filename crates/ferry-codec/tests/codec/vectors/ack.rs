//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).

use super::notation::{ALL, CLIENT, SERVER, V3, V5, V31, V311, Vector, accepted, accepted_as, refused};

pub(crate) const FORM: &[Vector] = &[
    accepted("PUBACK", ALL, CLIENT, "40 .. 000A"),
    accepted("PUBREC", ALL, SERVER, "50 .. 000A"),
    accepted("PUBREL", ALL, CLIENT, "62 .. 000A"),
    accepted("PUBCOMP", ALL, SERVER, "70 .. 000A"),
    accepted("PUBACK with reason code", V5, CLIENT, "40 .. 000A 87"),
    accepted("PUBREC with reason code", V5, CLIENT, "50 .. 000A 10"),
    accepted("PUBREL with reason code", V5, CLIENT, "62 .. 000A 92"),
    accepted("PUBCOMP with reason code", V5, SERVER, "70 .. 000A 92"),
    accepted("PUBACK with properties", V5, SERVER, "40 .. 000A 87 {1F <no> 26 <k><v>}"),
    accepted("PUBREC with properties", V5, SERVER, "50 .. 000A 00 {1F <no> 26 <k><v>}"),
    accepted("PUBREL with properties", V5, CLIENT, "62 .. 000A 92 {26 <k><v> 26 <k><v>}"),
    accepted("PUBCOMP with properties", V5, CLIENT, "70 .. 000A 92 {1F <no>}"),
    accepted_as("success may be said", V5, CLIENT, "40 .. 000A 00", "40 .. 000A"),
    accepted_as("no properties may be said", V5, CLIENT, "40 .. 000A 00 {}", "40 .. 000A"),
    accepted_as(
        "user properties first",
        V5,
        CLIENT,
        "50 .. 000A 80 {26 <k><v> 1F <no>}",
        "50 .. 000A 80 {1F <no> 26 <k><v>}",
    ),
    refused("packet id 0", V5, CLIENT, "40 .. 0000", 0x81, "MQTT-2.2.1-3"),
    refused("packet id 0", V3, CLIENT, "62 .. 0000", 0x81, "MQTT3-2.3.1-1"),
    refused("packet id cut", ALL, CLIENT, "40 .. 00", 0x81, ""),
    refused("nothing", ALL, CLIENT, "70 ..", 0x81, ""),
    refused("reason code", V3, CLIENT, "40 .. 000A 00", 0x81, ""),
    refused("bytes after the end", V5, CLIENT, "40 .. 000A 00 {} 00", 0x81, ""),
    refused("section too long", V5, CLIENT, "50 .. 000A 00 05", 0x81, ""),
];

pub(crate) const FLAGS: &[Vector] = &[
    refused("PUBACK", V5, CLIENT, "41 .. 000A", 0x81, "MQTT-2.1.3-1"),
    refused("PUBREC", V5, CLIENT, "52 .. 000A", 0x81, "MQTT-2.1.3-1"),
    refused("PUBREL", V5, CLIENT, "60 .. 000A", 0x81, "MQTT-3.6.1-1"),
    refused("PUBREL with DUP", V5, CLIENT, "6A .. 000A", 0x81, "MQTT-3.6.1-1"),
    refused("PUBCOMP", V5, CLIENT, "78 .. 000A", 0x81, "MQTT-2.1.3-1"),
    refused("PUBACK", V311, CLIENT, "41 .. 000A", 0x81, "MQTT3-2.2.2-2"), // MQTT3-2.2.2-1
    refused("PUBREL", V311, CLIENT, "60 .. 000A", 0x81, "MQTT3-3.6.1-1"),
    accepted_as("PUBREL with DUP", V31, CLIENT, "6A .. 000A", "62 .. 000A"),
    accepted_as("PUBREL with QoS 0", V31, CLIENT, "60 .. 000A", "62 .. 000A"),
    accepted_as("PUBACK with QoS 1", V31, CLIENT, "42 .. 000A", "40 .. 000A"),
];

pub(crate) const REASON_CODES: &[Vector] = &[
    refused("PUBACK", V5, CLIENT, "40 .. 000A 92", 0x82, "MQTT-3.4.2-1"),
    refused("PUBREC", V5, CLIENT, "50 .. 000A 01", 0x82, "MQTT-3.5.2-1"),
    refused("PUBREL", V5, CLIENT, "62 .. 000A 80", 0x82, "MQTT-3.6.2-1"),
    refused("PUBCOMP", V5, CLIENT, "70 .. 000A 10", 0x82, "MQTT-3.7.2-1"),
];

pub(crate) const PROPERTIES: &[Vector] = &[
    refused("reason string twice in PUBACK", V5, CLIENT, "40 .. 000A 80 {1F <a> 1F <a>}", 0x82, "U5-062"),
    refused("reason string twice in PUBREC", V5, CLIENT, "50 .. 000A 80 {1F <a> 1F <a>}", 0x82, "U5-063"),
    refused("reason string twice in PUBREL", V5, CLIENT, "62 .. 000A 92 {1F <a> 1F <a>}", 0x82, "U5-064"),
    refused("reason string twice in PUBCOMP", V5, CLIENT, "70 .. 000A 92 {1F <a> 1F <a>}", 0x82, "U5-065"),
    refused("reason string not UTF-8", V5, CLIENT, "40 .. 000A 80 {1F 0001 FF}", 0x81, "MQTT-1.5.4-1"),
    refused("server reference", V5, CLIENT, "40 .. 000A 80 {1C <a>}", 0x81, "U5-006"),
];
