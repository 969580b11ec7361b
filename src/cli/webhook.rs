//! Which image a registry's webhook speaks of: payloads of Docker Hub, GitHub
//! packages, GitLab, Harbor, Quay, Nexus, Azure, AWS (EventBridge), Google (Pub/Sub),
//! of registries that send distribution's notifications, and CloudEvents around
//! any of them.
//!
//! Only what is pushed counts. A payload is read for the image and for nothing
//! else; who sent it is for the pipeline to check, before it hands it on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::selection::only::ImageSubject;

/// A longer payload is refused, in bytes.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;

/// Why a payload names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WebhookError {
    /// Over [`MAX_PAYLOAD`].
    #[error("the payload is longer than {MAX_PAYLOAD} bytes")]
    TooLong,
    /// It is no JSON object or list of one.
    #[error("the payload is not JSON: {0}")]
    NoJson(String),
    /// It is of nobody that is known.
    #[error(
        "the payload is not from a known registry (its fields: {0}); known are Docker Hub, GitHub packages, GitLab, Harbor, Quay, Nexus, Azure, ECR by EventBridge, Artifact Registry by Pub/Sub, distribution, and CloudEvents around them"
    )]
    Unknown(String),
    /// It tells of something else than a push.
    #[error("the payload of {sender} is about `{event}`, and only a push brings a tag")]
    NoPush {
        /// Whose payload it is.
        sender: &'static str,
        /// What happened.
        event: String,
    },
    /// A known payload without what it should have.
    #[error("the payload of {sender} lacks `{field}`")]
    Lacks {
        /// Whose payload it is.
        sender: &'static str,
        /// The field.
        field: String,
    },
}

type PushedImage = Result<ImageSubject, WebhookError>;

/// The image that a payload speaks of.
pub(super) fn subject(payload: &[u8]) -> PushedImage {
    if payload.len() > MAX_PAYLOAD {
        return Err(WebhookError::TooLong);
    }
    let value: Value =
        serde_json::from_slice(payload).map_err(|error| WebhookError::NoJson(error.to_string()))?;
    read(&value, 0)
}

/// Reads a payload, if it is one of this sender's.
type Read = fn(&'static str, &Value) -> Option<PushedImage>;

/// Who sends payloads, as messages call them.
const SENDERS: [(&str, Read); 10] = [
    ("Docker Hub", docker_hub),
    ("GitHub", github),
    ("GitLab", gitlab),
    ("Harbor", harbor),
    ("Quay", quay),
    ("Nexus", nexus),
    ("Azure", azure),
    ("ECR", ecr),
    ("Pub/Sub", google),
    ("distribution", distribution),
];
const CLOUD_EVENTS: &str = "CloudEvents";

/// Envelopes in envelopes end here.
const MAX_ENVELOPES: usize = 4;

fn read(value: &Value, depth: usize) -> PushedImage {
    // Event Grid sends lists.
    let value = match value {
        Value::Array(events) if events.len() == 1 => &events[0],
        value => value,
    };
    let Value::Object(fields) = value else {
        return Err(WebhookError::NoJson("expected an object".to_owned()));
    };
    if depth < MAX_ENVELOPES {
        let mut known = SENDERS.iter();
        if let Some(found) = known.find_map(|(sender, read)| read(sender, value)) {
            return found;
        }
        if let Some(found) = cloud_event(value, depth) {
            return found;
        }
    }
    // Names that somebody else chose, on one line.
    let names = fields.keys().take(12);
    let names = names.map(|name| name.chars().take(40).flat_map(char::escape_debug).collect());
    Err(WebhookError::Unknown(
        names.collect::<Vec<String>>().join(", "),
    ))
}

/// The text at a path of fields.
fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    let found = path.iter().try_fold(value, |value, name| value.get(name));
    found?.as_str().filter(|text| !text.is_empty())
}

fn need<'v>(
    sender: &'static str,
    value: &'v Value,
    path: &[&str],
) -> Result<&'v str, WebhookError> {
    text(value, path).ok_or_else(|| lacks(sender, &path.join(".")))
}

fn lacks(sender: &'static str, field: &str) -> WebhookError {
    let field = field.to_owned();
    WebhookError::Lacks { sender, field }
}

