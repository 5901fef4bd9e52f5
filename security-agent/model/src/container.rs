//! Where a process runs: container, control group, user session.

use std::net::IpAddr;
use std::sync::OnceLock;

use secl::schema::weight;

use crate::constants::{SSH_AUTH_METHOD, USER_SESSION_TYPE};
use crate::record::record;
use crate::text::{Text, TextList};

record! {
    /// A container.
    pub struct Container {
        leaf {
            /// Identifier of the container; empty on the host.
            id: Text = "id", "7.27", { example: Some(r#"process.container.id != "" && exec.file.name == "bash""#), };
        }
        nested {
            /// When it came to be: told by its runtime, or seen.
            creation: OnceLock<ContainerCreation> = "";
            /// What its runtime tells. It comes after the first events of the container; all that refer to the container
            /// have it then.
            metadata: OnceLock<ContainerMetadata> = "";
        }
    }
}

record! {
    /// The beginning of a container.
    pub struct ContainerCreation {
        leaf {
            /// When the container was created, as its runtime says; without a runtime, when its first process was seen.
            created_at: u64 = "created_at", "7.44", {
                time: true, weight: weight::RESOLVED,
                example: Some(r#"exec.file.in_upper_layer && process.container.created_at > 90s"#),
            };
        }
    }
}

record! {
    /// What the runtime of a container tells about it.
    pub struct ContainerMetadata {
        leaf {
            /// Tags of the container as `name:value`, such as `image_name:nginx`.
            tags: TextList = "tags", "7.28", {
                weight: weight::REMOTE,
                example: Some(r#"exec.file.name == "apt" && process.container.tags == "image_name:nginx""#),
            };
        }
    }
}

record! {
    /// A control group.
    pub struct Cgroup {
        leaf {
            /// Path of the control group.
            id: Text = "id", "7.59";
            /// Version of the control group hierarchy: 1 or 2.
            version: u8 = "version", "7.62";
            /// Inode number of the directory of the control group.
            inode: u64 = "file.inode", "7.59";
            /// Identifier of the mount of the control group file system.
            mount_id: u32 = "file.mount_id", "7.59";
        }
        hidden {
            /// What manages the group (`docker`, `cri`, `systemd`, …); empty if unknown.
            manager: Text;
        }
    }
}

record! {
    /// The session by which a person started the process.
    pub struct UserSession {
        leaf {
            /// Identifier of the session.
            id: u64 = "id", "7.74", { filled: false, };
            /// Kind of the session.
            session_type: u32 = "session_type", "7.74", { constants: Some(&USER_SESSION_TYPE), filled: false, };
            /// Kubernetes user that ran `kubectl exec`.
            k8s_username: Text = "k8s_username", "7.56", { weight: weight::RESOLVED, filled: false, };
            /// Unique id of the Kubernetes user.
            k8s_uid: Text = "k8s_uid", "7.56", { weight: weight::RESOLVED, filled: false, };
            /// Groups of the Kubernetes user.
            k8s_groups: TextList = "k8s_groups", "7.56", { weight: weight::RESOLVED, filled: false, };
            /// Port of the SSH client.
            ssh_port: u16 = "ssh_port", "7.74", { filled: false, };
            /// Address of the SSH client.
            ssh_client_ip: Option<IpAddr> = "ssh_client_ip", "7.74", {
                example: Some("exec.file.name == \"su\" && process.user_session.ssh_client_ip not in 10.0.0.0/8"),
                filled: false,
            };
            /// How the SSH client proved its identity.
            ssh_auth_method: u32 = "ssh_auth_method", "7.74", { constants: Some(&SSH_AUTH_METHOD), filled: false, };
            /// Fingerprint of the public key of the SSH client.
            ssh_public_key: Text = "ssh_public_key", "7.74", { filled: false, };
        }
    }
}
