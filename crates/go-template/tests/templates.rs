//! Templates, as Go's `text/template` with sprig 3.3 was recorded to execute
//! them, and what no template may do.
//!
//! `templates.jsonl` holds generated templates, calls of every
//! function and pieces of syntax put together by chance, with Go's text or the
//! word that there was an error. Of 136,000 such templates, those answered
//! differently here print an address, show a zone as `time.Local`, hold an
//! imaginary number, or cut a character in two before a function of words or
//! paths.

#![cfg(feature = "sprig")]

use std::rc::Rc;
use std::thread;

use go_template::error::{Cause, Error};
use go_template::time::Time;
use go_template::value::{Field, Key, Map, Struct, TEXT_MAP, Value as Data};
use go_template::{Limits, Template};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

/// Stack for templates that call one another as deep as they may, in bytes.
const STACK: usize = 128 << 20;

/// What a template sees: `.Values`, and other fields that are empty.
fn data() -> Data {
    let values = [("a", "1"), ("b", "")].map(|(key, value)| (Key::text(key), Data::text(value)));
    let none = Data::Map(Map::new(&TEXT_MAP, Default::default()));
    let changed = Struct {
        fields: vec![Field::new("FileChanges", none)],
        ..Struct::default()
    };
    Data::Struct(Rc::new(Struct {
        name: "source.TemplateData",
        fields: vec![
            Field::new("AutomationObject", Data::text("flux-system/auto")),
            Field::new("Changed", Data::Struct(Rc::new(changed))),
            Field::new("Values", Data::Map(Map::new(&TEXT_MAP, values.into()))),
        ],
        ..Struct::default()
    }))
}

fn render(template: &str) -> Result<String, Error> {
    let now = Time::utc("2026-11-21T10:36:02Z".parse().expect("a time"));
    thread::scope(|scope| {
        let render = || Template::parse(template, &[], Limits::default())?.execute(&data(), &now);
        let thread = thread::Builder::new().stack_size(STACK);
        let running = thread.spawn_scoped(scope, render).expect("a thread");
        running.join().expect("no panic")
    })
}

#[test]
fn templates_give_what_go_gives() {
    let rows = include_str!("templates.jsonl");
    let mut count = 0;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).expect("JSON");
        let template = row["template"].as_str().expect("a template");
        let ours = render(template);
        match row["text"].as_str() {
            Some(text) => assert_eq!(ours.as_deref(), Ok(text), "{template}"),
            None => assert!(ours.is_err(), "{template} gives {ours:?}"),
        }
        count += 1;
    }
    assert!(count > 1500, "only {count} rows");
}

#[test]
fn what_does_not_end_is_ended() {
    for template in [
        r#"{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}"#,
        r#"{{ define "x" }}{{ if true }}{{ template "x" (list .) }}{{ end }}{{ end }}{{ template "x" 1 }}"#,
        "{{ repeat 1000000000 \"x\" }}",
        "{{ repeat 1000 (repeat 1000 (repeat 1000 \"x\")) }}",
        "{{ indent 1000000000 \"x\" }}",
        "{{ until 1000000000 | len }}",
        "{{ untilStep 0 9223372036854775807 1 | len }}",
        "{{ seq 1 1000000000 | len }}",
        "{{ range 1000000000 }}{{ end }}",
        "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}",
        "{{ range 1000000 }}0123456789{{ end }}",
        "{{ $x := list 1 }}{{ range 1000 }}{{ $x = list $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range 90 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
        "{{ $x := list 1 }}{{ range 90 }}{{ $x = list $x $x }}{{ end }}{{ deepCopy $x | len }}",
        "{{ $x := list 1 }}{{ range 90 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
        "{{ $x := list 1 }}{{ range 90 }}{{ $x = list $x $x }}{{ end }}{{ deepEqual $x (list $x) }}{{ deepEqual (deepCopy $x) $x }}",
        r#"{{ $d := dict }}{{ $_ := set $d "me" $d }}{{ $d }}"#,
        r#"{{ $d := dict }}{{ $_ := set $d "me" $d }}{{ toJson $d }}"#,
        r#"{{ $d := dict }}{{ $_ := set $d "me" $d }}{{ deepCopy $d }}"#,
        r#"{{ $d := dict }}{{ $e := dict "me" $d }}{{ $_ := set $d "me" $e }}{{ merge $d $e }}{{ deepEqual $d $e }}"#,
        r#"{{ printf "%1000000d%1000000d" 1 2 }}"#,
        r#"{{ replace "" (repeat 100000 "y") (repeat 100000 "x") }}"#,
        r#"{{ join (repeat 100000 "y") (until 100000) }}"#,
        r#"{{ regexReplaceAll "" (repeat 100000 "x") (repeat 100000 "y") }}"#,
        r#"{{ range until 100000 }}{{ $x := regexMatch (printf "(a{1,999}){%d}" .) "aaaa" }}{{ end }}"#,
        r#"{{ wrapWith 1 (repeat 100000 "y") (repeat 100000 "x") }}"#,
    ] {
        let error = render(template).expect_err(template);
        assert_eq!(error.cause, Cause::Limit, "{template}: {error}");
    }
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let nested = "{{ if true }}".repeat(100_000);
    let long = "x".repeat(2 << 20);
    for template in [format!("{{{{ {deep} }}}}"), nested, long] {
        let error = render(&template).expect_err("a limit");
        assert_eq!(error.cause, Cause::Limit, "{error}");
    }
}

