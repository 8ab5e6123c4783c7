use std::time::Duration;

use ferry_client::{Message, QoS, RequestError};

use crate::with_each_broker;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn requests_are_answered() {
    with_each_broker(async |place| {
        let client = place.client("asking").await;
        let request = || Message::new(place.topic("square"), "12").qos(QoS::AtLeastOnce);
        if !place.is_v5() {
            assert_eq!(client.request(request(), PATIENCE).await, Err(RequestError::NotSupported));
            return;
        }
        assert_eq!(client.request(request(), PATIENCE).await, Err(RequestError::NoResponder));
        let answering = place.client("answering").await;
        let mut requests = answering.subscribe(place.topic("square")).await.unwrap();
        let work = tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                let number: u64 = request.text().unwrap().parse().unwrap();
                let response = request.response((number * number).to_string()).unwrap();
                answering.publish(response).await.unwrap();
            }
        });
        let answers = [client.request(request(), PATIENCE), client.request(request(), PATIENCE)];
        for answer in answers {
            assert_eq!(answer.await.unwrap().text(), Ok("144"));
        }
        work.abort();
        let silent = place.client("silent").await;
        let _silence = silent.subscribe(place.topic("square")).await.unwrap();
        let none = client.request(request(), Duration::from_millis(50)).await;
        assert_eq!(none, Err(RequestError::TimedOut));
    });
}

#[test]
fn a_request_may_have_many_answers() {
    with_each_broker(async |place| {
        if !place.is_v5() {
            return;
        }
        let client = place.client("roll-call").await;
        for name in ["a", "b", "c"] {
            let answering = place.client(name).await;
            let mut requests = answering.subscribe("who").await.unwrap();
            tokio::spawn(async move {
                while let Some(request) = requests.recv().await {
                    answering.publish(request.response(name).unwrap()).await.unwrap();
                }
            });
        }
        let mut responses = client.request_many(Message::new("who", "").qos(QoS::AtLeastOnce)).await.unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            names.push(responses.recv().await.unwrap().text().unwrap().to_owned());
        }
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c"]);
    });
}
