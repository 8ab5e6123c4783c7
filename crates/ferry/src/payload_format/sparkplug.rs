//! Sparkplug B (version 3.0, section 6.4): a payload in protocol buffers as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::alias_names::{Metrics, NamedMetric};
use super::{json_number, json_string};

/// Templates within templates.
const DEPTH_MAX: usize = 32;

/// A payload as JSON on one line; metrics that have an alias only are given their name if it is among these. Fields that this does
/// not know are left out.
///
/// # Errors
/// It is not one.
pub(super) fn to_json(payload: &[u8], named: Option<&Metrics>) -> Result<String, String> {
    object(&PAYLOAD, payload, &Context { datatype: 0, column_types: &[], named, depth: 0 })
}

/// The metrics of a payload that have both a name and an alias.
///
/// # Errors
/// It is none.
pub(super) fn named_metrics(payload: &[u8]) -> Result<Metrics, String> {
    let mut named = Metrics::new();
    for (number, wire) in wire_fields(payload)? {
        let (METRICS, Wire::Bytes(bytes)) = (number, wire) else { continue };
        let MetricHead { name: Some(name), alias: Some(alias), datatype } = metric_head(bytes)? else {
            continue;
        };
        let name = String::from_utf8_lossy(name).into();
        named.insert(alias, NamedMetric { name, datatype: datatype.unwrap_or_default() });
    }
    Ok(named)
}

/// What a field of a message is.
struct Field {
    number: u64,
    name: &'static str,
    kind: Kind,
}