fn pushed(sender: &'static str, event: &str, pushes: &[&str]) -> Result<(), WebhookError> {
    let is_push = pushes.iter().any(|push| push.eq_ignore_ascii_case(event));
    if is_push {
        return Ok(());
    }
    let event = event
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect();
    Err(WebhookError::NoPush { sender, event })
}

fn image(name: impl Into<String>) -> PushedImage {
    Ok(ImageSubject::Image(name.into()))
}

fn docker_hub(sender: &'static str, value: &Value) -> Option<PushedImage> {
    value.get("push_data")?;
    let name = need(sender, value, &["repository", "repo_name"]);
    Some(name.and_then(|name| image(format!("docker.io/{name}"))))
}

fn github(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let field = ["package", "registry_package"]
        .into_iter()
        .find(|field| value.get(field).is_some_and(Value::is_object))?;
    let package = &value[field];
    text(package, &["package_type"])?;
    Some((|| {
        let event = text(value, &["action"]).unwrap_or_default();
        pushed(sender, event, &["published", "updated"])?;
        let kind = text(package, &["package_type"]).unwrap_or_default();
        pushed(sender, kind, &["container", "docker"])?;
        let url = text(package, &["package_version", "package_url"]);
        if let Some(url) = url.filter(|url| url.contains('/')) {
            return image(url.trim_end_matches(':'));
        }
        let namespace = need(sender, value, &[field, "namespace"])?;
        let name = need(sender, value, &[field, "name"])?;
        image(format!("ghcr.io/{namespace}/{name}").to_lowercase())
    })())
}

fn gitlab(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let event = text(value, &["object_kind"])?;
    Some((|| {
        pushed(sender, event, &["push", "tag_push"])?;
        let path = need(sender, value, &["project", "path_with_namespace"])?;
        Ok(ImageSubject::Project(path.to_owned()))
    })())
}

fn harbor(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let resources = value.get("event_data").or_else(|| {
        let kind = text(value, &["type"])?;
        value.get("data").filter(|_| kind.starts_with("harbor."))
    })?;
    Some((|| {
        let event = text(value, &["type"]).unwrap_or_default();
        pushed(
            sender,
            event,
            &["PUSH_ARTIFACT", "pushImage", "harbor.artifact.pushed"],
        )?;
        let first = resources.get("resources").and_then(|list| list.get(0));
        let url = first.and_then(|first| text(first, &["resource_url"]));
        let field = "event_data.resources[0].resource_url";
        image(url.ok_or_else(|| lacks(sender, field))?)
    })())
}

fn quay(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let url = text(value, &["docker_url"])?;
    let has_tags = value.get("updated_tags").is_some();
    Some(if has_tags {
        image(url)
    } else {
        pushed(sender, "an event without `updated_tags`", &[]).and_then(|()| image(url))
    })
}

/// A repository webhook of Nexus, for components or assets. It names no host, and
/// images are reached by a port, a host or a path of the repository's.
fn nexus(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let repository = text(value, &["repositoryName"])?;
    let kinds = ["component", "asset"];
    let (kind, what) = kinds
        .iter()
        .find_map(|kind| Some((*kind, value.get(kind).filter(|what| what.is_object())?)))?;
    Some((|| {
        let event = text(value, &["action"]).unwrap_or_default();
        pushed(sender, event, &["CREATED", "UPDATED"])?;
        let format = text(what, &["format"]).unwrap_or_default();
        pushed(sender, format, &["docker"])?;
        if kind == "component" {
            let name = need(sender, value, &[kind, "name"])?;
            return Ok(ImageSubject::hosted(repository, name.trim_matches('/')));
        }
        // `v2/acme/app/manifests/1.0.0`; a layer is of no image in particular.
        let asset = need(sender, value, &[kind, "name"])?;
        let manifest = asset.trim_start_matches('/').strip_prefix("v2/");
        let manifest = manifest.and_then(|rest| rest.rsplit_once("/manifests/"));
        match manifest {
            Some((name, _)) => Ok(ImageSubject::hosted(repository, name)),
            None => pushed(sender, asset, &[]).and_then(|()| image("")),
        }
    })())
}

fn azure(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let is_grid = ["eventType", "type"].iter().any(|field| {
        text(value, &[field]).is_some_and(|kind| kind.starts_with("Microsoft.ContainerRegistry."))
    });
    let event = if is_grid { value.get("data")? } else { value };
    event.get("target")?;
    event.get("request")?;
    Some((|| {
        let action = text(event, &["action"]).unwrap_or_default();
        pushed(sender, action, &["push"])?;
        let name = need(sender, event, &["target", "repository"])?;
        let host = need(sender, event, &["request", "host"])?;
        image(format!("{host}/{name}"))
    })())
}

