//! `/api/v1/publish`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferry_codec::{MessageProperties, Packet, ProtocolVersion, Publish, QoS, encoded_length};
use ferry_core::{Event, ServerPublish};

use super::answer::Answer;
use super::clients::done;
use super::problem::Problem;
use super::request::Call;
use super::subscriptions::check_topic;

/// Publishes a message as the broker itself.
///
/// # Errors
/// The request is wrong, or the shard does not answer in time.
pub(super) async fn publish(call: &Call) -> Result<Answer, Problem> {
    let names = [
        "topic",
        "payload",
        "payload_base64",
        "qos",
        "retain",
        "content_type",
        "response_topic",
        "message_expiry_interval_seconds",
    ];
    let body = call.body.object(&names)?;
    let Some(topic) = body.text("topic")? else {
        return Err(Problem::bad_request("there is no topic", "give a topic"));
    };
    check_topic(&topic)?;
    if topic == "$SYS" || topic.starts_with("$SYS/") {
        return Err(Problem::bad_request("below $SYS only the broker speaks", "give another topic"));
    }
    let payload = match (body.text("payload")?, body.text("payload_base64")?) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("there are two payloads", "give payload or payload_base64"));
        }
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|error| {
            Problem::bad_request(
                format!("payload_base64: {error}"),
                "encode it as RFC 4648 says, with padding",
            )
        })?,
        (None, None) => Vec::new(),
    };
    let qos = body.number("qos", 0, 2)?.unwrap_or(0);
    let qos = QoS::from_byte(qos as u8).unwrap_or(QoS::AtMostOnce);
    let retain = body.flag("retain")?.unwrap_or(false);
    let (content_type, response_topic) = (body.text("content_type")?, body.text("response_topic")?);
    if let Some(topic) = &response_topic {
        check_topic(topic)?;
    }
    let expiry = body.number("message_expiry_interval_seconds", 0, u64::from(u32::MAX))?;
    check_size(call, &topic, &payload, content_type.as_deref(), response_topic.as_deref())?;
    let published = call.state.ask(0, move |driver| {
        let properties = MessageProperties {
            content_type: content_type.as_deref(),
            response_topic: response_topic.as_deref(),
            // It is at most `u32::MAX`.
            message_expiry_interval: expiry.map(|seconds| seconds as u32),
            ..MessageProperties::default()
        };
        driver.handle(Event::Publish(ServerPublish {
            topic: &topic,
            payload: &payload,
            qos,
            retain,
            properties,
        }));
    });
    published.await?;
    Ok(done("published"))
}

/// What no client could have sent, nobody should be sent either.
///
/// # Errors
/// The packet would be too large, or a text is none that MQTT allows.
fn check_size(
    call: &Call,
    topic: &str,
    payload: &[u8],
    content_type: Option<&str>,
    response_topic: Option<&str>,
) -> Result<(), Problem> {
    let limits = &call.in_force.config.limits;
    let texts = [Some(topic), content_type, response_topic];
    if texts
        .into_iter()
        .flatten()
        .any(|text| text.len() > usize::from(limits.topic_bytes_max) || text.contains('\0'))
    {
        let detail = format!("a text has more than {} bytes, or U+0000 in it", limits.topic_bytes_max);
        return Err(Problem::bad_request(detail, "make it shorter, or raise limits.topic_bytes_max"));
    }
    let properties = MessageProperties { content_type, response_topic, ..MessageProperties::default() };
    let packet = Packet::Publish(Publish { topic, payload, properties, ..Publish::default() });
    let length = encoded_length(&packet, ProtocolVersion::V5);
    if length > limits.packet_size_bytes_max as usize {
        let detail = format!("the packet would have {length} bytes");
        return Err(Problem::bad_request(detail, "send less, or raise limits.packet_size_bytes_max"));
    }
    Ok(())
}
