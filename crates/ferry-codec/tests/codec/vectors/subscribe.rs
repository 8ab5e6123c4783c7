//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use super::notation::{ALL, CLIENT, SERVER, V3, V5, V31, V311, Vector, accepted, accepted_as, refused};

pub(crate) const SUBSCRIBE: &[Vector] = &[
    accepted("one filter", V5, CLIENT, "82 .. 000A {} <a/b> 00"),
    accepted("one filter", V3, CLIENT, "82 .. 000A <a/b> 02"),
    accepted("several filters, one twice", V3, CLIENT, "82 .. 000A <a/b> 00 <#> 01 <a/b> 02"),
    accepted("all options", V5, CLIENT, "82 .. 000A {} <a/b> 2E"),
    accepted("properties", V5, CLIENT, "82 .. 000A {0B FFFFFF7F 26 <k><v>} <a/b> 1C"),
    accepted("shared", V5, CLIENT, "82 .. 000A {} <$share/g/a/#> 01"),
    refused("flags", V5, CLIENT, "80 .. 000A {} <a/b> 00", 0x81, "MQTT-3.8.1-1"),
    refused("flags", V311, CLIENT, "80 .. 000A <a/b> 00", 0x81, "MQTT3-3.8.1-1"),
    accepted_as("flags not used", V31, CLIENT, "8A .. 000A <a/b> 00", "82 .. 000A <a/b> 00"),
    refused("from a server", ALL, SERVER, "82 .. 000A 00 0001 'a' 00", 0x82, ""),
    refused("packet id 0", V5, CLIENT, "82 .. 0000 {} <a/b> 00", 0x81, "MQTT-2.2.1-3"),
    refused("packet id 0", V3, CLIENT, "82 .. 0000 <a/b> 00", 0x81, "MQTT3-2.3.1-1"),
    refused("no filter", V5, CLIENT, "82 .. 000A {}", 0x82, "MQTT-3.8.3-2"), // U5-068
    refused("no filter", V3, CLIENT, "82 .. 000A", 0x82, "MQTT3-3.8.3-3"),
    refused("options missing", V5, CLIENT, "82 .. 000A {} <a/b>", 0x81, ""),
    refused("options missing", V3, CLIENT, "82 .. 000A <a/b>", 0x81, ""),
    refused("filter cut", V5, CLIENT, "82 .. 000A {} <a/b> 00 0005 'a'", 0x81, ""),
    refused("QoS 3", V5, CLIENT, "82 .. 000A {} <a/b> 03", 0x82, "U5-069"),
    refused("QoS 3", V311, CLIENT, "82 .. 000A <a/b> 03", 0x82, "MQTT3-3.8.3-4"),
    refused("retain handling 3", V5, CLIENT, "82 .. 000A {} <a/b> 30", 0x82, "U5-070"),
    refused("reserved bit 6", V5, CLIENT, "82 .. 000A {} <a/b> 40", 0x81, "MQTT-3.8.3-5"),
    refused("reserved bit 7", V5, CLIENT, "82 .. 000A {} <a/b> 80", 0x81, "MQTT-3.8.3-5"),
    refused("options of 5.0", V311, CLIENT, "82 .. 000A <a/b> 04", 0x81, "MQTT3-3.8.3-4"),
    accepted_as("options not used", V31, CLIENT, "82 .. 000A <a/b> FD <c> 02", "82 .. 000A <a/b> 01 <c> 02"),
    refused("No Local, shared", V5, CLIENT, "82 .. 000A {} <$share/g/t> 04", 0x82, "MQTT-3.8.3-4"),
    accepted("No Local, not quite shared", V5, CLIENT, "82 .. 000A {} <$shared/g/t> 04"),
    refused("subscription id 0", V5, CLIENT, "82 .. 000A {0B 00} <a/b> 00", 0x82, "U5-066"),
    refused("subscription id twice", V5, CLIENT, "82 .. 000A {0B 01 0B 02} <a/b> 00", 0x82, "U5-067"),
    refused("reason string", V5, CLIENT, "82 .. 000A {1F <a>} <a/b> 00", 0x81, "U5-006"),
];

