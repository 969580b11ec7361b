//! What a file has besides its content, for the file that takes its place:
//! owner, mode, access control list, extended attributes.
//!
//! As much stays as the system lets this process set. What does not is told, but
//! never gives anybody more than the old file did.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, fgetxattr_query, flistxattr, flistxattr_query};
use rustix::fs::{
    fremovexattr, fsetxattr, lgetxattr, lgetxattr_query, llistxattr, llistxattr_query,
};

use super::exchange::identity;
use crate::finding::{Code, Finding, Location};
use crate::plan::planned::{Identity, Replacement};

/// The set-user-ID and set-group-ID bits.
const SET_ID: u32 = 0o6000;
/// What the kernel computes from the content, and nobody may copy.
const COMPUTED: [&str; 2] = ["security.evm", "security.ima"];

/// What became of a file that was to have what another has.
#[derive(Debug)]
pub(super) struct Carried {
    /// What could not be given, in words.
    pub lost: Vec<String>,
    /// What the system says of it now.
    pub identity: Identity,
}

/// Gives `new` what the file at `old` has, which was `was` when it was read.
///
/// # Errors
/// Where not even the mode can be set.
pub(super) fn carry_over(old: &Path, was: &Identity, new: &File) -> io::Result<Carried> {
    let mut lost = Vec::new();
    let own = identity(&new.metadata()?);
    let mut mode = was.mode & 0o7777;
    let (user, group) = was.owner;
    if own.owner.0 != user && fchown(new, Some(user), None).is_err() {
        lost.push(format!("its owner (user {user})"));
    }
    if own.owner.1 != group && fchown(new, None, Some(group)).is_err() {
        lost.push(format!("its group ({group})"));
        // The other group may do what everybody may.
        mode = mode & !0o070 | (mode & 0o007) << 3;
    }
    if !lost.is_empty() {
        mode &= !SET_ID;
    }
    // After the owner, since a change of that takes away bits of the mode.
    let mut has_changed = own.owner != was.owner;
    if has_changed || own.mode & 0o7777 != mode {
        new.set_permissions(Permissions::from_mode(mode))?;
        has_changed = true;
    }
    let wanted = names(llistxattr_query(old), |buffer| llistxattr(old, buffer));
    let found = names(flistxattr_query(new), |buffer| flistxattr(new, buffer));
    // As a folder's default access control list gives them to what is made in it.
    for name in found.iter().filter(|name| !wanted.contains(name)) {
        has_changed = true;
        _ = fremovexattr(new, name.as_str());
    }
    for name in wanted.iter().map(String::as_str) {
        if COMPUTED.contains(&name) {
            continue;
        }
        let value = value(lgetxattr_query(old, name), |buffer| {
            lgetxattr(old, name, buffer)
        });
        let own = value_of(new, name);
        let Some(value) = value.filter(|value| own.as_ref() != Some(value)) else {
            continue;
        };
        has_changed = true;
        if fsetxattr(new, name, &value, XattrFlags::empty()).is_err() {
            lost.push(format!("its attribute `{name}`"));
        }
    }
    Ok(Carried {
        lost,
        identity: match has_changed {
            true => identity(&new.metadata()?),
            false => own,
        },
    })
}

/// Files with more than one name, as warnings: a file is replaced under the name
/// that is edited, and the others keep the old one.
#[must_use]
pub fn hard_links(replacements: &[Replacement]) -> Vec<Finding> {
    let key = |file: &Replacement| file.status.identity.key();
    let mut edited: BTreeMap<_, u64> = BTreeMap::new();
    let linked = || replacements.iter().filter(|file| file.status.links > 1);
    for file in linked() {
        *edited.entry(key(file)).or_default() += 1;
    }
    let finding = |file: &Replacement| {
        let others = file.status.links.saturating_sub(edited[&key(file)]);
        let message = match others {
            0 => "this file has other names (hard links) that are edited, too: each becomes a file of its own"
                .to_owned(),
            1 => "this file has another name (a hard link), which keeps the old content".to_owned(),
            _ => format!("this file has {others} other names (hard links), which keep the old content"),
        };
        Finding::warning(Code::LostAttributes, message, Location::file(&file.name))
    };
    linked().map(finding).collect()
}

