//! User properties of publishers, of whom anybody may claim to be in a trace: what is taken for a traceparent is one.

#![no_main]

use ferry_codec::UserPropertiesBuf;
use ferry_session::{TRACEPARENT, TRACESTATE, TraceParent, trace_state};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (parent, state) = texts;
    let parsed = parent.parse::<TraceParent>();
    if let Ok(parsed) = parsed {
        let shown = parsed.to_string();
        assert_eq!(shown.parse(), Ok(parsed));
        // The identifiers are as they came.
        assert_eq!(parent.get(2..53), shown.get(2..53));
    }
    // No property has U+0000 [MQTT-1.5.4-2]: the decoder refuses it.
    if parent.contains('\0') || state.contains('\0') {
        return;
    }
    let properties: UserPropertiesBuf = [(TRACESTATE, state), (TRACEPARENT, parent)].into_iter().collect();
    let properties = properties.as_user_properties();
    assert_eq!(TraceParent::of(properties), parsed.ok());
    assert!(trace_state(properties).is_none_or(|kept| kept == state && kept.len() <= 512 && kept.is_ascii()));
});
