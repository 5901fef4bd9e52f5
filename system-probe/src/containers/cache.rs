//! Answers that are remembered for a while: an agent that starts again asks for all containers again.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use proto::v1;

use super::ContainerId;

/// Containers that are remembered. A host has some hundred.
const ENTRIES: usize = 1_024;
/// How long. A container can get another name.
const LIFETIME: Duration = Duration::from_secs(60);

/// Answers of runtimes by id.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<ContainerId, (v1::ContainerInfo, Instant)>);

impl Cache {
    /// The answer, unless it is too old.
    pub(super) fn get(&self, id: &ContainerId, now: Instant) -> Option<v1::ContainerInfo> {
        let (info, since) = self.0.get(id)?;
        (now.saturating_duration_since(*since) < LIFETIME).then(|| info.clone())
    }

    /// Remembers an answer. If there are too many, those that are too old go, or else all.
    pub(super) fn insert(&mut self, id: ContainerId, info: v1::ContainerInfo, now: Instant) {
        if self.0.len() >= ENTRIES {
            self.0.retain(|_, (_, since)| now.saturating_duration_since(*since) < LIFETIME);
        }
        if self.0.len() >= ENTRIES {
            self.0.clear();
        }
        self.0.insert(id, (info, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ContainerId {
        ContainerId::parse(&format!("{number:064x}")).unwrap()
    }

    #[test]
    fn answers_get_old() {
        let mut cache = Cache::default();
        let now = Instant::now();
        let info = v1::ContainerInfo { name: "web".into(), ..Default::default() };
        cache.insert(id(1), info.clone(), now);
        assert_eq!(cache.get(&id(1), now + Duration::from_secs(59)), Some(info));
        assert_eq!(cache.get(&id(1), now + LIFETIME), None);
        assert_eq!(cache.get(&id(2), now), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut cache = Cache::default();
        let now = Instant::now();
        for number in 0..3 * ENTRIES {
            cache.insert(id(number), v1::ContainerInfo::default(), now);
            assert!(cache.0.len() <= ENTRIES);
            assert!(cache.get(&id(number), now).is_some());
        }
    }
}
