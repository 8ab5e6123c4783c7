//! PUBLISH (section 3.3).

use super::notation::{ALL, CLIENT, SERVER, V3, V5, V31, V311, Vector, accepted, accepted_as, refused};

pub(crate) const HEADER: &[Vector] = &[
    accepted("QoS 0", V5, CLIENT, "30 .. <a/b> {} 'hi'"),
    accepted("QoS 0", V3, CLIENT, "30 .. <a/b> 'hi'"),
    accepted("QoS 1", V5, CLIENT, "32 .. <a/b> 000A {} 'hi'"),
    accepted("QoS 1", V3, SERVER, "32 .. <a/b> 000A 'hi'"),
    accepted("QoS 2, DUP, RETAIN", V5, SERVER, "3D .. <a/b> FFFF {} 'hi'"),
    accepted("QoS 2, DUP, RETAIN", V3, CLIENT, "3D .. <a/b> FFFF 'hi'"),
    accepted("empty payload", V5, CLIENT, "31 .. <a/b> {}"),
    accepted("empty payload", V3, CLIENT, "31 .. <a/b>"),
    // U5-050, U5-051.
    refused("QoS 3", V5, CLIENT, "36 .. <a/b> 000A {} 'hi'", 0x81, "MQTT-3.3.1-4"),
    refused("QoS 3", V3, CLIENT, "36 .. <a/b> 000A 'hi'", 0x81, "MQTT3-3.3.1-4"),
    refused("QoS 0 with DUP", V5, CLIENT, "38 .. <a/b> {} 'hi'", 0x81, "MQTT-3.3.1-2"),
    refused("QoS 0 with DUP", V311, CLIENT, "38 .. <a/b> 'hi'", 0x81, "MQTT3-3.3.1-2"),
    accepted_as("QoS 0 with DUP", V31, CLIENT, "38 .. <a/b> 'hi'", "30 .. <a/b> 'hi'"),
    refused("packet id 0", V5, CLIENT, "32 .. <a/b> 0000 {} 'hi'", 0x81, "MQTT-2.2.1-3"),
    refused("packet id 0", V3, CLIENT, "32 .. <a/b> 0000 'hi'", 0x81, "MQTT3-2.3.1-1"),
    refused("packet id missing", ALL, CLIENT, "32 .. <a/b>", 0x81, ""),
    refused("nothing", ALL, CLIENT, "30 ..", 0x81, ""),
    // MQTT-2.2.1-2, MQTT3-2.3.1-5: with QoS 0 the next bytes are not an identifier.
    accepted("packet id with QoS 0 is not one", V5, CLIENT, "30 .. <a/b> 000A {} 'hi'"),
    accepted("packet id with QoS 0 is payload", V3, CLIENT, "30 .. <a/b> 000A 'hi'"),
    refused("remaining length overlong", V5, CLIENT, "30 8800 <a/b> {} 'hi'", 0x81, "MQTT-1.5.5-1"),
];

pub(crate) const TOPIC: &[Vector] = &[
    accepted("one level", V5, CLIENT, "30 .. <a> {}"),
    accepted("only a separator", V5, CLIENT, "30 .. </> {}"),
    accepted("spaces, case and empty levels stay", V5, CLIENT, "30 .. <A//b /> {}"), // MQTT-4.7.3-4
    accepted("U+FEFF stays", V3, CLIENT, "30 .. 0004 EFBBBF 'a'"),                   // MQTT-1.5.4-3
    accepted("starts with $", V5, CLIENT, "30 .. <$x/y> {}"),
    accepted("4 byte characters", V5, CLIENT, "30 .. <🦀/é> {}"),
    refused("+", V5, CLIENT, "30 .. <a/+> {}", 0x90, "MQTT-3.3.2-2"), // MQTT-4.7.0-1
    refused("+", V3, CLIENT, "30 .. <a/+>", 0x90, "MQTT3-3.3.2-2"),   // MQTT3-4.7.1-1
    refused("#", V5, SERVER, "30 .. <a/#> {}", 0x90, "MQTT-3.3.2-2"),
    refused("# inside a level", V3, CLIENT, "30 .. <a#b>", 0x90, "MQTT3-3.3.2-2"),
    refused("empty", V5, CLIENT, "30 .. <> {} 'hi'", 0x82, "U5-052"),
    refused("empty", V3, CLIENT, "30 .. <> 'hi'", 0x82, "MQTT3-4.7.3-1"),
    // MQTT-3.3.2-1, MQTT3-3.3.2-1.
    refused("not UTF-8", V5, CLIENT, "30 .. 0001 FF {}", 0x81, "MQTT-1.5.4-1"),
    refused("not UTF-8", V3, CLIENT, "30 .. 0001 FF", 0x81, "MQTT3-1.5.3-1"),
    refused("surrogate", V5, CLIENT, "30 .. 0003 EDA080 {}", 0x81, "MQTT-1.5.4-1"),
    refused("overlong", V5, CLIENT, "30 .. 0002 C080 {}", 0x81, "MQTT-1.5.4-1"),
    refused("sequence cut", V5, CLIENT, "30 .. 0002 E282 {}", 0x81, "MQTT-1.5.4-1"),
    refused("beyond U+10FFFF", V5, CLIENT, "30 .. 0004 F4908080 {}", 0x81, "MQTT-1.5.4-1"),
    refused("NUL", V5, CLIENT, "30 .. 0003 'a' 00 'b' {}", 0x81, "MQTT-4.7.3-2"),
    refused("NUL", V3, CLIENT, "30 .. 0003 'a' 00 'b'", 0x81, "MQTT3-4.7.3-2"),
    refused("NUL and wildcard", V5, CLIENT, "30 .. 0003 '#' 00 'b' {}", 0x81, "MQTT-4.7.3-2"),
    refused("cut", ALL, CLIENT, "30 .. 0004 'a/b'", 0x81, ""),
];