fn value_of(file: &File, name: &str) -> Option<Vec<u8>> {
    value(fgetxattr_query(file, name), |buffer| {
        fgetxattr(file, name, buffer)
    })
}

/// The names of attributes; none where the file system has none. Those that are
/// not UTF-8 cannot be named and are left.
fn names(
    length: rustix::io::Result<usize>,
    read: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>,
) -> Vec<String> {
    let list = value(length, read).unwrap_or_default();
    let names = list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names
        .filter_map(|name| String::from_utf8(name.to_vec()).ok())
        .collect()
}

fn value(
    length: rustix::io::Result<usize>,
    read: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>,
) -> Option<Vec<u8>> {
    let mut buffer = vec![0; length.ok()?];
    if !buffer.is_empty() {
        let read = read(&mut buffer).ok()?;
        buffer.truncate(read);
    }
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{getxattr, setxattr};

    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    /// An access control list in the kernel's form: the owner reads and writes,
    /// user 12345 reads, nobody else.
    fn acl() -> Vec<u8> {
        let mut acl = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in [
            (0x01_u16, 6_u16, u32::MAX),
            (0x02, 4, 12_345),
            (0x04, 0, u32::MAX),
            (0x10, 4, u32::MAX),
            (0x20, 0, u32::MAX),
        ] {
            acl.extend(tag.to_le_bytes());
            acl.extend(permissions.to_le_bytes());
            acl.extend(id.to_le_bytes());
        }
        acl
    }

    fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
        let mut buffer = [0; 256];
        let length = getxattr(path, name, &mut buffer[..]).ok()?;
        Some(buffer[..length].to_vec())
    }

    #[test]
    fn mode_lists_and_attributes_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").expect("a file");
        let set = |name: &str, attribute: &str, value: &[u8]| {
            setxattr(at(name), attribute, value, XattrFlags::empty())
        };
        if set("old", "user.note", b"kept").is_err() {
            return;
        }
        set("old", "system.posix_acl_access", &acl()).expect("a list");
        let new = File::create_new(at("new")).expect("a file");
        set("new", "user.other", b"gone").expect("an attribute");
        let metadata = fs::metadata(at("old")).expect("a file");
        let lost = carry_over(&at("old"), &identity(&metadata), &new).expect("carried over");
        assert_eq!(lost.lost, Vec::<String>::new());
        assert_eq!(attribute(&at("new"), "user.note"), Some(b"kept".to_vec()));
        assert_eq!(attribute(&at("new"), "user.other"), None);
        assert_eq!(
            attribute(&at("new"), "system.posix_acl_access"),
            Some(acl())
        );
        assert_eq!(new.metadata().expect("metadata").mode(), metadata.mode());
        // A list that the folder gave, and the old file did not have, goes.
        let second = File::open(at("old")).expect("a file");
        fs::write(at("plain"), "old").expect("a file");
        let metadata = fs::metadata(at("plain")).expect("a file");
        carry_over(&at("plain"), &identity(&metadata), &second).expect("carried over");
        assert_eq!(attribute(&at("old"), "system.posix_acl_access"), None);
        assert_eq!(second.metadata().expect("metadata").mode(), metadata.mode());
    }

    #[test]
    fn the_owner_stays_where_the_system_allows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").expect("a file");
        fs::set_permissions(at("old"), Permissions::from_mode(0o4755)).expect("a mode");
        if std::os::unix::fs::chown(at("old"), Some(12_345), Some(23_456)).is_err() {
            // Only root may give files away.
            return;
        }
        fs::set_permissions(at("old"), Permissions::from_mode(0o4755)).expect("a mode");
        let metadata = fs::metadata(at("old")).expect("a file");
        let new = File::create_new(at("new")).expect("a file");
        carry_over(&at("old"), &identity(&metadata), &new).expect("carried over");
        let now = new.metadata().expect("metadata");
        assert_eq!(
            (now.uid(), now.gid(), now.mode()),
            (12_345, 23_456, metadata.mode())
        );
    }
}
