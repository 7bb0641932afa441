//! Whether the endpoints whose metrics are fetched can be read. A drill runs without them, but its reader is told.

use peakdrill_collector::scrape::look;
use peakdrill_drill_model::plan::Plan;

use crate::error::ControlError;
use crate::preflight::Findings;

/// Looks at each endpoint once.
pub(super) fn check(
    plan: &Plan,
    received: bool,
    findings: &mut Findings,
    pulse: &dyn Fn(&str) -> Result<(), ControlError>,
) -> Result<(), ControlError> {
    let scrapes = &plan.telemetry.scrape;
    if !scrapes.is_empty() && !received {
        findings.warnings.push("no metrics are fetched, since the collector is off".to_owned());
        return Ok(());
    }
    for scrape in scrapes {
        let url = scrape.place();
        pulse(&format!("metrics of {url}"))?;
        match look(scrape) {
            Err(error) => findings.warnings.push(format!("metrics of {url}: {error}")),
            Ok(found) if found.samples == 0 => findings.warnings.push(format!(
                "metrics of {url}: none of them tells how full a processor, memory, pool, queue or cache is"
            )),
            Ok(found) => findings.passed.push(format!("metrics of {url}: {} of use", found.samples)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use peakdrill_drill_model::plan::{Scrape, Telemetry};

    use super::*;

    #[test]
    fn what_cannot_be_read_is_a_warning_and_so_is_a_collector_that_is_off() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let scrape = Scrape {
            url: format!("http://{gone}/metrics?token=s-123"),
            authority: gone.to_string(),
            path: "/metrics?token=s-123".to_owned(),
            service: None,
            every_ns: 1_000_000_000,
            tls: None,
        };
        let plan = Plan {
            telemetry: Telemetry { scrape: vec![scrape], traces_ppm: None },
            ..crate::testing::plan()
        };
        let said = RefCell::new(Vec::new());
        let pulse = |text: &str| {
            said.borrow_mut().push(text.to_owned());
            Ok(())
        };
        let mut findings = Findings::default();
        check(&plan, true, &mut findings, &pulse).unwrap();
        assert_eq!((findings.warnings.len(), said.borrow().len()), (1, 1), "{:?}", findings.warnings);
        assert!(findings.warnings[0].contains("cannot be reached"), "{:?}", findings.warnings);
        let shown = [&findings.warnings[0], &said.borrow()[0]].map(|text| text.contains("s-123"));
        assert_eq!(shown, [false; 2], "{:?}", findings.warnings);
        check(&plan, false, &mut findings, &pulse).unwrap();
        assert!(findings.warnings[1].contains("collector is off"));
        assert_eq!(said.borrow().len(), 1, "nothing is looked at then");
    }
}
