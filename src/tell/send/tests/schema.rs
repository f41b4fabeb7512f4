//! As much of JSON Schema as `tests/data/schemas` uses; a keyword it does not know fails the test.

use serde_json::{Map, Value};
use std::{fs, path::Path};

/// Panics where a value does not fit the schema in this file.
#[track_caller]
pub(super) fn fits(value: &Value, file: &str) {
    let path = Path::new("tests/data/schemas").join(file);
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    if let Err(why) = check(value, &schema, &schema, "") {
        panic!("{file}: {why}\n{value:#}");
    }
}

fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{at}: {what}"));
    for (keyword, wants) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$defs" | "additionalProperties" => {}
            "$ref" => {
                let name = wants.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(value, &root["$defs"][name], root, at)?;
            }
            "anyOf" => {
                let tried: Vec<_> = wants
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| check(value, one, root, at))
                    .collect();
                if tried.iter().all(Result::is_err) {
                    return wrong(&format!("fits none of: {tried:?}"));
                }
            }
            "const" if value == wants => {}
            "enum" if wants.as_array().unwrap().contains(value) => {}
            "const" | "enum" => return wrong(&format!("{value} is not of {wants}")),
            "type" if is_type(value, wants.as_str().unwrap()) => {}
            "type" => return wrong(&format!("is no {wants}")),
            "pattern" if value.as_str().unwrap().starts_with(wants.as_str().unwrap()) => {}
            "pattern" => return wrong(&format!("does not begin with {wants}")),
            "minLength" | "maxLength" | "minItems" | "maxItems" => {
                let length = match value {
                    Value::Array(items) => items.len(),
                    Value::String(text) => text.chars().count(),
                    Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {
                        return wrong("has no length");
                    }
                };
                let bound = usize::try_from(wants.as_u64().unwrap()).unwrap();
                let is_fine =
                    if keyword.starts_with("min") { length >= bound } else { length <= bound };
                if !is_fine {
                    return wrong(&format!("{keyword} {bound}, here {length}"));
                }
            }
            "items" => {
                for (n, item) in value.as_array().unwrap().iter().enumerate() {
                    check(item, wants, root, &format!("{at}/{n}"))?;
                }
            }
            "required" => {
                for key in wants.as_array().unwrap() {
                    if value.get(key.as_str().unwrap()).is_none() {
                        return wrong(&format!("{key} is missing"));
                    }
                }
            }
            "properties" => properties(value, wants.as_object().unwrap(), root, at)?,
            other => return wrong(&format!("the schema has an unknown keyword {other}")),
        }
    }
    additional(value, schema, root, at)
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        _ => false,
    }
}

fn properties(
    value: &Value,
    wants: &Map<String, Value>,
    root: &Value,
    at: &str,
) -> Result<(), String> {
    for (key, schema) in wants {
        if let Some(found) = value.get(key) {
            check(found, schema, root, &format!("{at}/{key}"))?;
        }
    }
    Ok(())
}

fn additional(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let Some(wants) = schema.get("additionalProperties") else { return Ok(()) };
    for (key, found) in value.as_object().into_iter().flatten() {
        if schema.get("properties").is_some_and(|known| known.get(key).is_some()) {
            continue;
        }
        match wants {
            Value::Bool(false) => return Err(format!("{at}: {key} is not expected")),
            Value::Object(_) => check(found, wants, root, &format!("{at}/{key}"))?,
            Value::Array(_)
            | Value::Bool(true)
            | Value::Null
            | Value::Number(_)
            | Value::String(_) => {}
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": "string", "maxLength": 2 }, "b": { "enum": [1] } }
    });
    let refuses = |value: Value| check(&value, &schema, &schema, "").is_err();
    assert!(!refuses(serde_json::json!({ "a": "x", "b": 1 })));
    assert!(refuses(serde_json::json!({ "b": 1 })));
    assert!(refuses(serde_json::json!({ "a": "xyz" })));
    assert!(refuses(serde_json::json!({ "a": "x", "b": 2 })));
    assert!(refuses(serde_json::json!({ "a": "x", "c": 2 })));
    assert!(refuses(serde_json::json!([])));
}