enum Kind {
    Number,
    Flag,
    /// Unsigned on the wire; the type of data says what it is.
    Integer,
    Float,
    Double,
    Text,
    Bytes,
    DataType,
    /// One of a payload itself, that may have an alias in place of its name.
    Metric,
    Message(&'static [Field]),
    Several(&'static Kind),
}

/// Numbers of fields.
const METRICS: u64 = 2;
const METRIC_NAME: u64 = 1;
const METRIC_ALIAS: u64 = 2;
const METRIC_DATATYPE: u64 = 4;

static PAYLOAD: [Field; 5] = [
    field(1, "timestamp", Kind::Number),
    field(METRICS, "metrics", Kind::Several(&Kind::Metric)),
    field(3, "seq", Kind::Number),
    field(4, "uuid", Kind::Text),
    field(5, "body", Kind::Bytes),
];

static METRIC: [Field; 18] = [
    field(METRIC_NAME, "name", Kind::Text),
    field(METRIC_ALIAS, "alias", Kind::Number),
    field(3, "timestamp", Kind::Number),
    field(METRIC_DATATYPE, "datatype", Kind::DataType),
    field(5, "is_historical", Kind::Flag),
    field(6, "is_transient", Kind::Flag),
    field(7, "is_null", Kind::Flag),
    field(8, "metadata", Kind::Message(&METADATA)),
    field(9, "properties", Kind::Message(&PROPERTY_SET)),
    field(10, "value", Kind::Integer),
    field(11, "value", Kind::Integer),
    field(12, "value", Kind::Float),
    field(13, "value", Kind::Double),
    field(14, "value", Kind::Flag),
    field(15, "value", Kind::Text),
    field(16, "value", Kind::Bytes),
    field(17, "value", Kind::Message(&DATA_SET)),
    field(18, "value", Kind::Message(&TEMPLATE)),
];

static METADATA: [Field; 8] = [
    field(1, "is_multi_part", Kind::Flag),
    field(2, "content_type", Kind::Text),
    field(3, "size", Kind::Number),
    field(4, "seq", Kind::Number),
    field(5, "file_name", Kind::Text),
    field(6, "file_type", Kind::Text),
    field(7, "md5", Kind::Text),
    field(8, "description", Kind::Text),
];

static PROPERTY_SET: [Field; 2] = [
    field(1, "keys", Kind::Several(&Kind::Text)),
    field(2, "values", Kind::Several(&Kind::Message(&PROPERTY_VALUE))),
];

static PROPERTY_VALUE: [Field; 10] = [
    field(1, "type", Kind::DataType),
    field(2, "is_null", Kind::Flag),
    field(3, "value", Kind::Integer),
    field(4, "value", Kind::Integer),
    field(5, "value", Kind::Float),
    field(6, "value", Kind::Double),
    field(7, "value", Kind::Flag),
    field(8, "value", Kind::Text),
    field(9, "value", Kind::Message(&PROPERTY_SET)),
    field(10, "value", Kind::Message(&PROPERTY_SET_LIST)),
];

static PROPERTY_SET_LIST: [Field; 1] =
    [field(1, "propertyset", Kind::Several(&Kind::Message(&PROPERTY_SET)))];

static DATA_SET: [Field; 4] = [
    field(1, "num_of_columns", Kind::Number),
    field(2, "columns", Kind::Several(&Kind::Text)),
    field(COLUMN_TYPES, "types", Kind::Several(&Kind::DataType)),
    field(4, "rows", Kind::Several(&Kind::Message(&ROW))),
];

/// The field of a data set that has the types of its columns.
const COLUMN_TYPES: u64 = 3;

static ROW: [Field; 1] = [field(1, "elements", Kind::Several(&Kind::Message(&DATA_SET_VALUE)))];

static DATA_SET_VALUE: [Field; 6] = [
    field(1, "value", Kind::Integer),
    field(2, "value", Kind::Integer),
    field(3, "value", Kind::Float),
    field(4, "value", Kind::Double),
    field(5, "value", Kind::Flag),
    field(6, "value", Kind::Text),
];

static TEMPLATE: [Field; 5] = [
    field(1, "version", Kind::Text),
    field(2, "metrics", Kind::Several(&Kind::Message(&METRIC))),
    field(3, "parameters", Kind::Several(&Kind::Message(&PARAMETER))),
    field(4, "template_ref", Kind::Text),
    field(5, "is_definition", Kind::Flag),
];

static PARAMETER: [Field; 8] = [
    field(1, "name", Kind::Text),
    field(2, "type", Kind::DataType),
    field(3, "value", Kind::Integer),
    field(4, "value", Kind::Integer),
    field(5, "value", Kind::Float),
    field(6, "value", Kind::Double),
    field(7, "value", Kind::Flag),
    field(8, "value", Kind::Text),
];

/// The names of the types of data, from 0.
const DATA_TYPES: [&str; 35] = [
    "Unknown",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float",
    "Double",
    "Boolean",
    "String",
    "DateTime",
    "Text",
    "UUID",
    "DataSet",
    "Bytes",
    "File",
    "Template",
    "PropertySet",
    "PropertySetList",
    "Int8Array",
    "Int16Array",
    "Int32Array",
    "Int64Array",
    "UInt8Array",
    "UInt16Array",
    "UInt32Array",
    "UInt64Array",
    "FloatArray",
    "DoubleArray",
    "BooleanArray",
    "StringArray",
    "DateTimeArray",
];

const fn field(number: u64, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

/// What is known from around a message.
struct Context<'a> {
    /// The type of the values in it; 0 if it is not known.
    datatype: u64,
    /// Those of the columns of a data set.
    column_types: &'a [u64],
    /// Metrics that are known by their aliases.
    named: Option<&'a Metrics>,
    depth: usize,
}

/// A field as it is on the wire.
enum Wire<'a> {
    Number(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

fn object(fields: &[Field], bytes: &[u8], around: &Context<'_>) -> Result<String, String> {
    if around.depth > DEPTH_MAX {
        return Err("too many messages within messages".to_owned());
    }
    let found = wire_fields(bytes)?;
    let of_kind = |wanted: &dyn Fn(&Kind) -> bool| {
        let field = fields.iter().find(|field| wanted(&field.kind));
        found.iter().filter(move |(number, _)| field.is_some_and(|field| field.number == *number))
    };
    let datatype = of_kind(&|kind| matches!(kind, Kind::DataType)).find_map(|(_, wire)| match wire {
        Wire::Number(number) => Some(*number),
        _ => None,
    });
    let mut column_types = Vec::new();
    for (_, wire) in of_kind(&|kind| matches!(kind, Kind::Several(Kind::DataType))) {
        append_numbers(wire, &mut column_types)?;
    }
    let inside = Context {
        datatype: datatype.unwrap_or(around.datatype),
        column_types: if column_types.is_empty() { around.column_types } else { &column_types },
        depth: around.depth + 1,
        ..*around
    };
    let mut members = Vec::new();
    for field in fields {
        let wires: Vec<&Wire<'_>> =
            found.iter().filter(|(number, _)| *number == field.number).map(|(_, wire)| wire).collect();
        // Of a field that may be there once, the last one counts.
        let Some(last) = wires.last() else { continue };
        let json = match &field.kind {
            Kind::Several(kind) => list(kind, &wires, &inside)?,
            kind => value(kind, last, &inside)?,
        };
        members.push(format!("\"{}\":{json}", field.name));
    }
    Ok(format!("{{{}}}", members.join(",")))
}

fn list(kind: &Kind, wires: &[&Wire<'_>], context: &Context<'_>) -> Result<String, String> {
    let mut values = Vec::new();
    for (at, wire) in wires.iter().enumerate() {
        if let (Kind::DataType, Wire::Bytes(_)) = (kind, wire) {
            // Numbers may be packed.
            let mut numbers = Vec::new();
            append_numbers(wire, &mut numbers)?;
            values.extend(numbers.into_iter().map(datatype_name));
            continue;
        }
        let datatype = context.column_types.get(at).copied().unwrap_or(context.datatype);
        values.push(value(kind, wire, &Context { datatype, ..*context })?);
    }
    Ok(format!("[{}]", values.join(",")))
}

fn value(kind: &Kind, wire: &Wire<'_>, context: &Context<'_>) -> Result<String, String> {
    Ok(match (kind, wire) {
        (Kind::Number, Wire::Number(number)) => number.to_string(),
        (Kind::Flag, Wire::Number(number)) => (*number != 0).to_string(),
        (Kind::Integer, Wire::Number(number)) => integer(context.datatype, *number),
        (Kind::DataType, Wire::Number(number)) => datatype_name(*number),
        (Kind::Float, Wire::Fixed32(bits)) => float(f32::from_bits(*bits)),
        (Kind::Double, Wire::Fixed64(bits)) => json_number(f64::from_bits(*bits)),
        (Kind::Text, Wire::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8".to_owned())?;
            json_string(text.as_bytes())
        }
        (Kind::Bytes, Wire::Bytes(bytes)) => json_string(STANDARD.encode(bytes).as_bytes()),
        (Kind::Metric, Wire::Bytes(bytes)) => metric(bytes, context)?,
        (Kind::Message(fields), Wire::Bytes(bytes)) => object(fields, bytes, context)?,
        _ => return Err("a field of another type".to_owned()),
    })
}

/// With the name and the type of data that belong to its alias, if it says neither.
fn metric(bytes: &[u8], context: &Context<'_>) -> Result<String, String> {
    let head = metric_head(bytes)?;
    let known = context.named.zip(head.alias).and_then(|(named, alias)| named.get(&alias));
    let Some(NamedMetric { name, datatype }) = known.filter(|_| head.name.is_none()) else {
        return object(&METRIC, bytes, context);
    };
    let json = object(&METRIC, bytes, &Context { datatype: *datatype, ..*context })?;
    Ok(json.replacen('{', &format!("{{\"name\":{},", json_string(name.as_bytes())), 1))
}

/// What is known of a metric before it is read as a whole.
struct MetricHead<'a> {
    name: Option<&'a [u8]>,
    alias: Option<u64>,
    datatype: Option<u64>,
}

fn metric_head(bytes: &[u8]) -> Result<MetricHead<'_>, String> {
    let mut head = MetricHead { name: None, alias: None, datatype: None };
    for (number, wire) in wire_fields(bytes)? {
        match (number, wire) {
            (METRIC_NAME, Wire::Bytes(name)) => head.name = Some(name),
            (METRIC_ALIAS, Wire::Number(alias)) => head.alias = Some(alias),
            (METRIC_DATATYPE, Wire::Number(datatype)) => head.datatype = Some(datatype),
            _ => {}
        }
    }
    Ok(head)
}

/// Negative numbers are in two's complement, of 32 bits at least or of their own.
fn integer(datatype: u64, number: u64) -> String {
    match datatype {
        // Cut to their size, whatever is in the bits above.
        1 => (number as i8).to_string(),
        2 => (number as i16).to_string(),
        3 => (number as i32).to_string(),
        4 => (number as i64).to_string(),
        _ => number.to_string(),
    }
}

/// With as few digits as tell it apart from other numbers of 32 bits.
fn float(number: f32) -> String {
    if number.is_finite() { format!("{number:?}") } else { "null".to_owned() }
}

fn datatype_name(number: u64) -> String {
    let name = usize::try_from(number).ok().and_then(|number| DATA_TYPES.get(number));
    name.map_or_else(|| number.to_string(), |name| format!("\"{name}\""))
}

fn append_numbers(wire: &Wire<'_>, numbers: &mut Vec<u64>) -> Result<(), String> {
    match wire {
        Wire::Number(number) => numbers.push(*number),
        Wire::Bytes(bytes) => {
            let mut rest = *bytes;
            while !rest.is_empty() {
                numbers.push(varint(&mut rest)?);
            }
        }
        Wire::Fixed32(_) | Wire::Fixed64(_) => return Err("a field of another type".to_owned()),
    }
    Ok(())
}

/// The fields of a message, each with its number.
fn wire_fields(mut rest: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, String> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let wire = match key & 7 {
            0 => Wire::Number(varint(&mut rest)?),
            1 => Wire::Fixed64(u64::from_le_bytes(array(&mut rest)?)),
            2 => {
                let length = varint(&mut rest)?;
                let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
                let (bytes, behind) = split.ok_or_else(too_early)?;
                rest = behind;
                Wire::Bytes(bytes)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(array(&mut rest)?)),
            other => return Err(format!("a field of the unknown kind {other}")),
        };
        fields.push((key >> 3, wire));
    }
    Ok(fields)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, behind) = rest.split_first_chunk().ok_or_else(too_early)?;
    *rest = behind;
    Ok(*bytes)
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for at in 0..10 {
        let (byte, behind) = rest.split_first().ok_or_else(too_early)?;
        *rest = behind;
        number |= u64::from(byte & 127) << (7 * at);
        if byte & 128 == 0 {
            return Ok(number);
        }
    }
    Err("a number that is too long".to_owned())
}

