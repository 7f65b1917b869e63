//! Mistakes in the settings: Kamailio refuses to start, with one clear message for each.

use crate::kamailio::Config;

/// A wrong value.
pub(crate) enum Value {
    Text(&'static str),
    Number(i64),
}

/// A parameter, a wrong value of it, and what the message must show of that.
pub(crate) type Mistake = (&'static str, Value, &'static str);

fn with(config: Config, (parameter, value, _): &Mistake) -> Config {
    match value {
        Value::Text(text) => config.text_param(parameter, text),
        Value::Number(number) => config.number(parameter, *number),
    }
}

/// The lines of the log that are errors and show both the parameter and the text.
pub(crate) fn messages(log: &str, parameter: &str, shown: &str) -> usize {
    let errors = log
        .lines()
        .filter(|line| line.contains("ERROR:") || line.contains("CRITICAL:"));
    errors
        .filter(|line| line.contains(parameter) && line.contains(shown))
        .count()
}

/// Each of the mistakes alone, in what `config` makes for its parameter, is refused with one message.
pub(crate) fn each_is_refused(mistakes: &[Mistake], config: impl Fn(&str) -> Config) {
    let mut wrong = Vec::new();
    for mistake in mistakes {
        let (parameter, _, shown) = mistake;
        match with(config(parameter), mistake).outcome() {
            Err(_) => wrong.push(format!("{parameter} with {shown}: accepted")),
            Ok((status, log)) => {
                let count = messages(&log, parameter, shown);
                if status.code().is_none_or(|code| code == 0) || count != 1 {
                    wrong.push(format!(
                        "{parameter} with {shown}: {status}, {count} messages in\n{log}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first mistake of each of these parameters: all in one start, one message for each.
pub(crate) fn all_are_told(
    mistakes: &[Mistake],
    mut config: Config,
    wanted: impl Fn(&str) -> bool,
) {
    let mut expected: Vec<&Mistake> = Vec::new();
    for mistake in mistakes {
        if wanted(mistake.0) && expected.iter().all(|other| other.0 != mistake.0) {
            config = with(config, mistake);
            expected.push(mistake);
        }
    }
    let (status, log) = config.refused();
    assert!(!status.success());
    for (parameter, _, shown) in expected {
        let count = messages(&log, parameter, shown);
        assert_eq!(count, 1, "{parameter} with {shown} in:\n{log}");
    }
}

/// A parameter that there is not is refused, by its name.
pub(crate) fn unknown_is_refused(config: Config, parameter: &str) {
    let (status, log) = config.number(parameter, 1).refused();
    assert!(!status.success());
    assert!(log.contains(parameter), "{log}");
}

/// Each of these wrong values of `parameter` is refused, and the secret in it is not shown.
pub(crate) fn a_secret_is_not_shown(
    config: impl Fn() -> Config,
    parameter: &str,
    values: &[&str],
    secret: &str,
) {
    for value in values {
        assert!(value.contains(secret), "{value}");
        let config = config().before("debug=3").text_param(parameter, value);
        // Kamailio's own debug output shows what it reads from the file; ours must not.
        let module = format!("{} [", config.module);
        let (status, log) = config.refused();
        assert!(!status.success());
        assert!(log.contains(parameter), "{log}");
        let ours = log
            .lines()
            .filter(|line| line.contains(&module) || line.contains("sipbus"));
        let shown: Vec<&str> = ours.filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{shown:?}");
    }
}