fn ecr(sender: &'static str, value: &Value) -> Option<PushedImage> {
    text(value, &["source"]).filter(|source| *source == "aws.ecr")?;
    Some((|| {
        let detail = value.get("detail").unwrap_or(&Value::Null);
        let action = text(detail, &["action-type"]).unwrap_or_default();
        pushed(sender, action, &["PUSH"])?;
        if let Some(result) = text(detail, &["result"]) {
            pushed(sender, result, &["SUCCESS"])?;
        }
        let name = need(sender, value, &["detail", "repository-name"])?;
        let account = need(sender, value, &["account"])?;
        let region = need(sender, value, &["region"])?;
        let end = if region.starts_with("cn-") { ".cn" } else { "" };
        image(format!(
            "{account}.dkr.ecr.{region}.amazonaws.com{end}/{name}"
        ))
    })())
}

fn google(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let inner;
    let event = match text(value, &["message", "data"]) {
        Some(data) => {
            inner = STANDARD
                .decode(data)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())?;
            &inner
        }
        None => value,
    };
    let name = text(event, &["tag"]).or_else(|| text(event, &["digest"]))?;
    let action = text(event, &["action"])?;
    Some(pushed(sender, action, &["INSERT"]).and_then(|()| image(name)))
}

fn distribution(sender: &'static str, value: &Value) -> Option<PushedImage> {
    let events = value.get("events")?.as_array()?;
    let is_push = |event: &&Value| text(event, &["action"]) == Some("push");
    Some((|| {
        let Some(event) = events.iter().find(is_push) else {
            let first = events.first().and_then(|event| text(event, &["action"]));
            pushed(sender, first.unwrap_or("nothing"), &[])?;
            return image("");
        };
        let name = text(event, &["target", "repository"]);
        let name = name.ok_or_else(|| lacks(sender, "events[].target.repository"))?;
        let host = text(event, &["request", "host"]);
        let host = host.ok_or_else(|| lacks(sender, "events[].request.host"))?;
        image(format!("{host}/{name}"))
    })())
}

/// A CloudEvent around another payload, or one that names an image itself:
/// CDEvents do by a package URL, others in `data.image` or `subject`.
fn cloud_event(value: &Value, depth: usize) -> Option<PushedImage> {
    let is_cdevent = text(value, &["context", "type"])
        .is_some_and(|kind| kind.starts_with("dev.cdevents.artifact."));
    if is_cdevent {
        let id = need(CLOUD_EVENTS, value, &["subject", "id"]);
        return Some(id.and_then(package_url));
    }
    text(value, &["specversion"])?;
    let decoded;
    let data = match (value.get("data"), text(value, &["data_base64"])) {
        (Some(data), _) => Some(data),
        (None, Some(encoded)) => {
            let bytes = STANDARD.decode(encoded).ok();
            decoded = bytes.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            decoded.as_ref()
        }
        (None, None) => None,
    };
    if let Some(data) = data.filter(|data| data.is_object()) {
        match read(data, depth + 1) {
            Err(WebhookError::Unknown(_)) => {}
            found => return Some(found),
        }
        for field in ["image", "imageUri", "image_uri", "uri"] {
            if let Some(name) = text(data, &[field]) {
                return Some(image(name.trim_start_matches("oci://")));
            }
        }
    }
    let subject = text(value, &["subject"]).filter(|subject| subject.contains('/'));
    Some(match subject {
        Some(subject) => image(subject.trim_start_matches("oci://")),
        None => Err(lacks(CLOUD_EVENTS, "data.image")),
    })
}

