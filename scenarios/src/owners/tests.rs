use proptest::prelude::*;

use super::*;

fn owner(team: &str, runbook: Option<&str>, criticality: Option<&str>) -> Owner {
    let (runbook, criticality) = (runbook.map(str::to_owned), criticality.map(str::to_owned));
    Owner { team: team.to_owned(), runbook, criticality }
}

fn errors(text: &str) -> Vec<String> {
    read_owners("o.yaml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn our_own_form_is_short_or_long() {
    let text = "version: 1\nowners:\n  order: team-order\n  postgresql@db-1:\n    team: dba\n    \
                runbook: https://r.example.com/db\n    criticality: tier 1\n";
    let owners = read_owners("o.yaml", text).unwrap();
    assert_eq!(owners.nodes["order"], owner("team-order", None, None));
    assert_eq!(
        owners.nodes["postgresql@db-1"],
        owner("dba", Some("https://r.example.com/db"), Some("tier 1"))
    );
    assert_eq!((owners.v, owners.nodes.len()), (OWNERS_VERSION, 2));
}

#[test]
fn catalogue_files_name_components_and_resources() {
    let text = "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: stock\n  labels: { example.com/criticality: high }\n  \
                links:\n    - { url: \"https://wiki.example.com\", title: Wiki }\n    - { url: \"javascript:alert(1)\", title: Runbook }\n    \
                - { url: \"https://r.example.com/stock\", title: The stock Runbook }\nspec: { type: service, lifecycle: production, owner: \"group:default/team-stock\" }\n\
                ---\napiVersion: backstage.io/v1alpha1\nkind: Resource\nmetadata: { name: stock-db, annotations: { peakdrill/nodes: \"postgresql@db-1, stock-db\" } }\n\
                spec: { type: database, lifecycle: production, owner: data/dba }\n\
                ---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: { name: team-stock }\nspec: { type: team, children: [] }\n";
    let owners = read_owners("catalog-info.yaml", text).unwrap();
    assert_eq!(owners.nodes["stock"], owner("team-stock", Some("https://r.example.com/stock"), Some("high")));
    assert_eq!(owners.nodes["postgresql@db-1"], owner("data/dba", None, Some("production")));
    assert_eq!(
        owners.nodes.keys().map(String::as_str).collect::<Vec<_>>(),
        ["postgresql@db-1", "stock", "stock-db"]
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "version: 1\nowners:\n  order: { teem: a }\n  stock: { team: x, runbook: \"javascript:alert(1)\" }\n  \
                bank:\n  pay: { team: [] }\n";
    assert_eq!(
        errors(text),
        [
            "o.yaml:3:12: unknown key: expected `team`, `runbook` or `criticality`",
            "o.yaml:3:3: `order` has no `team`: say who is to be told",
            "o.yaml:4:30: expected an address that begins with https:// or http://",
            "o.yaml:5:7: expected a team, or a mapping with `team`, found nothing",
            "o.yaml:6:16: expected the name of a team, found a list",
        ]
    );
}

#[test]
fn what_is_no_owners_file_says_what_one_is() {
    for (text, wanted) in [
        ("- a\n", "found a list"),
        ("owners: { a: b }\n", "no `version: 1`"),
        ("version: 2\nowners: { a: b }\n", "expected `version: 1`, the only one there is"),
        ("version: 1\n", "no `owners:`"),
        ("version: 1\nowners: 3\n", "expected a mapping of nodes to owners, found a number"),
        ("version: 1\nowners: { a: b, a: c }\n", "`a` has an owner already"),
        ("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: { name: a }\n", "no `spec.owner`"),
        ("apiVersion: backstage.io/v1alpha1\nkind: Component\n", "no `metadata.name`"),
        ("a: [\n", "o.yaml:"),
    ] {
        let said = errors(text).join("\n");
        assert!(said.contains(wanted), "{text}: {said}");
    }
    assert!(read_owners("o.yaml", "").unwrap().nodes.is_empty());
}

#[test]
fn long_texts_are_refused() {
    let long = "x".repeat(MAX_OWNER_CHARS + 1);
    let said = errors(&format!("version: 1\nowners: {{ a: {long} }}\n")).join("\n");
    assert!(said.contains("longer than"), "{said}");
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(pieces in prop::collection::vec(prop_oneof![
        Just("version: 1\n".to_owned()), Just("owners:\n".to_owned()), Just("  a: b\n".to_owned()),
        Just("  b: { team: c, runbook: https://x }\n".to_owned()), Just("---\n".to_owned()),
        Just("apiVersion: backstage.io/v1\nkind: Component\n".to_owned()), Just("metadata: { name: a }\n".to_owned()),
        Just("spec: { owner: c }\n".to_owned()), "[ -~äé\n:&*{}\\[\\]]{0,12}",
    ], 0..12)) {
        match read_owners("o.yaml", &pieces.concat()) {
            Ok(owners) => prop_assert!(owners.nodes.values().all(|owner| !owner.team.is_empty())),
            Err(errors) => prop_assert!(!errors.is_empty() && errors.iter().all(|e| e.place >= (1, 1))),
        }
    }
}
