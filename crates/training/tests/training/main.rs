//! Networks and runs from outside, in one program: burn is linked once.

mod formula;
mod measures;
mod networks;
mod new_rule;
mod pytorch;
mod resume;
mod sgd_beside_pytorch;
mod transfer;
mod whole;

use serde_json::Value;
use training::Settings;

/// Settings with changes to their top-level entries.
fn changed(mut settings: Value, changes: Value) -> Settings {
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    settings.as_object_mut().unwrap().extend(changes);
    serde_json::from_value(settings).unwrap()
}