/// `pkg:oci/app@sha256%3A…?repository_url=ghcr.io/acme/app`
fn package_url(url: &str) -> PushedImage {
    let lacks = || lacks(CLOUD_EVENTS, "subject.id with repository_url");
    let Some((before, query)) = url.split_once('?').filter(|_| url.starts_with("pkg:oci/")) else {
        return Err(lacks());
    };
    let named = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("repository_url="));
    let repository = named.ok_or_else(lacks)?;
    let repository = percent_decode_str(repository)
        .decode_utf8_lossy()
        .into_owned();
    let name = before
        .trim_start_matches("pkg:oci/")
        .split('@')
        .next()
        .unwrap_or_default();
    // Some write the registry alone.
    if repository.contains('/') {
        image(repository)
    } else {
        image(format!("{repository}/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(payload: &str) -> Result<String, String> {
        match subject(payload.as_bytes()) {
            Ok(ImageSubject::Image(name)) => Ok(name),
            Ok(ImageSubject::Project(path)) => Ok(format!("project {path}")),
            Ok(ImageSubject::Hosted { repository, name }) => Ok(format!("{name} in {repository}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Payloads and the images that they speak of.
    const PAYLOADS: &[(&str, &str)] = &[
        (
            r#"{"callback_url":"https://x","push_data":{"tag":"1.2.3","pusher":"p"},"repository":{"name":"app","namespace":"acme","repo_name":"acme/app"}}"#,
            "docker.io/acme/app",
        ),
        (
            r#"{"action":"published","package":{"name":"App","namespace":"Acme","package_type":"CONTAINER","package_version":{"package_url":"ghcr.io/acme/app:1.2.3"}}}"#,
            "ghcr.io/acme/app:1.2.3",
        ),
        (
            r#"{"action":"published","registry_package":{"name":"App","namespace":"Acme","package_type":"CONTAINER","package_version":{"package_url":""}}}"#,
            "ghcr.io/acme/app",
        ),
        (
            r#"{"object_kind":"tag_push","ref":"refs/tags/v1","project":{"path_with_namespace":"acme/app"}}"#,
            "project acme/app",
        ),
        (
            r#"{"type":"PUSH_ARTIFACT","occur_at":1,"event_data":{"resources":[{"tag":"1","resource_url":"harbor.example/lib/app:1"}],"repository":{"repo_full_name":"lib/app"}}}"#,
            "harbor.example/lib/app:1",
        ),
        (
            r#"{"specversion":"1.0","type":"harbor.artifact.pushed","data":{"resources":[{"resource_url":"harbor.example/lib/app:1"}]}}"#,
            "harbor.example/lib/app:1",
        ),
        (
            r#"{"name":"app","repository":"acme/app","namespace":"acme","docker_url":"quay.io/acme/app","updated_tags":["latest"]}"#,
            "quay.io/acme/app",
        ),
        (
            r#"{"timestamp":"2026-01-02T03:04:05.678+00:00","nodeId":"7FFA7361","initiator":"ci/10.0.0.7","repositoryName":"docker-hosted","action":"CREATED","component":{"id":"08909bf0c86cf6c9","componentId":"ZG9ja2Vy","format":"docker","name":"acme/app","group":null,"version":"1.2.3"}}"#,
            "acme/app in docker-hosted",
        ),
        (
            r#"{"nodeId":"7FFA7361","initiator":"ci","repositoryName":"docker-hosted","action":"UPDATED","asset":{"id":"31c950c8","assetId":"ZG9ja2Vy","format":"docker","name":"v2/acme/app/manifests/1.2.3"}}"#,
            "acme/app in docker-hosted",
        ),
        (
            r#"{"repositoryName":"docker-hosted","action":"CREATED","asset":{"format":"docker","name":"/v2/acme/manifests/app/manifests/sha256:ab"}}"#,
            "acme/manifests/app in docker-hosted",
        ),
        (
            r#"{"id":"1","action":"push","target":{"repository":"app","tag":"v1"},"request":{"host":"acme.azurecr.io"}}"#,
            "acme.azurecr.io/app",
        ),
        (
            r#"[{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":{"action":"push","target":{"repository":"app"},"request":{"host":"acme.azurecr.io"}}}]"#,
            "acme.azurecr.io/app",
        ),
        (
            r#"{"version":"0","source":"aws.ecr","account":"123456789012","region":"eu-central-1","detail":{"action-type":"PUSH","result":"SUCCESS","repository-name":"team/app","image-tag":"1"}}"#,
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app",
        ),
        (
            r#"{"source":"aws.ecr","account":"1","region":"cn-north-1","detail":{"action-type":"PUSH","repository-name":"app"}}"#,
            "1.dkr.ecr.cn-north-1.amazonaws.com.cn/app",
        ),
        (
            r#"{"events":[{"action":"pull"},{"action":"push","target":{"repository":"acme/app","tag":"1"},"request":{"host":"registry.example:5000"}}]}"#,
            "registry.example:5000/acme/app",
        ),
        (
            r#"{"specversion":"1.0","type":"x","source":"/s","data":{"push_data":{},"repository":{"repo_name":"acme/app"}}}"#,
            "docker.io/acme/app",
        ),
        (
            r#"{"specversion":"1.0","type":"x","data":{"image":"ghcr.io/acme/app:2"}}"#,
            "ghcr.io/acme/app:2",
        ),
        (
            r#"{"specversion":"1.0","type":"x","subject":"oci://ghcr.io/acme/app"}"#,
            "ghcr.io/acme/app",
        ),
        (
            r#"{"context":{"type":"dev.cdevents.artifact.published.0.1.1"},"subject":{"id":"pkg:oci/app@sha256%3Aab?repository_url=ghcr.io%2Facme%2Fapp"}}"#,
            "ghcr.io/acme/app",
        ),
    ];

    #[test]
    fn payloads_of_each_registry() {
        let pubsub = STANDARD.encode(
            r#"{"action":"INSERT","digest":"us-docker.pkg.dev/p/r/app@sha256:ab","tag":"us-docker.pkg.dev/p/r/app:1.1"}"#,
        );
        let pubsub =
            format!(r#"{{"message":{{"data":"{pubsub}","messageId":"1"}},"subscription":"s"}}"#);
        let pubsub = [(pubsub.as_str(), "us-docker.pkg.dev/p/r/app:1.1")];
        for (payload, expected) in PAYLOADS.iter().chain(&pubsub) {
            assert_eq!(found(payload).as_deref(), Ok(*expected), "{payload}");
        }
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (payload, why) in [
            ("", "not JSON"),
            ("[]", "not JSON"),
            ("null", "not JSON"),
            (r#"{"a":1,"b":2}"#, "its fields: a, b"),
            (r#"{"\n::error::x":1}"#, "its fields: \\n::error::x"),
            (
                r#"{"action":"\n::error::x","target":{},"request":{}}"#,
                "is about `\\n::error::x`",
            ),
            (
                r#"{"action":"delete","target":{"repository":"app"},"request":{"host":"h"}}"#,
                "is about `delete`",
            ),
            (
                r#"{"action":"published","package":{"package_type":"npm","name":"x"}}"#,
                "is about `npm`",
            ),
            (
                r#"{"object_kind":"merge_request","project":{"path_with_namespace":"a/b"}}"#,
                "is about `merge_request`",
            ),
            (
                r#"{"repositoryName":"r","action":"DELETED","component":{"format":"docker","name":"acme/app"}}"#,
                "payload of Nexus is about `DELETED`",
            ),
            (
                r#"{"repositoryName":"r","action":"CREATED","component":{"format":"npm","name":"app"}}"#,
                "is about `npm`",
            ),
            (
                r#"{"repositoryName":"r","action":"CREATED","component":{"format":"docker"}}"#,
                "lacks `component.name`",
            ),
            (
                r#"{"repositoryName":"r","action":"CREATED","asset":{"format":"docker","name":"v2/-/blobs/sha256:ab"}}"#,
                "is about `v2/-/blobs/sha256:ab`",
            ),
            (
                r#"{"repositoryName":"r","action":"CREATED"}"#,
                "its fields: repositoryName, action",
            ),
            (r#"{"push_data":{}}"#, "lacks `repository.repo_name`"),
            (r#"{"events":[{"action":"pull"}]}"#, "is about `pull`"),
            (
                r#"{"type":"DELETE_ARTIFACT","event_data":{"resources":[]}}"#,
                "is about `DELETE_ARTIFACT`",
            ),
            (
                r#"{"specversion":"1.0","type":"x","data":{}}"#,
                "lacks `data.image`",
            ),
        ] {
            let error = found(payload).expect_err(payload);
            assert!(error.contains(why), "{payload}: {error}");
        }
        let nested = r#"{"specversion":"1.0","data":"#.repeat(9) + "{}" + &"}".repeat(9);
        assert!(found(&nested).is_err());
        let long = format!(r#"{{"push_data":"{}"}}"#, "x".repeat(MAX_PAYLOAD));
        assert!(found(&long).expect_err("too long").contains("longer than"));
    }
}
