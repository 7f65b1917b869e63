//! Manuals, shims and code have the same settings.

use super::{MODULES, Module, root};
use sipbus::config::{COMMON, Kind, Setting};

fn settings(module: &Module) -> impl Iterator<Item = &'static Setting> {
    module.settings.iter().chain(COMMON)
}

/// `### 4.1. nats_url (str)`, then the unit and the default in the text.
#[test]
fn manuals_describe_exactly_the_settings() {
    for module in MODULES {
        let path = format!("kamailio-glue/{}/README.md", module.name);
        let manual = std::fs::read_to_string(root().join(&path)).unwrap();
        let chapter = |part: &&str| part.lines().next().unwrap().ends_with("Parameters");
        let parameters = manual.split("\n## ").find(chapter).unwrap();
        let described: Vec<(&str, &str)> = parameters
            .split("\n### ")
            .skip(1)
            .map(|section| section.split_once('\n').unwrap())
            .collect();
        for setting in settings(module) {
            let kind = if matches!(setting.kind, Kind::Number { .. }) {
                "int"
            } else {
                "str"
            };
            let title = format!("{} ({kind})", setting.name);
            let section = described
                .iter()
                .find(|(heading, _)| heading.ends_with(&title));
            let (_, text) = section.unwrap_or_else(|| panic!("{path} lacks {title}"));
            let default = format!("Default: `{}`", setting.default);
            assert!(
                setting.default.is_empty() || text.contains(&default),
                "{path}: {title} lacks \"{default}\""
            );
            assert!(
                text.contains(setting.unit),
                "{path}: {title} lacks {}",
                setting.unit
            );
        }
        assert_eq!(
            described.len(),
            settings(module).count(),
            "{path} has more than there is"
        );
    }
}

#[test]
fn shims_take_exactly_the_settings() {
    for module in MODULES {
        let name = module.name;
        let path = format!("kamailio-glue/{name}/{name}_mod.c");
        let shim = std::fs::read_to_string(root().join(&path)).unwrap();
        for setting in settings(module) {
            let number = matches!(setting.kind, Kind::Number { .. });
            let row = if setting.name == "event_callback" {
                format!("\"{}\"", setting.name)
            } else if number {
                format!("NUMBER({name}, {})", setting.name)
            } else {
                format!("TEXT({name}, {})", setting.name)
            };
            assert!(shim.contains(&row), "{path} lacks {row}");
        }
        let rows = shim.lines().filter(|line| {
            let line = line.trim_start();
            line.starts_with(&format!("TEXT({name},"))
                || line.starts_with(&format!("NUMBER({name},"))
        });
        let callback = usize::from(shim.contains("\"event_callback\""));
        assert_eq!(
            rows.count() + callback,
            settings(module).count(),
            "{path} has more"
        );
    }
}
