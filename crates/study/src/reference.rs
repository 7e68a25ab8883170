//! What a study file and a site file may say, for editors (JSON Schema) and for readers (a page each in Markdown).

mod markdown;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::schema::{File, Kind, StageKeys};
use crate::site;

pub use markdown::{reference_markdown, site_reference_markdown};

/// The JSON Schema (2020-12) of study files: editors complete and check with it.
///
/// A file that it accepts may still have mistakes that only the whole study shows: [`Study::parse`] finds
/// them. Keys that a stage may take over by `like` are not required by it.
///
/// [`Study::parse`]: crate::Study::parse
pub fn json_schema() -> Value {
    let mut schema = full_schema::<File<StageKeys>>("Study");
    let definitions = schema["$defs"].clone();
    allow_bare_words(&mut schema, &definitions);
    // What a file extends may give the rest.
    if let Some(required) = schema
        .as_object_mut()
        .and_then(|root| root.remove("required"))
    {
        schema["anyOf"] = json!([{ "required": required }, { "required": ["extends"] }]);
    }
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for kind in Kind::ALL {
            let name = kind_definition(kind);
            if let Some(Value::Object(definition)) = definitions.get_mut(&name) {
                definition.remove("required");
            }
        }
    }
    schema
}

/// The name of the definition of a kind: `StepsToTarget` for `steps_to_target`.
fn kind_definition(kind: &str) -> String {
    kind.split('_')
        .flat_map(|word| [word[..1].to_uppercase(), word[1..].to_owned()])
        .collect()
}

/// The JSON Schema (2020-12) of site files.
pub fn site_json_schema() -> Value {
    full_schema::<site::File>("Site")
}

/// A file's schema with every required key and without short forms.
fn full_schema<F: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<F>().to_value();
    schema["title"] = json!(title);
    schema
}

/// `optimizer: sgd` is short for `optimizer: {sgd: {}}`, wherever the content requires nothing.
fn allow_bare_words(schema: &mut Value, definitions: &Value) {
    match schema {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| allow_bare_words(item, definitions)),
        Value::Object(object) => {
            object
                .values_mut()
                .for_each(|value| allow_bare_words(value, definitions));
            if let Some(Value::Array(choices)) = object.get_mut("oneOf") {
                let words: Vec<Value> = choices
                    .iter()
                    .filter_map(|choice| bare_word(choice, definitions))
                    .collect();
                choices.extend(words);
            }
        }
        _ => {}
    }
}

/// The word that is short for a choice with one key.
fn bare_word(choice: &Value, definitions: &Value) -> Option<Value> {
    let (key, content) = only_property(choice)?;
    let content = resolved(content, definitions);
    let requires_nothing =
        content.get("type") == Some(&json!("object")) && content.get("required").is_none();
    requires_nothing
        .then(|| json!({ "const": key, "description": format!("Short for `{{{key}: {{}}}}`.") }))
}

/// The key and content of an object schema with exactly one, required key.
fn only_property(schema: &Value) -> Option<(&String, &Value)> {
    let properties: &Map<String, Value> = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    let mut entries = properties.iter();
    match (entries.next(), entries.next(), required.len()) {
        (Some(only), None, 1) => Some(only),
        _ => None,
    }
}

/// The definition that a schema refers to, or itself.
fn resolved<'a>(schema: &'a Value, definitions: &'a Value) -> &'a Value {
    match definition_name(schema) {
        Some(name) => &definitions[name],
        None => schema,
    }
}

/// The name in `{"$ref": "#/$defs/NAME"}`.
fn definition_name(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}
