//! The agent's user: who, beside root, may connect.

use std::io;
use std::path::Path;

/// Bytes of a user database that are read.
const PASSWD_SIZE_MAX: u64 = 16 << 20;

/// A user with its primary group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The user that `user` is if it is a number and no file names it: in a container the users are those of the host, and
/// the agent's user need not be among them. Its group has the same number.
pub(crate) fn numbered_user(user: &str) -> Option<User> {
    user.parse().ok().filter(|id| *id != 0).map(|id| User { uid: id, gid: id })
}

/// Finds a user, given by name or number, in a file of the format of passwd(5). None: no such user.
pub(crate) fn find_user(passwd: &Path, user: &str) -> io::Result<Option<User>> {
    use io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(passwd)?.take(PASSWD_SIZE_MAX).read_to_end(&mut text)?;
    Ok(parse(&String::from_utf8_lossy(&text), user))
}

fn parse(passwd: &str, user: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?;
        let gid = fields.next()?.parse().ok()?;
        (name == user || uid == user).then_some(User { uid: uid.parse().ok()?, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\n+nis\nbroken:x\ndd-agent:x:997:998::/opt:/bin/false\n";

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let expected = Some(User { uid: 997, gid: 998 });
        assert_eq!(parse(PASSWD, "dd-agent"), expected);
        assert_eq!(parse(PASSWD, "997"), expected);
    }

    #[test]
    fn a_number_needs_no_entry_unless_it_is_root() {
        assert_eq!(numbered_user("60990"), Some(User { uid: 60990, gid: 60990 }));
        for other in ["0", "dd-agent", "-1", "", "4294967296"] {
            assert_eq!(numbered_user(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for name in ["nobody", "", "x", "998", "broken", "+nis"] {
            assert_eq!(parse(PASSWD, name), None, "{name}");
        }
    }
}