pub(crate) const PROPERTIES: &[Vector] = &[
    accepted(
        "every property from a client",
        V5,
        CLIENT,
        "32 .. <a/b> 000A { 23 0001 01 01 02 0000003C 03 <text/plain> 08 <r> 09 <x> 26 <k><v> 26 <k><w> } 'hi'",
    ),
    accepted("alias without topic", V5, CLIENT, "30 .. <> {23 FFFF} 'hi'"),
    // MQTT-3.3.4-3: the server sends all of them.
    accepted("subscription ids", V5, SERVER, "30 .. <a/b> {0B 01 0B FFFFFF7F 0B 01} 'hi'"),
    accepted_as(
        "user properties apart",
        V5,
        SERVER,
        "30 .. <a/b> {26 <k><v> 0B 01 01 00 26 <l><w> 0B 02 26 <k><x>} 'hi'",
        "30 .. <a/b> {01 00 26 <k><v> 26 <l><w> 26 <k><x> 0B 01 0B 02} 'hi'",
    ),
    accepted("empty strings", V5, CLIENT, "30 .. <a/b> {03 <> 09 <> 26 <><>} 'hi'"),
    // MQTT-3.3.4-6.
    refused("subscription id from a client", V5, CLIENT, "30 .. <a/b> {0B 01} 'hi'", 0x82, "MQTT-3.3.4-6"),
    refused("subscription id 0", V5, SERVER, "30 .. <a/b> {0B 00} 'hi'", 0x82, "U5-057"),
    refused("subscription id of 5 bytes", V5, SERVER, "30 .. <a/b> {0B FFFFFFFF01} 'hi'", 0x81, ""),
    refused("subscription id overlong", V5, SERVER, "30 .. <a/b> {0B 8100} 'hi'", 0x81, "MQTT-1.5.5-1"),
    refused("alias 0", V5, CLIENT, "30 .. <a/b> {23 0000} 'hi'", 0x94, "MQTT-3.3.2-8"), // U5-060
    refused("alias 0 without topic", V5, CLIENT, "30 .. <> {23 0000} 'hi'", 0x94, "MQTT-3.3.2-8"),
    refused("alias twice", V5, CLIENT, "30 .. <a/b> {23 0001 23 0001} 'hi'", 0x82, "U5-054"),
    refused("response topic twice", V5, CLIENT, "30 .. <a/b> {08 <r> 08 <r>} 'hi'", 0x82, "U5-055"),
    refused("correlation data twice", V5, CLIENT, "30 .. <a/b> {09 <r> 09 <r>} 'hi'", 0x82, "U5-056"),
    refused("content type twice", V5, CLIENT, "30 .. <a/b> {03 <r> 03 <r>} 'hi'", 0x82, "U5-058"),
    refused("format twice", V5, CLIENT, "30 .. <a/b> {01 00 01 00} 'hi'", 0x82, ""),
    refused("format 2", V5, CLIENT, "30 .. <a/b> {01 02} 'hi'", 0x82, ""),
    refused("expiry twice", V5, CLIENT, "30 .. <a/b> {02 00000001 02 00000001} 'hi'", 0x82, ""),
    refused("response topic with #", V5, CLIENT, "30 .. <a/b> {08 <r/#>} 'hi'", 0x82, "MQTT-3.3.2-14"),
    refused("response topic empty", V5, CLIENT, "30 .. <a/b> {08 <>} 'hi'", 0x82, "MQTT-4.7.3-1"),
    // MQTT-3.3.2-13, MQTT-3.3.2-19.
    refused("response topic not UTF-8", V5, CLIENT, "30 .. <a/b> {08 0001 FF} 'hi'", 0x81, "MQTT-1.5.4-1"),
    refused("content type not UTF-8", V5, CLIENT, "30 .. <a/b> {03 0001 FF} 'hi'", 0x81, "MQTT-1.5.4-1"),
    refused("content type with NUL", V5, CLIENT, "30 .. <a/b> {03 0001 00} 'hi'", 0x81, "MQTT-1.5.4-2"),
    refused("user property not UTF-8", V5, CLIENT, "30 .. <a/b> {26 <k> 0001 FF} 'hi'", 0x81, "MQTT-1.5.4-1"),
    refused("session expiry", V5, CLIENT, "30 .. <a/b> {11 00000001} 'hi'", 0x81, "U5-006"),
    refused("will delay", V5, CLIENT, "30 .. <a/b> {18 00000001} 'hi'", 0x81, "U5-006"),
    refused("section too long", V5, CLIENT, "30 .. <a/b> 04 'hi'", 0x81, ""),
    refused("section missing", V5, CLIENT, "30 .. <a/b>", 0x81, ""),
];
