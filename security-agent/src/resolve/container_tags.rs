//! Tags of a container, as the reference's tagger makes them from what a container runtime tells.

use model::{ContainerMetadata, TextList};
use proto::labels::tag_of_label;
use proto::v1::ContainerInfo;

/// What events of a container show of it.
#[must_use]
pub fn metadata(info: &ContainerInfo) -> ContainerMetadata {
    let mut tags = Vec::new();
    let mut tag = |name: &str, value: &str| {
        if !value.is_empty() {
            tags.push(format!("{name}:{value}"));
        }
    };
    tag("container_id", &info.id);
    tag("container_name", &info.name);
    if let Some(image) = Image::parse(&info.image) {
        tag("docker_image", &format!("{}:{}", image.name, image.tag));
        tag("image_name", image.name);
        tag("image_tag", image.tag);
        tag("short_image", image.short);
    }
    tag("image_id", &info.image_id);
    for label in &info.labels {
        if let Some(name) = tag_of_label(&label.name) {
            tag(name, &label.value);
        }
    }
    ContainerMetadata { tags: tags.iter().collect::<TextList>() }
}

/// The parts of the name of an image: `REGISTRY/TEAM/SHORT:TAG@DIGEST`.
#[derive(Debug, PartialEq, Eq)]
struct Image<'a> {
    /// Everything before the tag.
    name: &'a str,
    /// The last part of the name.
    short: &'a str,
    /// The tag; `latest` where none is named, as that is what was pulled.
    tag: &'a str,
}

impl<'a> Image<'a> {
    /// `None` for no name, and for a digest alone.
    fn parse(image: &'a str) -> Option<Self> {
        let image = image.split('@').next().unwrap_or_default();
        // A colon before a slash is that of a port.
        let (name, tag) = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (image, ""),
        };
        if name.is_empty() || name == "sha256" {
            return None;
        }
        let short = name.rsplit('/').next().unwrap_or(name);
        Some(Self { name, short, tag: if tag.is_empty() { "latest" } else { tag } })
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::Label;

    use super::*;

    #[test]
    fn names_of_images_have_their_parts() {
        for (image, name, short, tag) in [
            ("nginx", "nginx", "nginx", "latest"),
            ("nginx:1.27", "nginx", "nginx", "1.27"),
            ("gcr.io/team/app:2@sha256:abc", "gcr.io/team/app", "app", "2"),
            ("localhost:5000/app", "localhost:5000/app", "app", "latest"),
            ("localhost:5000/app:1", "localhost:5000/app", "app", "1"),
            ("app@sha256:abc", "app", "app", "latest"),
        ] {
            assert_eq!(Image::parse(image), Some(Image { name, short, tag }), "{image}");
        }
        for none in ["", ":1", "@sha256:abc", "sha256:abc"] {
            assert_eq!(Image::parse(none), None, "{none}");
        }
    }

    #[test]
    fn tags_are_those_of_the_reference() {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let info = ContainerInfo {
            id: "ab".into(),
            name: "web".into(),
            image: "gcr.io/team/app:2".into(),
            image_id: "sha256:cd".into(),
            created_at_ns: 5,
            labels: vec![
                label("com.datadoghq.tags.service", "shop"),
                label("io.kubernetes.pod.name", ""),
                label("of.somebody.else", "x"),
            ],
        };
        let metadata = metadata(&info);
        let tags: Vec<_> = metadata.tags.iter().map(|tag| String::from_utf8(tag.to_vec()).unwrap()).collect();
        assert_eq!(
            tags,
            [
                "container_id:ab",
                "container_name:web",
                "docker_image:gcr.io/team/app:2",
                "image_name:gcr.io/team/app",
                "image_tag:2",
                "short_image:app",
                "image_id:sha256:cd",
                "service:shop",
            ]
        );
    }

    #[test]
    fn a_container_without_a_name_has_its_id() {
        let metadata = metadata(&ContainerInfo { id: "ab".into(), ..ContainerInfo::default() });
        assert_eq!(metadata.tags.iter().collect::<Vec<_>>(), [b"container_id:ab"]);
    }
}
