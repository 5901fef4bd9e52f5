//! The two questions to Docker, and to Podman's service, which answers them alike.
//!
//! A container is asked for by listing with a filter, not by `inspect`: that one waits for the lock which Docker holds while
//! it starts the container, which is when the name is wanted. The list comes from a copy and tells all that is needed.

use std::collections::BTreeMap;
use std::path::Path;

use proto::labels::tag_of_label;
use proto::v1;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ContainerId;
use super::http;
use super::http::HttpError;
use super::id::is_hex;

/// Longest name, image or value of a label that is handed on, bytes.
const TEXT_SIZE_MAX: usize = 4_096;
/// Name of the algorithm before the digest of an image. Podman leaves it out.
const DIGEST_PREFIX: &str = "sha256:";

/// Why a runtime did not tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum DockerError {
    /// There was no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It answers something else.
    #[error("unexpected answer: {0}")]
    Json(#[from] serde_json::Error),
}

impl DockerError {
    /// It listens, and then says nothing.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Http(HttpError::Timeout))
    }
}

/// An element of `GET /containers/json` (Docker Engine API, `ContainerSummary`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: Option<String>,
    #[serde(default, rename = "ImageID")]
    image_id: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    created: i64,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// `GET /images/NAME/json` (`ImageInspect`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

/// What the runtime at `socket` knows about a container; `None`: it has no such container.
pub(super) async fn container(
    socket: &Path,
    id: &ContainerId,
) -> Result<Option<v1::ContainerInfo>, DockerError> {
    // {"id":["…"]}, encoded; an id needs no encoding.
    let target = format!("/containers/json?all=true&filters=%7B%22id%22%3A%5B%22{id}%22%5D%7D");
    let list: Vec<Summary> = ask(socket, &target).await?;
    // Podman takes the filter for a pattern.
    let Some(summary) = list.into_iter().find(|summary| summary.id == id.as_str()) else { return Ok(None) };
    let mut info = summary.into_info();
    if is_anonymous(&info) {
        info.image = match image_digest(&info.image_id) {
            // The container is known even if its image cannot be asked for.
            Some(digest) => name_of_image(socket, digest).await.unwrap_or_default(),
            None => String::new(),
        };
    }
    Ok(Some(info))
}

/// The name of an image that the container was started from by its digest: its first tag.
async fn name_of_image(socket: &Path, digest: &str) -> Result<String, DockerError> {
    let image: Image = ask(socket, &format!("/images/{DIGEST_PREFIX}{digest}/json")).await?;
    let names = image.repo_tags.unwrap_or_default();
    Ok(names.into_iter().next().map(shortened).unwrap_or_default())
}

async fn ask<T: DeserializeOwned>(socket: &Path, target: &str) -> Result<T, DockerError> {
    Ok(serde_json::from_slice(&http::get(socket, target).await?)?)
}

/// The digits of the digest of an image, if they are nothing else.
fn image_digest(image_id: &str) -> Option<&str> {
    let digest = image_id.strip_prefix(DIGEST_PREFIX).unwrap_or(image_id);
    is_hex(digest, 64).then_some(digest)
}

/// Whether the image is told by its digest, or the beginning of that: whoever started the container named it so, or the name
/// now belongs to another image.
fn is_anonymous(info: &v1::ContainerInfo) -> bool {
    let image = info.image.strip_prefix(DIGEST_PREFIX).unwrap_or(&info.image);
    image_digest(&info.image_id).is_some_and(|digest| digest.starts_with(image))
}

impl Summary {
    fn into_info(self) -> v1::ContainerInfo {
        let labels = self.labels.unwrap_or_default().into_iter();
        let labels = labels.filter(|(name, _)| tag_of_label(name).is_some());
        v1::ContainerInfo {
            name: own_name(&self.names.unwrap_or_default()),
            image: shortened(self.image.unwrap_or_default()),
            image_id: shortened(self.image_id.unwrap_or_default()),
            created_at_ns: u64::try_from(self.created).unwrap_or_default().saturating_mul(1_000_000_000),
            labels: labels.map(|(name, value)| v1::Label { name, value: shortened(value) }).collect(),
            id: self.id,
        }
    }
}

/// The container's own name. Docker also tells the names that linked containers have for it (`/other/alias`).
fn own_name(names: &[String]) -> String {
    let mut bare = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
    let name = bare.clone().find(|name| !name.contains('/')).or_else(|| bare.next());
    shortened(name.unwrap_or_default().to_owned())
}

fn shortened(mut text: String) -> String {
    if text.len() > TEXT_SIZE_MAX {
        let end = (0..=TEXT_SIZE_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(json: &str) -> v1::ContainerInfo {
        serde_json::from_str::<Summary>(json).unwrap().into_info()
    }

    #[test]
    fn what_is_missing_is_empty() {
        let info = summary(r#"{"Id": "x"}"#);
        assert_eq!(info, v1::ContainerInfo { id: "x".into(), ..Default::default() });
        let nulls =
            r#"{"Id": "x", "Names": null, "Image": null, "ImageID": null, "Labels": null, "Created": -5}"#;
        assert_eq!(summary(nulls), info);
    }

    #[test]
    fn the_own_name_is_told_without_its_slash() {
        for (names, expected) in [
            (r#"["/other/db", "/web"]"#, "web"),
            (r#"["/other/db"]"#, "other/db"),
            (r#"["web"]"#, "web"),
            ("[]", ""),
        ] {
            let info = summary(&format!(r#"{{"Id": "x", "Names": {names}}}"#));
            assert_eq!(info.name, expected, "{names}");
        }
    }

    #[test]
    fn labels_that_are_not_read_are_not_handed_on() {
        let info = summary(
            r#"{"Id": "x", "Labels": {"traefik.basicauth.users": "admin:secret", "com.datadoghq.tags.env": "prod"}}"#,
        );
        let label = v1::Label { name: "com.datadoghq.tags.env".into(), value: "prod".into() };
        assert_eq!(info.labels, [label]);
    }

    #[test]
    fn an_image_told_by_its_digest_is_anonymous() {
        let digest = "4db6".repeat(16);
        let is = |image: &str, image_id: &str| {
            is_anonymous(&v1::ContainerInfo {
                image: image.into(),
                image_id: image_id.into(),
                ..Default::default()
            })
        };
        let id = format!("sha256:{digest}");
        assert!(is(&id, &id) && is("4db64db64db6", &id) && is(&digest, &digest) && is("", &id));
        assert!(!is("nginx:1.27", &id) && !is("4db65", &id) && !is("nginx", "sha256:../../x"));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = format!("{}\u{e9}", "a".repeat(TEXT_SIZE_MAX - 1));
        assert_eq!(shortened(text).len(), TEXT_SIZE_MAX - 1);
    }
}
