//! CONNACK (section 3.2).

use super::notation::{
    ALL, CLIENT, SERVER, V3, V5, V31, V311, V311_AND_V5, Vector, accepted, accepted_as, refused,
};

pub(crate) const HEADER: &[Vector] = &[
    accepted("success", V5, SERVER, "20 .. 00 00 {}"),
    accepted("success", V3, SERVER, "20 .. 00 00"),
    accepted("session present", V5, SERVER, "20 .. 01 00 {}"),
    accepted("session present", V311, SERVER, "20 .. 01 00"),
    accepted_as("first byte reserved", V31, SERVER, "20 .. 01 00", "20 .. 00 00"),
    accepted("refused", V5, SERVER, "20 .. 00 87 {}"),
    accepted("unacceptable protocol", V3, SERVER, "20 .. 00 01"),
    accepted("identifier rejected", V3, SERVER, "20 .. 00 02"),
    accepted("server unavailable", V3, SERVER, "20 .. 00 03"),
    accepted("bad user name or password", V3, SERVER, "20 .. 00 04"),
    accepted("not authorized", V3, SERVER, "20 .. 00 05"),
    refused("reserved flag", V5, SERVER, "20 .. 02 00 {}", 0x81, "MQTT-3.2.2-1"),
    refused("session present when refused", V5, SERVER, "20 .. 01 87 {}", 0x82, "MQTT-3.2.2-6"),
    refused("session present when refused", V311, SERVER, "20 .. 01 05", 0x82, "MQTT3-3.2.2-4"),
    refused("unknown reason code", V5, SERVER, "20 .. 00 05 {}", 0x82, "MQTT-3.2.2-8"),
    refused("reason code of DISCONNECT", V5, SERVER, "20 .. 00 8E {}", 0x82, "MQTT-3.2.2-8"),
    refused("unknown return code", V3, SERVER, "20 .. 00 06", 0x82, "MQTT3-3.2.2-6"),
    refused("from a client", ALL, CLIENT, "20 .. 00 00", 0x82, ""),
    refused("flags", V5, SERVER, "21 .. 00 00 {}", 0x81, "MQTT-2.1.3-1"),
    refused("flags", V311, SERVER, "21 .. 00 00", 0x81, "MQTT3-2.2.2-2"),
    refused("bytes after the end", V5, SERVER, "20 .. 00 00 {} 00", 0x81, ""),
    refused("bytes after the end", V3, SERVER, "20 .. 00 00 00", 0x81, ""),
    refused("no code", V311_AND_V5, SERVER, "20 .. 00", 0x81, ""),
];

pub(crate) const PROPERTIES: &[Vector] = &[
    accepted(
        "every property",
        V5,
        SERVER,
        "20 .. 00 00 { 11 0000000A 21 0001 24 00 25 00 27 00000064 12 <auto-1> 22 0005 1F <why> 26 <k><v>
         28 00 29 00 2A 00 13 003C 1A <r/> 1C <other> 15 <m> 16 <d> }",
    ),
    accepted("maximum QoS 1", V5, SERVER, "20 .. 00 00 {24 01}"),
    // MQTT-2.2.2-1: a property length of 0 must be there.
    refused("section missing", V5, SERVER, "20 .. 00 00", 0x81, ""),
    refused("not of CONNACK", V5, SERVER, "20 .. 00 00 {17 00}", 0x81, "U5-006"),
    refused("expiry twice", V5, SERVER, "20 .. 00 00 {11 00000001 11 00000001}", 0x82, "U5-028"),
    refused("receive maximum 0", V5, SERVER, "20 .. 00 00 {21 0000}", 0x82, "U5-029"),
    refused("receive maximum twice", V5, SERVER, "20 .. 00 00 {21 0001 21 0001}", 0x82, "U5-029"),
    refused("maximum QoS 2", V5, SERVER, "20 .. 00 00 {24 02}", 0x82, "U5-030"),
    refused("maximum QoS twice", V5, SERVER, "20 .. 00 00 {24 01 24 01}", 0x82, "U5-030"),
    refused("retain available 2", V5, SERVER, "20 .. 00 00 {25 02}", 0x82, "U5-032"),
    refused("retain available twice", V5, SERVER, "20 .. 00 00 {25 01 25 01}", 0x82, "U5-032"),
    refused("packet size 0", V5, SERVER, "20 .. 00 00 {27 00000000}", 0x82, "U5-034"),
    refused("packet size twice", V5, SERVER, "20 .. 00 00 {27 00000001 27 00000001}", 0x82, "U5-034"),
    refused("assigned id twice", V5, SERVER, "20 .. 00 00 {12 <a> 12 <a>}", 0x82, "U5-036"),
    refused("alias maximum twice", V5, SERVER, "20 .. 00 00 {22 0001 22 0001}", 0x82, "U5-037"),
    refused("reason string twice", V5, SERVER, "20 .. 00 00 {1F <a> 1F <a>}", 0x82, "U5-038"),
    refused("wildcards 2", V5, SERVER, "20 .. 00 00 {28 02}", 0x82, "U5-039"),
    refused("wildcards twice", V5, SERVER, "20 .. 00 00 {28 01 28 01}", 0x82, "U5-039"),
    refused("subscription ids 2", V5, SERVER, "20 .. 00 00 {29 02}", 0x82, "U5-041"),
    refused("subscription ids twice", V5, SERVER, "20 .. 00 00 {29 01 29 01}", 0x82, "U5-041"),
    refused("shared 2", V5, SERVER, "20 .. 00 00 {2A 02}", 0x82, "U5-043"),
    refused("shared twice", V5, SERVER, "20 .. 00 00 {2A 01 2A 01}", 0x82, "U5-043"),
    refused("keep alive twice", V5, SERVER, "20 .. 00 00 {13 0001 13 0001}", 0x82, "U5-045"),
    refused("response information twice", V5, SERVER, "20 .. 00 00 {1A <a> 1A <a>}", 0x82, "U5-046"),
    refused("server reference twice", V5, SERVER, "20 .. 00 00 {1C <a> 1C <a>}", 0x82, "U5-047"),
    refused("method twice", V5, SERVER, "20 .. 00 00 {15 <a> 15 <a>}", 0x82, "U5-048"),
    refused("data twice", V5, SERVER, "20 .. 00 00 {16 <a> 16 <a>}", 0x82, "U5-049"),
];