pub(crate) const FILTER: &[Vector] = &[
    accepted("#", V5, CLIENT, "82 .. 000A {} <#> 00"),
    accepted("+", V5, CLIENT, "82 .. 000A {} <+> 00"),
    accepted("+/+/#", V3, CLIENT, "82 .. 000A <+/+/#> 00"),
    accepted("empty levels", V3, CLIENT, "82 .. 000A <//> 00"),
    accepted("only $share", V5, CLIENT, "82 .. 000A {} <$share> 00"),
    accepted("shared, empty first level", V5, CLIENT, "82 .. 000A {} <$share/g//t> 00"),
    refused("empty", V5, CLIENT, "82 .. 000A {} <> 00", 0x8F, "MQTT-4.7.3-1"),
    refused("empty", V3, CLIENT, "82 .. 000A <> 00", 0x8F, "MQTT3-4.7.3-1"),
    refused("a#", V5, CLIENT, "82 .. 000A {} <a#> 00", 0x8F, "MQTT-4.7.1-1"),
    refused("a/#/b", V5, CLIENT, "82 .. 000A {} <a/#/b> 00", 0x8F, "MQTT-4.7.1-1"),
    refused("#/", V5, CLIENT, "82 .. 000A {} <#/> 00", 0x8F, "MQTT-4.7.1-1"),
    refused("##", V3, CLIENT, "82 .. 000A <##> 00", 0x8F, "MQTT3-4.7.1-2"),
    refused("a+", V5, CLIENT, "82 .. 000A {} <a+> 00", 0x8F, "MQTT-4.7.1-2"),
    refused("a/+b", V5, CLIENT, "82 .. 000A {} <a/+b> 00", 0x8F, "MQTT-4.7.1-2"),
    refused("+a", V3, CLIENT, "82 .. 000A <+a> 00", 0x8F, "MQTT3-4.7.1-3"),
    refused("the second is bad", V5, CLIENT, "82 .. 000A {} <a> 00 <b#> 00", 0x8F, "MQTT-4.7.1-1"),
    // MQTT-3.8.3-1, MQTT3-3.8.3-1.
    refused("not UTF-8", V5, CLIENT, "82 .. 000A {} 0001 FF 00", 0x81, "MQTT-1.5.4-1"),
    refused("not UTF-8", V3, CLIENT, "82 .. 000A 0001 FF 00", 0x81, "MQTT3-1.5.3-1"),
    refused("NUL", V5, CLIENT, "82 .. 000A {} 0001 00 00", 0x81, "MQTT-1.5.4-2"), // MQTT-4.7.3-2
    refused("NUL", V3, CLIENT, "82 .. 000A 0001 00 00", 0x81, "MQTT3-1.5.3-2"),   // MQTT3-4.7.3-2
    refused("empty share name", V5, CLIENT, "82 .. 000A {} <$share//t> 00", 0x8F, "MQTT-4.8.2-1"),
    refused("nothing behind $share/", V5, CLIENT, "82 .. 000A {} <$share/> 00", 0x8F, "MQTT-4.8.2-1"),
    refused("share name with +", V5, CLIENT, "82 .. 000A {} <$share/g+/t> 00", 0x8F, "MQTT-4.8.2-2"),
    refused("share name with #", V5, CLIENT, "82 .. 000A {} <$share/#/t> 00", 0x8F, "MQTT-4.8.2-2"),
    refused("no filter", V5, CLIENT, "82 .. 000A {} <$share/g> 00", 0x8F, "MQTT-4.8.2-2"),
    refused("empty filter", V5, CLIENT, "82 .. 000A {} <$share/g/> 00", 0x8F, "MQTT-4.8.2-2"),
    refused("bad shared filter", V5, CLIENT, "82 .. 000A {} <$share/g/a#> 00", 0x8F, "MQTT-4.7.1-1"),
];

pub(crate) const SUBACK: &[Vector] = &[
    accepted("one code", V5, SERVER, "90 .. 000A {} 00"),
    accepted("every code", V5, SERVER, "90 .. 000A {} 00 01 02 80 83 87 8F 91 97 9E A1 A2"),
    accepted("properties", V5, SERVER, "90 .. 000A {1F <why> 26 <k><v>} 87"),
    accepted("every code", V311, SERVER, "90 .. 000A 00 01 02 80"),
    accepted("every code", V31, SERVER, "90 .. 000A 00 01 02"),
    accepted_as("failure", V31, SERVER, "90 .. 000A 80", "90 .. 000A 00"),
    refused("code of 5.0", V3, SERVER, "90 .. 000A 87", 0x82, "MQTT3-3.9.3-2"),
    refused("unknown code", V5, SERVER, "90 .. 000A {} 03", 0x82, "MQTT-3.9.3-2"),
    refused("no code", V5, SERVER, "90 .. 000A {}", 0x82, "MQTT-3.8.4-6"),
    refused("no code", V3, SERVER, "90 .. 000A", 0x82, "MQTT3-3.8.4-5"),
    refused("from a client", ALL, CLIENT, "90 .. 000A 00 00", 0x82, ""),
    refused("flags", V5, SERVER, "92 .. 000A {} 00", 0x81, "MQTT-2.1.3-1"),
    refused("packet id 0", V5, SERVER, "90 .. 0000 {} 00", 0x81, "MQTT-2.2.1-3"),
    refused("reason string twice", V5, SERVER, "90 .. 000A {1F <a> 1F <a>} 00", 0x82, "U5-071"),
    refused("subscription id", V5, SERVER, "90 .. 000A {0B 01} 00", 0x81, "U5-006"),
];