fn too_early() -> String {
    "it ends too early".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(field: u8, number: u64) -> Vec<u8> {
        let mut bytes = vec![field << 3];
        let mut rest = number;
        while rest > 127 {
            bytes.push(rest as u8 | 128);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    }

    /// Fields above 15 have a key of two bytes.
    fn bytes(field: u8, contents: &[u8]) -> Vec<u8> {
        let mut bytes = number(0, u64::from(field) << 3 | 2)[1..].to_vec();
        bytes.extend_from_slice(&number(0, contents.len() as u64)[1..]);
        bytes.extend_from_slice(contents);
        bytes
    }

    #[test]
    fn a_birth_becomes_readable() {
        let int =
            [bytes(1, b"a/b"), number(2, 7), number(4, 3), number(10, u64::from(-5i32 as u32))].concat();
        let long = [bytes(1, b"l"), number(4, 4), number(11, -5i64 as u64)].concat();
        let float =
            [bytes(1, b"f"), number(4, 9), vec![12 << 3 | 5], 21.1f32.to_le_bytes().to_vec()].concat();
        let nothing = [bytes(1, b"n"), number(4, 12), number(7, 1)].concat();
        let raw = [number(4, 17), bytes(16, &[0, 255])].concat();
        let properties = [bytes(1, b"unit"), bytes(2, &[number(1, 12), bytes(8, b"C")].concat())].concat();
        let with_properties = [number(4, 11), bytes(9, &properties), number(14, 1)].concat();
        let row = [bytes(1, &number(1, 0xFF)), bytes(1, &bytes(6, b"x"))].concat();
        let data_set =
            [number(1, 2), bytes(2, b"i"), bytes(2, b"s"), bytes(3, &[1, 12]), bytes(4, &row)].concat();
        let table = [number(4, 16), bytes(17, &data_set)].concat();
        let template = [bytes(2, &int), bytes(4, b"T")].concat();
        let instance = [number(4, 19), bytes(18, &template)].concat();
        let mut payload = number(1, 1_700_000_000_000);
        for metric in [int, long, float, nothing, raw, with_properties, table, instance] {
            payload.extend(bytes(2, &metric));
        }
        payload.extend(number(3, 0));
        let expected = [
            r#"{"timestamp":1700000000000,"metrics":["#,
            r#"{"name":"a/b","alias":7,"datatype":"Int32","value":-5},"#,
            r#"{"name":"l","datatype":"Int64","value":-5},"#,
            r#"{"name":"f","datatype":"Float","value":21.1},"#,
            r#"{"name":"n","datatype":"String","is_null":true},"#,
            r#"{"datatype":"Bytes","value":"AP8="},"#,
            r#"{"datatype":"Boolean","properties":{"keys":["unit"],"values":[{"type":"String","value":"C"}]},"value":true},"#,
            r#"{"datatype":"DataSet","value":{"num_of_columns":2,"columns":["i","s"],"types":["Int8","String"],"#,
            r#""rows":[{"elements":[{"value":-1},{"value":"x"}]}]}},"#,
            r#"{"datatype":"Template","value":{"metrics":[{"name":"a/b","alias":7,"datatype":"Int32","value":-5}],"template_ref":"T"}}"#,
            r#"],"seq":0}"#,
        ];
        assert_eq!(to_json(&payload, None), Ok(expected.concat()));
    }

    #[test]
    fn what_is_none_is_refused() {
        let mut deep = Vec::new();
        for _ in 0..50 {
            deep = bytes(2, &bytes(18, &deep));
        }
        for payload in [b"hello".as_slice(), &[0x08], &[0x0D, 0, 0, 0, 0], &[0x12, 9], &[0xFF; 12], &deep] {
            assert!(to_json(payload, None).is_err(), "{payload:?}");
        }
        assert_eq!(to_json(b"", None), Ok("{}".to_owned()));
    }

    proptest! {
        #[test]
        fn whatever_comes_out_is_json(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(json) = to_json(&bytes, None) {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{}", json);
            }
        }
    }
}
