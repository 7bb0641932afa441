use super::{COMMENT_MAX_BYTES, append, comment, extract};
use crate::Refusal;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Header, baggage and traceparent values, one after another.
fn read(statement: &str) -> Result<Vec<String>, Refusal> {
    let carried = extract(statement.as_bytes())?;
    let claims = carried.claims();
    let fields = [claims.header, claims.baggage, claims.traceparent];
    let text = |value: &&[u8]| String::from_utf8_lossy(value).into_owned();
    Ok(fields.iter().flat_map(|field| field.values().iter().map(text)).collect())
}

#[test]
fn reads_quoted_and_bare_values() {
    for statement in [
        "SELECT 1 /*baggage='peakdrill%3Dx%2Ca%3D1',traceparent='00-ab'*/",
        "SELECT 1 /* baggage = 'peakdrill%3Dx%2Ca%3D1' , traceparent = '00-ab' */ ;\n",
        "SELECT 1 /*app='it\\'s%20me, x=1',baggage='peakdrill%3Dx%2Ca%3D1',db='',traceparent='00-ab'*/",
        "SELECT 1 /*baggage='peakdrill%3Dx%2Ca%3D1'*/ /* why */ /*traceparent='00-ab'*/",
        "SELECT 1 /*Baggage=peakdrill%3Dx%2Ca%3D1, TraceParent=00-ab*/",
    ] {
        assert_eq!(read(statement).unwrap(), ["peakdrill=x,a=1", "00-ab"], "{statement}");
    }
    assert_eq!(read("SELECT 1 /*peakdrill='pd1.x'*/").unwrap(), ["pd1.x"]);
    assert_eq!(read("SELECT 1 /* peakdrill=pd1.x */").unwrap(), ["pd1.x"]);
}

#[test]
fn prose_is_no_claim() {
    for statement in [
        "",
        "SELECT 1",
        "SELECT '/*traceparent=00-ab*/'",
        "SELECT 1 /*traceparent='00-ab'*/ FROM t",
        "SELECT 1 /* the passenger's baggage */",
        "SELECT 1 /* baggage='of 50% */",
        "SELECT 1 /* like '%x' */ /**/",
        "SELECT 1 /*a='1',b*/",
        "*/",
        "/*/",
    ] {
        assert!(extract(statement.as_bytes()).unwrap().is_empty(), "{statement}");
    }
}

#[test]
fn what_may_hide_a_claim_is_refused() {
    let long = format!("SELECT 1 /*traceparent='{}'*/", "0".repeat(COMMENT_MAX_BYTES));
    let many = format!("SELECT 1 /*traceparent='00-ab'*/ {}", "/**/".repeat(4));
    for statement in [
        "SELECT 1 /*traceparent='00-ab*/",
        "SELECT 1 /*traceparent='00-ab' x*/",
        "SELECT 1 /*traceparent='%zz'*/",
        "SELECT 1 /*tag='peakdrill%3Dx'*/",
        "SELECT 1 /*tag='%70eakdrill', note=pd1.x*/",
        "SELECT 1 /* peakdrill */",
        "SELECT 1 /* outer /*traceparent='00-ab'*/ */",
        &long,
        &many,
    ] {
        assert_eq!(read(statement), Err(Refusal::MalformedComment), "{statement:.60}");
    }
}

#[test]
fn writes_what_sqlcommenter_writes() {
    let parent = crate::Traceparent::parse(PARENT.as_bytes()).unwrap();
    let both = comment(Some("a=1,b='2'"), Some(&parent));
    assert_eq!(both, format!("/*baggage='a%3D1%2Cb%3D%272%27',traceparent='{PARENT}'*/"));
    assert_eq!(comment(None, None), "");
    assert_eq!(append("SELECT 1", "/*x*/"), "SELECT 1 /*x*/");
    assert_eq!(append("SELECT 1 ; \n", "/*x*/"), "SELECT 1 /*x*/;");
    assert_eq!(append("SELECT 1 -- why", "/*x*/"), "SELECT 1 -- why\n/*x*/");
    assert_eq!(append("SELECT 1 # why", "/*x*/"), "SELECT 1 # why\n/*x*/");
    assert_eq!(append("SELECT 1;", ""), "SELECT 1;");
}
