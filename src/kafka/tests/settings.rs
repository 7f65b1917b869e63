use crate::config::{Given, Value};
use crate::kafka::settings::Settings;

pub(super) fn given(lines: &[(&str, &str)]) -> Given {
    let mut given = Given::default();
    for (name, text) in lines {
        let number = text.parse().map(Value::Number);
        given.add(
            name,
            number.unwrap_or_else(|_| Value::Text((*text).to_owned())),
        );
    }
    given
}

#[test]
fn brokers_with_the_same_cluster_and_properties_share_a_connection() {
    let settings = Settings::event_kafka(&given(&[
        ("broker_id", "[a]h:1/x"),
        ("broker_id", "[b]h:1/y"),
        ("broker_id", "[c]h:1/x?t.acks=1"),
        ("consume", "brokers=h:1;group=g;topics=t;workers=2"),
        ("consume", "brokers=h:1;group=h;topics=u"),
        ("report_workers", "2"),
    ]))
    .unwrap();
    assert_eq!(settings.producers.len(), 2);
    assert_eq!(settings.target("b"), Some(1));
    assert_eq!(settings.target("d"), None);
    assert_eq!(settings.inboxes(), 5);
    assert_eq!(settings.inboxes_of(0), 2..4);
    assert_eq!(settings.inboxes_of(1), 4..5);
    assert_eq!(settings.worker_titles().len(), 5);
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

#[test]
fn all_mistakes_of_event_kafka_come_at_once() {
    let mistakes = Settings::event_kafka(&given(&[
        ("broker_id", "[a]h:1/x"),
        ("broker_id", "[a]h:1/y"),
        ("broker_id", "h:1/y"),
        ("consume", "group=g"),
        ("report_workers", "65"),
        ("inbox_size", "65536"),
    ]))
    .unwrap_err();
    assert_eq!(mistakes.len(), 5, "{mistakes:#?}");
}

#[test]
fn kafka_has_a_target_per_topic() {
    let settings = Settings::kafka(&given(&[
        ("brokers", "a:1,b:2"),
        ("configuration", "client.id=x; linger.ms=5;"),
        ("topic", "name=one"),
        ("topic", "name=two;acks=1;"),
        ("topic", "name=three"),
        ("init_without_kafka", "1"),
    ]))
    .unwrap();
    assert_eq!(settings.producers.len(), 2);
    assert_eq!(settings.targets[2].producer, 0);
    assert_eq!(settings.producers[1].properties.len(), 3);
    assert!(!settings.needs_broker);
    // What Kamailio's own module takes.
    let settings = Settings::kafka(&given(&[
        ("brokers", "a:1, b:2 ,"),
        ("configuration", "sasl.password = \"a;b='c\" ;client.id='x'"),
        ("topic", "request.required.acks=0;name=one"),
        ("topic", " name = 'two' ; acks = 1 "),
    ]))
    .unwrap();
    assert_eq!(
        (&*settings.targets[0].id, &*settings.targets[1].id),
        ("one", "two")
    );
    let told = |index: usize| {
        let told = settings.producers[index].properties.iter();
        told.map(|p| (&*p.name, &*p.value)).collect::<Vec<_>>()
    };
    let both = [("sasl.password", "a;b='c"), ("client.id", "x")];
    assert_eq!(
        told(0),
        [&both[..], &[("request.required.acks", "0")]].concat()
    );
    assert_eq!(told(1), [&both[..], &[("acks", "1")]].concat());
    let mistakes = Settings::kafka(&given(&[
        ("brokers", " , "),
        ("configuration", "client.id=\"x"),
        ("topic", "acks=1"),
        ("topic", "name=a;name=b"),
        ("topic", "name='a'b"),
    ]))
    .unwrap_err();
    assert_eq!(mistakes.len(), 5, "{mistakes:#?}");
    for text in [
        "sasl.password='hush;b=hush;c",
        "sasl.password = \"hush;b=hush\";x",
    ] {
        let mistakes = Settings::kafka(&given(&[("brokers", "a"), ("configuration", text)]));
        let mistakes = mistakes.unwrap_err().concat();
        assert!(!mistakes.contains("hush"), "{mistakes}");
    }
    let mistakes = Settings::kafka(&given(&[
        ("configuration", "x"),
        ("topic", "two"),
        ("topic", "name=a b"),
        ("topic", "name=a;linger.ms=1"),
        ("topic", "name=a;acks"),
    ]))
    .unwrap_err();
    assert_eq!(mistakes.len(), 6, "{mistakes:#?}");
}