#[test]
fn long_chains_of_dicts_are_freed() {
    let template = r#"{{ $first := dict }}{{ $here := $first }}{{ range 50000 }}{{ $next := dict }}{{ $_ := set $here "n" $next }}{{ $here = $next }}{{ end }}ok"#;
    assert_eq!(render(template).as_deref(), Ok("ok"));
}

#[test]
fn what_needs_keys_or_chance_is_refused_by_name() {
    for call in [
        "bcrypt \"x\"",
        "htpasswd \"a\" \"b\"",
        "randInt 1 2",
        "shuffle \"abc\"",
        "genPrivateKey \"rsa\"",
        "genCA \"ca\" 1",
        "genCAWithKey \"ca\" 1 \"k\"",
        "genSelfSignedCert \"x\" nil nil 1",
        "genSelfSignedCertWithKey \"x\" nil nil 1 \"k\"",
        "genSignedCert \"x\" nil nil 1 nil",
        "genSignedCertWithKey \"x\" nil nil 1 nil \"k\"",
        "buildCustomCert \"c\" \"k\"",
        "derivePassword 1 \"long\" \"p\" \"u\" \"s\"",
    ] {
        let name = call.split(' ').next().expect("a name");
        let error = render(&format!("{{{{ {call} }}}}")).expect_err(call);
        assert!(
            error
                .message
                .contains(&format!("`{name}` is not supported")),
            "{error}"
        );
    }
    // sprig's own ciphertexts are read, and ours are the same every time.
    assert_eq!(
        render(r#"{{ encryptAES "key" "plain" | decryptAES "key" }}"#).as_deref(),
        Ok("plain")
    );
}

#[test]
fn errors_say_where() {
    for (template, line, column) in [
        ("a\nb {{ foo }}", 2, 6),
        ("é{{ .Nope }}", 1, 5),
        ("x\n\n{{ if true }}\n  {{ fail \"no\" }}{{ end }}", 4, 6),
        ("{{ range .Values }}\n{{ .x }}{{ end }}", 2, 4),
        ("{{ if }}x{{ end }}", 1, 7),
        ("{{ \"a\n\" }}", 1, 4),
        ("\n{{ end }}", 2, 1),
    ] {
        let error = render(template).expect_err(template);
        let place = (error.position.line, error.position.column);
        assert_eq!(place, (line, column), "{template}: {error}");
    }
}

/// The same cases at every run, unless `PROPTEST_CASES` asks for others.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 256;
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_template_is_a_panic(pieces in proptest::collection::vec(prop_oneof![
        Just("{{".to_owned()), Just("}}".to_owned()), Just("{{-".to_owned()),
        Just(" -}}".to_owned()), Just("if".to_owned()), Just("range".to_owned()),
        Just("end".to_owned()), Just("else".to_owned()), Just("$x".to_owned()),
        Just(":=".to_owned()), Just("|".to_owned()), Just(".Values".to_owned()),
        Just("printf \"%*.*v\"".to_owned()), Just("index".to_owned()),
        Just("/*".to_owned()), Just("*/".to_owned()), "[ -~é\\n]{0,6}",
    ], 0..24)) {
        // Whatever it is, it comes back.
        _ = render(&pieces.join(" "));
    }
}
