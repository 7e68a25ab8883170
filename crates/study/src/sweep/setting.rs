//! Which setting of `train` a name in a sweep means.

use runs::keys_of;
use runs::settings::Optimizer;

use crate::diagnostic::{Draft, Mistake, Span, did_you_mean};
use crate::schema::Train;
use crate::yaml::Node;

/// Where in `train` the setting is that a sweep names.
pub(crate) fn path_in_train(
    name: &str,
    key: Span,
    train: &Node,
    mistakes: &mut Vec<Draft>,
) -> Option<Vec<String>> {
    let own: Vec<&str> = keys_of::<Train>()
        .iter()
        .copied()
        .filter(|key| {
            !matches!(
                *key,
                "dataset" | "configuration" | "optimizer" | "initial_weights"
            )
        })
        .collect();
    let (method, of_optimizer) = method_keys(train);
    if method.is_none() && train.get("optimizer").is_some() && in_some_optimizer(name) {
        // The optimizer has a mistake of its own; what it takes is not known.
        return None;
    }
    let path: Vec<&str> = if name.contains('.') {
        name.split('.').collect()
    } else if own.contains(&name) {
        vec![name]
    } else if of_optimizer.contains(&name) {
        vec!["optimizer", method.unwrap_or_default(), name]
    } else if matches!(
        name,
        "dataset" | "configuration" | "optimizer" | "initial_weights"
    ) {
        mistakes.push(
            Draft::error(Mistake::CannotBeSwept, format!("`{name}` cannot be swept"))
                .at(key, "here")
                .help("write one stage for each, the second as `like: FIRST`"),
        );
        return None;
    } else {
        mistakes.push(
            Draft::error(Mistake::NoSuchSetting, format!("no such setting `{name}`"))
                .at(
                    key,
                    match method {
                        Some(method) => format!("not a setting of `train` or of `{method}`"),
                        None => "not a setting of `train`".to_owned(),
                    },
                )
                .help(did_you_mean(name, own.iter().chain(of_optimizer).copied())),
        );
        return None;
    };
    Some(path.into_iter().map(str::to_owned).collect())
}

/// The method that `train` names, with its settings.
fn method_keys(train: &Node) -> (Option<&'static str>, &'static [&'static str]) {
    let Some(optimizer) = train.get("optimizer") else {
        return (None, &[]);
    };
    let word = optimizer
        .text()
        .or_else(|| optimizer.entries().first().map(|entry| entry.key.as_str()));
    let methods = Optimizer::METHODS.iter().copied();
    let method = methods.into_iter().find(|method| Some(*method) == word);
    (method, method.map_or(&[], Optimizer::settings_of))
}

fn in_some_optimizer(name: &str) -> bool {
    let mut methods = Optimizer::METHODS.iter();
    methods.any(|method| Optimizer::settings_of(method).contains(&name))
}

pub(super) fn short_name(path: &[String]) -> String {
    match path {
        [optimizer, _, name] if optimizer == "optimizer" => name.clone(),
        _ => path.join("."),
    }
}
