//! gRPC targets and calls.

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::{Check, MessageTypes, Node, Part, Plan, Request, Template};
use peakdrill_scenarios::{describe, render_human};

use super::read;

fn drill(target: &str, steps: &str) -> String {
    format!(
        "version: 1\nname: x\ntargets: {{ risk: {{ {target} }} }}\n\
         feeders: {{ users: {{ csv: data/users.csv, order: zipf(1.1), scope: shared }} }}\n\
         journeys:\n  home:\n    steps:\n{steps}\
         load: {{ phases: [ {{ name: p, shape: {{ hold: {{ rate: 10/s, for: 10s }} }} }} ] }}\n"
    )
}

fn plan(text: &str) -> Plan {
    let parsed = read("drill.yaml", text);
    assert!(parsed.plan.is_some(), "{}", render_human(&parsed.diagnostics, false));
    parsed.plan.unwrap()
}

fn call(plan: &Plan) -> &Request {
    match &plan.journeys[0].steps[0] {
        Node::Request(request) => request,
        other => panic!("not a request: {other:?}"),
    }
}

const FILES: &str =
    "base_url: \"grpc://Risk.Test:8443/\", proto: [./proto/risk/v1/risk.proto, proto/common/v1/money.proto]";

#[test]
fn a_call_is_a_request_with_the_json_of_its_message() {
    let plan = plan(&drill(
        FILES,
        "      - grpc:\n          method: /risk.v1.Risk/Score\n          metadata: { X-Tenant: a }\n          bearer: \"${uuid:me}\"\n          \
         message: { uid: \"${users.uid}\", orderId: 12, amount: { units: \"${index}\" }, channel: APP }\n          \
         extract: { score: $.score }\n          timeout: 1s\n          \
         check: [\"grpc_status in [0, not_found]\", \"grpc_status != 14\", \"messages == 1\", \"header x-a present\"]\n          \
         outcome: { gone: grpc_status == NOT_FOUND }\n",
    ));
    assert_eq!(plan.targets[0].base_url, "grpc://risk.test:8443");
    assert_eq!(plan.steps[0].step, "/risk.v1.Risk/Score");
    let call = call(&plan);
    assert_eq!((call.method.as_str(), call.grpc.as_deref()), ("POST", Some("risk.v1.Risk/Score")));
    assert_eq!(call.path, Template::literal("/risk.v1.Risk/Score"));
    assert_eq!(call.headers[0], ("x-tenant".to_owned(), Template::literal("a")));
    assert_eq!(call.headers[1].0, "authorization");
    let text = |text: &str| Part::Literal(text.to_owned());
    let body = [
        text("{\"uid\":\""),
        Part::Feeder { feeder: 0, column: 0 },
        text("\",\"orderId\":12,\"amount\":{\"units\":\""),
        Part::Index,
        text("\"},\"channel\":\"APP\"}"),
    ];
    assert_eq!(call.body.as_ref().unwrap().0, body);
    assert_eq!(call.checks[0], Check::GrpcStatusIn(vec![0, 5]));
    assert_eq!(call.checks[1], Check::GrpcStatus { op: Op::Ne, value: 14 });
    assert_eq!(call.checks[2], Check::Messages { op: Op::Eq, count: 1 });
    assert_eq!(call.outcomes[0].when, Check::GrpcStatus { op: Op::Eq, value: 5 });
    assert_eq!((call.extract.len(), call.timeout_ns), (1, Some(1_000_000_000)));
}

#[test]
fn files_are_found_by_their_imports_in_folders_above() {
    let plan = plan(&drill(FILES, "      - grpc: { name: w, method: risk.v1.Risk/Watch }\n"));
    let Some(MessageTypes::Files(set)) = &plan.targets[0].types else { panic!("no files") };
    assert_eq!(set.files, ["proto/risk/v1/risk.proto", "proto/common/v1/money.proto"]);
    let schema = peakdrill_wire_grpc::Schema::decode(&set.content).unwrap();
    assert!(schema.method("risk.v1.Risk/Watch").unwrap().is_server_streaming());
    assert_eq!(call(&plan).body, Some(Template::literal("{}")));
    assert_eq!(plan.steps[0].step, "w");
    let text = describe(&plan);
    assert!(
        text.contains("    gRPC, types of proto/risk/v1/risk.proto, proto/common/v1/money.proto"),
        "{text}"
    );
    let written = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&written).unwrap();
    let Some(MessageTypes::Files(read)) = &again.targets[0].types else { panic!("no files") };
    assert_eq!((&read.sha256, read.content.len()), (&set.sha256, 0));
}

#[test]
fn of_a_server_that_is_asked_nothing_is_known_before() {
    let plan = plan(&drill(
        "base_url: \"grpcs://[::1]\", reflection: true",
        "      - grpc: { method: any.Thing/Goes, message: { not: known } }\n",
    ));
    assert_eq!(
        (plan.targets[0].base_url.as_str(), &plan.targets[0].types),
        ("grpcs://[::1]", &Some(MessageTypes::Reflection))
    );
    assert!(describe(&plan).contains("types as the server tells them"));
}

#[test]
fn findings_name_the_place_in_a_proto_file_and_what_could_be_meant() {
    let shown = |target: &str, step: &str| {
        let parsed = read("drill.yaml", &drill(target, step));
        assert!(parsed.plan.is_none());
        render_human(&parsed.diagnostics, false)
    };
    let file = |name: &str| {
        shown(
            &format!("base_url: \"grpc://x:1\", proto: [proto/{name}.proto]"),
            "      - grpc: { method: a.B/C }\n",
        )
    };
    assert!(
        file("broken").contains("proto/broken.proto:3:3: name 'strin' is not defined"),
        "{}",
        file("broken")
    );
    assert!(file("syntax").contains("proto/syntax.proto:3:14: expected"), "{}", file("syntax"));
    assert!(file("lost").contains("`proto/lost.proto` imports `nowhere.proto`, which is not there"));
    assert!(file("round").contains("import"), "{}", file("round"));
    let twice = "base_url: \"grpc://x:1\", proto: [proto/twice/a/asked.proto, proto/twice/b/asked.proto]";
    let text = shown(twice, "      - grpc: { method: a.B/C }\n");
    let both =
        "`proto/twice/a/kinds.proto` and `proto/twice/b/kinds.proto` are both imported as `kinds.proto`";
    assert!(text.contains("E0430") && text.contains(both), "{text}");
    let call = |step: &str| shown(FILES, step);
    let text = call("      - grpc: { method: risk.v1.Risk/Scor }\n");
    assert!(
        text.contains("the service `risk.v1.Risk` has no method `Scor`")
            && text.contains("did you mean `Score`?"),
        "{text}"
    );
    let text = call("      - grpc: { method: risk.v1.Risk/Report }\n");
    assert!(text.contains("takes a stream of messages from the client"), "{text}");
    let text = call("      - grpc: { method: risk.v1.Risk/Score, message: { uidd: x, channel: APB } }\n");
    assert!(
        text.contains("`risk.v1.Asked` has no field `uidd`") && text.contains("did you mean `uid`?"),
        "{text}"
    );
    assert!(text.contains("did you mean `APP`?"), "{text}");
}
