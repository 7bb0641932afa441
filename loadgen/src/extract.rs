//! Values taken from answers, and checks of answers.

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Check, Request};
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::error::StartError;
use crate::template::Names;

/// What a step reads from its answer.
#[derive(Debug)]
pub(crate) struct Reader {
    extracts: Vec<(u16, JsonPath)>,
    checks: Vec<Compiled>,
    has_status_check: bool,
    needs_json: bool,
}

#[derive(Debug)]
enum Compiled {
    Status { op: Op, value: u16 },
    Json { path: JsonPath, op: Op, value: Value },
}

/// Why an answer is an error, and what to tell a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) class: ErrorClass,
    pub(crate) detail: String,
}

fn fault(class: ErrorClass, detail: String) -> Fault {
    Fault { class, detail }
}

fn json_path(text: &str) -> Result<JsonPath, StartError> {
    JsonPath::parse(text).map_err(|error| StartError::Plan(format!("JSON path `{text}`: {error}")))
}

impl Reader {
    pub(crate) fn compile(request: &Request, names: &mut Names) -> Result<Self, StartError> {
        let mut extracts = Vec::with_capacity(request.extract.len());
        for extract in &request.extract {
            extracts.push((names.extracted(&extract.name), json_path(&extract.json_path)?));
        }
        let mut checks = Vec::with_capacity(request.checks.len());
        for check in &request.checks {
            checks.push(match check {
                Check::Status { op, value } => Compiled::Status { op: *op, value: *value },
                Check::Json { path, op, value } => {
                    Compiled::Json { path: json_path(path)?, op: *op, value: value.clone() }
                }
            });
        }
        let has_status_check = checks.iter().any(|check| matches!(check, Compiled::Status { .. }));
        let needs_json = !extracts.is_empty() || checks.iter().any(|c| matches!(c, Compiled::Json { .. }));
        Ok(Self { extracts, checks, has_status_check, needs_json })
    }

    /// Whether the whole body has to be kept.
    pub(crate) fn needs_body(&self) -> bool {
        self.needs_json
    }

    /// Judges an answer and stores what is extracted. The status comes first: an answer that failed by its status is
    /// not searched for values.
    pub(crate) fn read(&self, status: u16, body: &[u8], store: &mut [Option<String>]) -> Result<(), Fault> {
        self.check_status(status)?;
        if !self.needs_json {
            return Ok(());
        }
        let parsed = serde_json::from_slice::<Value>(body);
        let Ok(json) = parsed else {
            let checks_json = self.checks.iter().any(|check| matches!(check, Compiled::Json { .. }));
            let class = if checks_json { ErrorClass::CheckFailed } else { ErrorClass::ExtractFailed };
            return Err(fault(class, "the body is not JSON".into()));
        };
        self.checks.iter().try_for_each(|check| check_json(check, &json))?;
        for (slot, path) in &self.extracts {
            let text = path.query(&json).first().and_then(as_text);
            let Some(text) = text else {
                return Err(fault(ErrorClass::ExtractFailed, format!("nothing at {path}")));
            };
            if let Some(place) = store.get_mut(usize::from(*slot)) {
                *place = Some(text);
            }
        }
        Ok(())
    }

    fn check_status(&self, status: u16) -> Result<(), Fault> {
        for check in &self.checks {
            if let Compiled::Status { op, value } = check
                && !op.holds(f64::from(status), f64::from(*value))
            {
                let detail = format!("status is {status}, not {} {value}", op.text());
                return Err(fault(ErrorClass::CheckFailed, detail));
            }
        }
        if status >= 400 && !self.has_status_check {
            return Err(fault(ErrorClass::Status(status), format!("status {status}")));
        }
        Ok(())
    }
}

