//! What a step reads from its answer: values, checks, and the answer's class.

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Request, Source};
use regex::bytes::Regex;

use crate::answer::Heads;
use crate::check::{Subject, Test, regex};
use crate::error::StartError;
use crate::json::{Found, Paths};
use crate::kept::{EXTRACTED_MAX_BYTES, Kept};
use crate::template::Names;

/// What a step reads from its answer.
#[derive(Debug)]
pub(crate) struct Reader {
    paths: Paths,
    extracts: Vec<Extract>,
    checks: Vec<Test>,
    outcomes: Vec<(String, Test)>,
    has_status_check: bool,
    needs_body: bool,
}

#[derive(Debug)]
struct Extract {
    slot: u16,
    from: Whence,
    default: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Whence {
    Json(usize),
    Regex(Regex),
    Header(String),
}

/// An answer, as far as a step may ask for it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) heads: Heads<'a>,
    /// The whole body where [`Reader::needs_body`]; of a gRPC call, the JSON of its messages.
    pub(crate) body: &'a [u8],
    /// What came of a gRPC call.
    pub(crate) called: Option<Called>,
    /// Why its messages have no JSON; empty where nothing is known of that.
    pub(crate) why_no_json: &'a str,
}

/// What came of a gRPC call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) status: u16,
    /// Messages of the answer.
    pub(crate) messages: u64,
}

impl Reply<'_> {
    /// The error that the status is when no check speaks of it.
    fn by_status(&self) -> Option<ErrorClass> {
        match self.called {
            Some(Called { status: 0, .. }) => None,
            Some(Called { status, .. }) => Some(ErrorClass::Grpc(status)),
            None => (self.status >= 400).then_some(ErrorClass::Status(self.status)),
        }
    }

    fn status_fault(&self, class: ErrorClass) -> Fault {
        fault(class, format!("status {}", self.called.map_or(self.status, |called| called.status)))
    }
}

/// What an answer without a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Verdict<'a> {
    /// Its class besides ok and fail.
    pub(crate) outcome: Option<&'a str>,
    /// It is of a class and lacks a value that the step takes: the journey ends here, without an error.
    pub(crate) ends: bool,
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

impl Reader {
    pub(crate) fn compile(request: &Request, names: &mut Names) -> Result<Self, StartError> {
        let mut paths = Paths::default();
        let mut extracts = Vec::with_capacity(request.extract.len());
        for extract in &request.extract {
            let from = match &extract.from {
                Source::JsonPath(path) => Whence::Json(paths.add(path)?),
                Source::Regex(text) => Whence::Regex(regex(text)?),
                Source::Header(name) => Whence::Header(name.clone()),
            };
            let default = extract.default.clone().map(String::into_bytes);
            extracts.push(Extract { slot: names.extracted(&extract.name), from, default });
        }
        let compile = |check: &_, paths: &mut Paths| Test::compile(check, paths);
        let checks: Vec<Test> =
            request.checks.iter().map(|check| compile(check, &mut paths)).collect::<Result<_, _>>()?;
        let mut outcomes = Vec::with_capacity(request.outcomes.len());
        for outcome in &request.outcomes {
            outcomes.push((outcome.name.clone(), compile(&outcome.when, &mut paths)?));
        }
        let has_status_check = checks.iter().any(Test::is_of_status);
        let needs_body = checks.iter().chain(outcomes.iter().map(|(_, when)| when)).any(Test::is_of_body)
            || extracts.iter().any(|extract| !matches!(extract.from, Whence::Header(_)));
        Ok(Self { paths, extracts, checks, outcomes, has_status_check, needs_body })
    }

    /// Whether the whole body has to be kept.
    pub(crate) fn needs_body(&self) -> bool {
        self.needs_body
    }

    /// Judges an answer and stores what is extracted. The status comes first: an answer that failed by its status is
    /// not searched for values. `found` is room for what stands in the body.
    pub(crate) fn read(
        &self,
        reply: &Reply<'_>,
        kept: &mut Kept,
        found: &mut Found,
    ) -> Result<Verdict<'_>, Fault> {
        let bare = Subject { reply, json: None };
        for check in self.checks.iter().filter(|check| check.is_of_status()) {
            if !check.holds(&bare) {
                return Err(fault(ErrorClass::CheckFailed, check.why_not(&bare, &self.paths)));
            }
        }
        let by_status = reply.by_status().filter(|_| !self.has_status_check);
        if let Some(class) = by_status.filter(|_| self.outcomes.is_empty()) {
            return Err(reply.status_fault(class));
        }
        let json = !self.paths.is_empty() && self.paths.find(reply.body, found).is_ok();
        let subject = Subject { reply, json: json.then_some(&*found) };
        let fits = |(_, when): &&(String, Test)| when.holds(&subject);
        let outcome = self.outcomes.iter().find(fits).map(|(name, _)| name.as_str());
        if let Some(class) = by_status.filter(|_| outcome.is_none()) {
            return Err(reply.status_fault(class));
        }
        if let Some(check) = self.checks.iter().find(|check| !check.is_of_status() && !check.holds(&subject))
        {
            return Err(fault(ErrorClass::CheckFailed, check.why_not(&subject, &self.paths)));
        }
        let mut ends = false;
        for extract in &self.extracts {
            match self.take(extract, &subject, kept)? {
                true => {}
                false if outcome.is_some() => ends = true,
                false => return Err(fault(ErrorClass::ExtractFailed, self.nothing(extract, &subject))),
            }
        }
        Ok(Verdict { outcome, ends })
    }

    /// Stores one value; whether there is one.
    fn take(&self, extract: &Extract, of: &Subject<'_>, kept: &mut Kept) -> Result<bool, Fault> {
        let mut set = |value: &[u8]| kept.set(extract.slot, value);
        let stored = match &extract.from {
            Whence::Json(path) => {
                of.json.and_then(|found| found.as_text(found.get(*path)?, |text| set(text.as_bytes())))
            }
            Whence::Regex(regex) => matched(regex, of.reply.body).map(|part| set_text(part, &mut set)),
            Whence::Header(name) => of.reply.heads.get(name).map(|value| set_text(value, &mut set)),
        };
        let stored = match (stored, &extract.default) {
            (None, Some(default)) => Some(set(default)),
            (stored, _) => stored,
        };
        match stored {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(_)) => {
                let detail = format!("a value is longer than {EXTRACTED_MAX_BYTES} bytes");
                Err(fault(ErrorClass::ExtractFailed, detail))
            }
        }
    }

    fn nothing(&self, extract: &Extract, of: &Subject<'_>) -> String {
        match &extract.from {
            Whence::Json(_) if of.json.is_none() => of.why_no_json().to_owned(),
            Whence::Json(path) => format!("nothing at {}", self.paths.text(*path)),
            Whence::Regex(regex) => format!("the body does not match /{regex}/"),
            Whence::Header(name) => format!("there is no header {name}"),
        }
    }
}

/// The first group of the first match, or the whole match when the expression has no group.
fn matched<'t>(regex: &Regex, text: &'t [u8]) -> Option<&'t [u8]> {
    if regex.captures_len() == 1 {
        return regex.find(text).map(|found| found.as_bytes());
    }
    regex.captures(text)?.get(1).map(|group| group.as_bytes())
}

/// Values are text: other bytes are replaced as [`String::from_utf8_lossy`] does.
fn set_text<T>(value: &[u8], set: &mut impl FnMut(&[u8]) -> T) -> T {
    set(String::from_utf8_lossy(value).as_bytes())
}

#[cfg(test)]
mod tests;
