//! Credentials and connections that different people named: a pull request must
//! not lead a login of the user's own through its proxy.

use std::fs;
use std::process::Output;

use super::client::PASSWORD;
use super::commands::{
    AUTH, DEPLOY, POLICY, Place, REPOSITORY, closed_registry, open_registry, policy_of_a_team,
    said, secret,
};
use super::server::{Reply, Server, identity};
use super::support::{code, feed, stderr, stdout};

const DIFF: &[&str] = &["update", ".", "--diff", "--no-cache"];
const TRUST: &str = "--trust-connection";

/// A proxy that gives a list to whoever asks it for one.
fn proxy() -> Server {
    Server::start(|asked| match asked.at.as_str() {
        "http://registry.example/v2/acme/app/tags/list?n=1000" => Reply::tags(&["1.0.0", "1.6.6"]),
        _ => Reply::Close,
    })
}

fn proxy_secret(proxy: &Server, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: proxy, namespace: flux-system}}\nstringData: {{address: 'http://{}'{more}}}\n",
        proxy.host()
    )
}

fn ca_secret(ca: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: tls, namespace: flux-system}}\nstringData:\n  ca.crt: |\n    {}\n",
        ca.replace('\n', "\n    ")
    )
}

/// A checkout of `registry.example/acme/app` with more in `spec`, and a login of
/// the user's own for that host.
fn checkout(server: &Server, host: &str, spec: &str) -> Place {
    let mut place = Place::usual(server, "");
    place.host = host.to_owned();
    let documents = format!("{REPOSITORY}{POLICY}");
    let documents = documents.replace("interval: 5m", &format!("interval: 5m{spec}"));
    place.write("policies.yaml", &documents);
    place.write("deploy.yaml", DEPLOY);
    let login = format!(r#"{{"auths":{{"HOST":{{"auth":"{AUTH}"}}}}}}"#);
    place.docker(&login, None);
    place
}

/// Nothing that a server was sent holds the password, in any header or body.
fn saw_no_password(server: &Server) {
    for asked in server.asked() {
        let all = format!("{asked:?}");
        assert!(!all.contains(PASSWORD) && !all.contains(AUTH), "{all}");
        assert_eq!(asked.header("authorization"), None, "{all}");
    }
}

fn expect(output: &Output, exit: i32, words: &[&str]) {
    let text = said(output);
    assert_eq!(code(output), exit, "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_proxy_of_the_tree_sees_no_login_of_the_user() {
    let proxy = proxy();
    let place = checkout(
        &proxy,
        "registry.example",
        ", insecure: true, proxySecretRef: {name: proxy}",
    );
    place.write("proxy.yaml", &proxy_secret(&proxy, ""));
    // A list may be public, so it is asked for without.
    let output = place.run(DIFF);
    expect(
        &output,
        0,
        &[
            "acme/app:1.6.6",
            "is asked without credentials: Docker's own login for `registry.example` is not sent",
            "the proxy is named by Secret `flux-system:proxy` (at proxy.yaml:1:1)",
            "--trust-connection registry.example",
        ],
    );
    assert!(!proxy.asked().is_empty());
    saw_no_password(&proxy);
    // Unless the user says that it is as good as their own word.
    let output = place.run(&[DIFF, &[TRUST, "registry.example"]].concat());
    expect(&output, 0, &["acme/app:1.6.6"]);
    let sent = |asked: &super::server::Asked| asked.header("authorization").is_some();
    assert!(!proxy.asked().iter().any(sent), "nobody asked for a login");
}

/// The same proxy, which wants a login before it gives a list.
#[test]
fn with_the_flag_the_login_goes_along() {
    let wants = Server::start(|asked| match asked.header("authorization") {
        Some(_) => Reply::tags(&["1.0.0", "1.1.0"]),
        None => Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""),
    });
    let place = checkout(
        &wants,
        "registry.example",
        ", insecure: true, proxySecretRef: {name: proxy}",
    );
    place.write("proxy.yaml", &proxy_secret(&wants, ""));
    expect(
        &place.run(DIFF),
        3,
        &["access without credentials is denied"],
    );
    saw_no_password(&wants);
    for host in [
        "registry.example",
        "REGISTRY.example",
        "registry.example:443",
    ] {
        let output = place.run(&[DIFF, &[TRUST, host]].concat());
        expect(&output, 0, &["acme/app:1.1.0"]);
    }
    for host in ["registry.example:5000", "other.example", "example"] {
        expect(&place.run(&[DIFF, &[TRUST, host]].concat()), 3, &[]);
    }
}

#[test]
fn a_ca_of_the_tree_sees_no_login_of_the_user() {
    let theirs = identity();
    let server = Server::start_tls(&theirs, None, |_| Reply::tags(&["1.0.0", "1.6.6"]));
    let place = checkout(&server, &server.host(), ", certSecretRef: {name: tls}");
    place.write("tls.yaml", &ca_secret(&theirs.ca));
    let output = place.run(DIFF);
    expect(
        &output,
        0,
        &[
            "the CA is named by Secret `flux-system:tls`",
            "`SSL_CERT_FILE`",
        ],
    );
    saw_no_password(&server);
    // A Secret that a flag gives is not good enough for the user's own login.
    fs::rename(
        place.tree.path().join("tls.yaml"),
        place.home.path().join("tls.yaml"),
    )
    .expect("moved");
    let given = place.home.path().join("tls.yaml");
    let given = given.to_str().expect("UTF-8");
    expect(
        &place.run(&[DIFF, &["--secret", given]].concat()),
        0,
        &["the CA is named by Secret `flux-system:tls`"],
    );
    saw_no_password(&server);
}

/// Plain http is asked for on loopback without a word, so what the document says
/// of it is the only thing that differs here.
#[test]
fn plain_http_of_the_tree_sees_no_login_of_the_user() {
    let server = closed_registry();
    let place = checkout(&server, &server.host(), ", insecure: true");
    expect(
        &place.run(DIFF),
        3,
        &[
            "`spec.insecure` of ImageRepository `flux-system:app` (at policies.yaml:1:1) allows plain http",
        ],
    );
    saw_no_password(&server);
    let place = checkout(&server, &server.host(), "");
    expect(&place.run(DIFF), 0, &["acme/app:1.1.0"]);
}

/// What a flag gives for a login that a document names is not asked for
/// without: the document says that there is one.
#[test]
fn a_given_secret_does_not_go_by_the_trees_proxy() {
    let proxy = proxy();
    let spec = ", insecure: true, secretRef: {name: login}, proxySecretRef: {name: proxy}";
    let place = checkout(&proxy, "registry.example", spec);
    place.write("proxy.yaml", &proxy_secret(&proxy, ""));
    let login = place.home.path().join("login.yaml");
    let text = secret("login", "registry.example", PASSWORD);
    fs::write(&login, &text).expect("written");
    let login = login.to_str().expect("UTF-8");
    let with_login = [DIFF, &["--secret", login]].concat();
    expect(
        &place.run(&with_login),
        2,
        &[
            "the credential of Secret `flux-system:login`",
            "the proxy is named by Secret `flux-system:proxy` (at proxy.yaml:1:1), which is trusted less",
            "--trust-connection registry.example",
        ],
    );
    assert_eq!(proxy.asked().len(), 0);
    // As whoever gives both has it; what the tree says of plain http stays.
    let given = place.home.path().join("proxy.yaml");
    fs::write(&given, proxy_secret(&proxy, "")).expect("written");
    let given = given.to_str().expect("UTF-8");
    let both = [&with_login[..], &["--secret", given]].concat();
    expect(
        &place.run(&both),
        2,
        &[
            "allows plain http",
            "give the ImageRepository with `--policies FILE`",
        ],
    );
    assert_eq!(proxy.asked().len(), 0);
    let all = [&both[..], &["--policies", "policies.yaml"]].concat();
    expect(&place.run(&all), 0, &["acme/app:1.6.6"]);
    // And as the tree has it, where all of it is the tree's.
    place.write("login.yaml", &text);
    expect(&place.run(DIFF), 0, &["acme/app:1.6.6"]);
}

#[test]
fn a_functions_items_name_no_proxy_for_its_secrets() {
    let proxy = proxy();
    let place = Place::new(&proxy, &[]);
    let login = place.home.path().join("login.yaml");
    fs::write(&login, secret("login", "registry.example", PASSWORD)).expect("written");
    let login = login.to_str().expect("UTF-8");
    let repository = REPOSITORY.replace(
        "interval: 5m",
        "interval: 5m, insecure: true, secretRef: {name: login}, proxySecretRef: {name: proxy}",
    );
    let input = format!(
        "{repository}{POLICY}---\n{DEPLOY}---\n{}",
        proxy_secret(&proxy, "")
    );
    let input = input.replace("HOST", "registry.example");
    let mut command = place.command(&["fn", "--secret", login]);
    let output = feed(&mut command, input.as_bytes());
    expect(
        &output,
        2,
        &["the proxy is named by Secret `flux-system:proxy`"],
    );
    assert_eq!(stdout(&output), input);
    assert_eq!(proxy.asked().len(), 0);
}

/// The functionConfig stands between: its repository may use a given proxy, and
/// the items' proxy may not see what it does.
#[test]
fn a_function_config_stands_between() {
    let proxy = proxy();
    let place = Place::new(&proxy, &[]);
    let list = |repository: &str, items: &str| {
        let repository = repository.replace('\n', "\n      ");
        format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: flux-image.dev/v1alpha1\n  kind: ImageUpdate\n  metadata: {{name: x}}\n  spec:\n    repositories:\n    - {}\nitems:\n{items}",
            repository.trim_end()
        )
    };
    let repository = REPOSITORY.replace("HOST", "registry.example").replace(
        "interval: 5m",
        "interval: 5m, insecure: true, secretRef: {name: login}",
    );
    let item = |text: &str| format!("- {}\n", text.trim().replace('\n', "\n  "));
    let policy = POLICY.trim_start_matches("---\n");
    let deploy = DEPLOY.replace("HOST", "registry.example");
    let login = item(&secret("login", "registry.example", PASSWORD));
    let rest = format!("{}{}", item(policy), item(&deploy));
    // Items' login, functionConfig's plain http: what is trusted less goes by
    // what is trusted more.
    let run = |repository: &str, items: &str, arguments: &[&str]| {
        let input = list(repository, items);
        let mut command = place.command(&[&["fn"], arguments].concat());
        let url = format!("http://{}", proxy.host());
        feed(
            command.env("HTTP_PROXY", &url).env("HTTPS_PROXY", &url),
            input.as_bytes(),
        )
    };
    let output = run(&repository, &format!("{rest}{login}"), &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // A given login is not for the functionConfig's plain http.
    let file = place.home.path().join("login.yaml");
    fs::write(&file, secret("login", "registry.example", PASSWORD)).expect("written");
    let before = proxy.asked().len();
    let output = run(
        &repository,
        &rest,
        &["--secret", file.to_str().expect("UTF-8")],
    );
    expect(&output, 2, &["allows plain http"]);
    assert_eq!(proxy.asked().len(), before);
}

/// A cloud's login is the user's: it is not even asked for.
#[test]
fn a_clouds_login_does_not_go_by_the_trees_proxy() {
    let proxy = proxy();
    for (provider, host) in [
        ("aws", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ("gcp", "us-docker.pkg.dev"),
        ("azure", "acme.azurecr.io"),
    ] {
        let spec = format!(", provider: {provider}, proxySecretRef: {{name: proxy}}");
        let place = checkout(&proxy, host, &spec);
        place.write("proxy.yaml", &proxy_secret(&proxy, ""));
        let mut command = place.command(DIFF);
        // Where the cloud would be asked for a login.
        let url = format!("http://{}", proxy.host());
        command.envs([
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", PASSWORD),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("GCE_METADATA_HOST", &proxy.host()),
            ("HTTPS_PROXY", &url),
        ]);
        let output = feed(&mut command, b"");
        expect(
            &output,
            2,
            &[
                &format!("the login of `provider: {provider}` is not sent"),
                "the proxy is named by Secret `flux-system:proxy`",
                &format!("--trust-connection {host}"),
            ],
        );
        assert_eq!(proxy.asked().len(), 0, "{provider}");
    }
}

/// A client certificate and a proxy's password are credentials, too.
#[test]
fn what_a_connection_shows_by_itself_is_a_credential() {
    let (ours, theirs) = (identity(), identity());
    let server = Server::start_tls(&theirs, Some(&ours.ca), |_| Reply::tags(&["1.0.0"]));
    let spec = ", certSecretRef: {name: tls}, proxySecretRef: {name: proxy}";
    let place = checkout(&server, &server.host(), spec);
    let proxy = proxy();
    place.write("proxy.yaml", &proxy_secret(&proxy, ""));
    let indent = |pem: &str| pem.replace('\n', "\n    ");
    let pair = format!(
        "  tls.crt: |\n    {}\n  tls.key: |\n    {}\n",
        indent(&ours.certificate),
        indent(&ours.key)
    );
    let given = place.home.path().join("given.yaml");
    fs::write(&given, format!("{}{pair}", ca_secret(&theirs.ca))).expect("written");
    let given = given.to_str().expect("UTF-8");
    expect(
        &place.run(&[DIFF, &["--secret", given]].concat()),
        2,
        &[
            "the client certificate of Secret `flux-system:tls`",
            "the proxy is named by",
        ],
    );
    assert_eq!(proxy.asked().len(), 0);

    // And the password for a given proxy, by a CA of the tree.
    place.write("tls.yaml", &ca_secret(&theirs.ca));
    fs::remove_file(place.tree.path().join("proxy.yaml")).expect("removed");
    let text = proxy_secret(&proxy, &format!(", username: u, password: {PASSWORD}"));
    fs::write(given, text).expect("written");
    expect(
        &place.run(&[DIFF, &["--secret", given]].concat()),
        2,
        &[
            "the proxy's password of Secret `flux-system:proxy`",
            "the CA is named by",
        ],
    );
    assert_eq!(proxy.asked().len(), 0);
}

/// A list that came by a proxy of somebody's is nobody else's.
#[test]
fn a_list_is_kept_for_its_connection() {
    let proxy = proxy();
    let spec = ", insecure: true, proxySecretRef: {name: proxy}";
    let place = checkout(&proxy, "registry.example", spec);
    place.write("proxy.yaml", &proxy_secret(&proxy, ""));
    let cached = ["update", ".", "--diff", "--cache", "../kept"];
    let kept = place.home.path().join("kept");
    let cached = cached.map(|word| {
        if word == "../kept" {
            kept.to_str().expect("UTF-8")
        } else {
            word
        }
    });
    expect(&place.run(&cached), 0, &["acme/app:1.6.6"]);
    let asked = proxy.asked().len();
    expect(&place.run(&cached), 0, &["acme/app:1.6.6"]);
    assert_eq!(proxy.asked().len(), asked, "it was kept");
    let documents = format!("{REPOSITORY}{POLICY}");
    place.write(
        "policies.yaml",
        &documents.replace("interval: 5m", "interval: 5m, insecure: true"),
    );
    let output = place.run(&[&cached[..], &["--offline"]].concat());
    assert!(!said(&output).contains("1.6.6"), "{}", said(&output));
}

/// One namespace's Secret is not another's because it names none.
#[test]
fn a_secret_without_a_namespace_is_for_one() {
    let server = closed_registry();
    let place = Place::usual(&server, ", secretRef: {name: login}");
    let text = secret("login", &server.host(), PASSWORD).replace(", namespace: flux-system", "");
    let given = place.home.path().join("login.yaml");
    fs::write(&given, &text).expect("written");
    let given = given.to_str().expect("UTF-8");
    let run = || place.run(&[DIFF, &["--secret", given]].concat());
    expect(&run(), 0, &["acme/app:1.1.0"]);
    let before = server.asked().len();
    // A tenant refers to the name, too.
    let tenant = REPOSITORY
        .replace("flux-system", "tenant")
        .replace("interval: 5m", "interval: 5m, secretRef: {name: login}");
    place.write("tenant.yaml", &tenant);
    expect(
        &run(),
        2,
        &[
            "names no namespace, and is referred to in several: `flux-system`, `tenant`",
            "write `metadata.namespace` in it",
        ],
    );
    assert_eq!(server.asked().len(), before);
    // Which is well where the tenant has one of its own.
    let own = secret("login", &server.host(), "wrong").replace("flux-system", "tenant");
    place.write("own.yaml", &own);
    expect(&run(), 0, &["acme/app:1.1.0"]);
}

/// Who asks for access does not write the labels that grant it.
#[test]
fn a_namespace_of_the_tree_opens_no_given_repository() {
    let server = open_registry();
    let access = ", accessFrom: {namespaceSelectors: [{matchLabels: {tier: gold}}]}";
    let repository = REPOSITORY.replace("interval: 5m", &format!("interval: 5m{access}"));
    let labels = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team, labels: {tier: gold}}\n";
    let deploy = DEPLOY.replace("flux-system:app", "team:app");
    let place = Place::new(
        &server,
        &[("deploy.yaml", &deploy), ("namespace.yaml", labels)],
    );
    place.write("policy.yaml", &policy_of_a_team());
    place.write("repository.yaml", &repository);
    expect(&place.run(DIFF), 0, &["acme/app:1.1.0"]);
    let given = place.home.path().join("given.yaml");
    let file = given.to_str().expect("UTF-8");
    fs::write(&given, repository.replace("HOST", &server.host())).expect("written");
    expect(
        &place.run(&[DIFF, &["--policies", file]].concat()),
        2,
        &["access denied: `accessFrom`", "or by a flag"],
    );
    fs::write(
        &given,
        format!(
            "{}---\n{labels}",
            repository.replace("HOST", &server.host())
        ),
    )
    .expect("written");
    expect(
        &place.run(&[DIFF, &["--policies", file]].concat()),
        0,
        &["acme/app:1.1.0"],
    );
}