/// The first node of the path must compare so; no node fails every check.
fn check_json(check: &Compiled, json: &Value) -> Result<(), Fault> {
    let Compiled::Json { path, op, value } = check else {
        return Ok(());
    };
    let nodes = path.query(json);
    match nodes.first() {
        Some(found) if compares(found, *op, value) => Ok(()),
        Some(_) => Err(fault(ErrorClass::CheckFailed, format!("{path} is not {} {value}", op.text()))),
        None => Err(fault(ErrorClass::CheckFailed, format!("nothing at {path}"))),
    }
}

/// Numbers compare as numbers, texts by their characters; all else is equal or is not.
fn compares(found: &Value, op: Op, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => op.holds(a, b),
            _ => false,
        },
        (Value::String(a), Value::String(b)) => match op {
            Op::Lt => a < b,
            Op::Le => a <= b,
            Op::Gt => a > b,
            Op::Ge => a >= b,
            Op::Eq => a == b,
            Op::Ne => a != b,
        },
        (a, b) => match op {
            Op::Eq => a == b,
            Op::Ne => a != b,
            _ => false,
        },
    }
}

/// A value as text: strings as they are, all else as JSON. Null is no value.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_drill_model::plan::{Extract, Template};
    use serde_json::json;

    use super::*;

    type Read = Result<Vec<Option<String>>, ErrorClass>;

    fn read(checks: Vec<Check>, paths: &[&str], status: u16, body: &str) -> Read {
        let extract = |path: &&str| Extract { name: (*path).into(), json_path: (*path).into() };
        let request = Request {
            step: 0,
            target: 0,
            method: "GET".into(),
            path: Template::literal("/"),
            headers: vec![],
            body: None,
            extract: paths.iter().map(extract).collect(),
            checks,
            timeout_ns: None,
        };
        let mut names = Names::default();
        let reader = Reader::compile(&request, &mut names).unwrap();
        let mut store = vec![None; names.extracted.len()];
        reader.read(status, body.as_bytes(), &mut store).map(|()| store).map_err(|fault| fault.class)
    }

    #[test]
    fn values_are_taken() {
        let got =
            read(vec![], &["$.id", "$.n[1]", "$.o"], 200, r#"{"id":"a\"b","n":[1,2.5],"o":{"k":true}}"#);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(got, Ok(vec![text("a\"b"), text("2.5"), text("{\"k\":true}")]));
        for body in ["{}", r#"{"id":null}"#, "<html>", ""] {
            assert_eq!(read(vec![], &["$.id"], 200, body), Err(ErrorClass::ExtractFailed), "{body}");
        }
    }

    #[test]
    fn a_status_is_an_error_unless_a_check_speaks_of_it() {
        let status = |op, value| vec![Check::Status { op, value }];
        assert_eq!(read(vec![], &[], 404, ""), Err(ErrorClass::Status(404)));
        assert_eq!(read(status(Op::Eq, 404), &[], 404, ""), Ok(vec![]));
        assert_eq!(read(status(Op::Lt, 400), &[], 500, ""), Err(ErrorClass::CheckFailed));
        assert_eq!(read(status(Op::Eq, 201), &[], 200, ""), Err(ErrorClass::CheckFailed));
    }

    #[test]
    fn json_is_compared_by_its_type() {
        let check = |op, value| vec![Check::Json { path: "$.v".into(), op, value }];
        for (op, value, body, holds) in [
            (Op::Ge, json!(2), r#"{"v":2.5}"#, true),
            (Op::Eq, json!(2), r#"{"v":"2"}"#, false),
            (Op::Ne, json!(2), r#"{"v":"2"}"#, true),
            (Op::Eq, json!("ok"), r#"{"v":"ok"}"#, true),
            (Op::Eq, json!(true), r#"{"v":true}"#, true),
            (Op::Lt, json!(true), r#"{"v":false}"#, false),
            (Op::Ne, json!(1), "{}", false),
            (Op::Eq, json!(1), "nonsense", false),
        ] {
            let expected = if holds { Ok(vec![]) } else { Err(ErrorClass::CheckFailed) };
            assert_eq!(read(check(op, value), &[], 200, body), expected, "{body}");
        }
    }
}
