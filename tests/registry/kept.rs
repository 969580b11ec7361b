//! Kept lists that others have been at, and folders that are not ours alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::commands::{Place, open_registry, said};
use super::server::{Asked, Reply, Server};
use super::support::{code, stdout};

const UPDATE: [&str; 3] = ["update", ".", "--diff"];

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

/// The one list that is kept.
fn kept(place: &Place) -> PathBuf {
    let entries = fs::read_dir(place.cache()).expect("a folder");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let is_list = |path: &PathBuf| path.extension().is_some_and(|it| it == "json");
    paths.find(is_list).expect("a list")
}

/// Runs, and expects the list of the registry however the cache is.
fn run_anew(place: &Place, server: &Server, what: &str) -> String {
    let before = server.paths().len();
    let output = place.run(&UPDATE);
    assert_eq!(code(&output), 0, "{what}: {}", said(&output));
    assert!(
        stdout(&output).contains(":1.1.0 "),
        "{what}: {}",
        stdout(&output)
    );
    assert_eq!(server.paths().len(), before + 1, "{what}");
    said(&output)
}

#[test]
fn what_was_kept_is_checked_as_what_comes() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    place.run(&UPDATE);
    let path = kept(&place);
    let good = fs::read_to_string(&path).expect("a list");
    assert!(
        good.contains(r#""tags":["1.0.0","1.1.0","2.0.0","latest"]"#),
        "{good}"
    );
    let bad = |from: &str, to: &str| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        changed.into_bytes()
    };
    let many = format!("\"1.9.0\",{}\"x\"", "\"1.9.0\",".repeat(1_000_001));
    for (what, text) in [
        ("no tag", bad("\"1.1.0\"", "\"1.9.0 # \"")),
        ("a break", bad("\"1.1.0\"", "\"1.9.0\\nx: y\"")),
        ("a NUL", bad("\"1.1.0\"", "\"1.9.0\\u0000\"")),
        ("a name", bad("\"1.1.0\"", "\"1.9.0@sha256:0\"")),
        (
            "too long",
            bad("\"1.1.0\"", &format!("\"1.9.{}\"", "0".repeat(130))),
        ),
        ("a hyphen", bad("\"1.1.0\"", "\"-1.9.0\"")),
        ("a number", bad("\"1.1.0\"", "1.9")),
        ("too many", bad("\"1.1.0\"", &many)),
        (
            "a sum",
            bad("\"dropped\":0", "\"dropped\":18446744073709551615"),
        ),
        ("another image", bad("/acme/app\"", "/acme/other\"")),
        ("another list", bad("/v2/acme/app/", "/v2/acme/other/")),
        ("another host", bad("\"/v2/", "\"https://evil.example/v2/")),
        (
            "half a list",
            bad(
                "\"dropped\":0",
                "\"dropped\":0,\"next\":\"/v2/acme/app/tags/list?last=b\"",
            ),
        ),
        ("no pages", bad("\"pages\":[", "\"pages\":[],\"x\":[")),
        ("a type", bad("\"pages\":[", "\"pages\":{},\"x\":[")),
        ("a version", bad("\"version\":1", "\"version\":2")),
        ("a day", bad("\"scannedAt\":\"2", "\"scannedAt\":\"9")),
        ("a depth", "[".repeat(100_000).into_bytes()),
        ("bytes", vec![0xff; 1000]),
        ("NULs", vec![0; 1000]),
        ("nothing", Vec::new()),
    ] {
        fs::write(&path, &text).expect("ours");
        run_anew(&place, &server, what);
    }
    // It was written anew each time.
    assert_eq!(code(&place.run(&[&UPDATE[..], &["--offline"]].concat())), 0);
}

/// Nothing of a kept list decides where a credential goes.
#[test]
fn a_kept_page_leads_nowhere_else() {
    let server = Server::start(|asked: &Asked| {
        match (
            asked.path(),
            asked.at.contains("last="),
            asked.header("if-none-match"),
        ) {
            ("/v2/acme/app/tags/list", false, Some(_)) => Reply::new(304, ""),
            ("/v2/acme/app/tags/list", false, None) => Reply::tags(&["1.0.0"])
                .with("etag", "\"e\"")
                .with("link", "<?last=b>; rel=next"),
            ("/v2/acme/app/tags/list", true, _) => Reply::tags(&["1.1.0"]),
            _ => Reply::tags(&["1.9.0"]),
        }
    });
    let place = Place::usual(&server, "");
    place.run(&UPDATE);
    let path = kept(&place);
    let good = fs::read_to_string(&path).expect("a list");
    let next = "/v2/acme/app/tags/list?last=b";
    assert_eq!(good.matches(next).count(), 2, "{good}");
    for other in [
        "/v2/acme/secret/tags/list?last=b",
        "https://evil.example/v2/acme/app/tags/list?last=b",
        "//evil.example?last=b",
        "?last=b",
    ] {
        fs::write(&path, good.replace(next, other)).expect("ours");
        let output = place.run(&[&UPDATE[..], &["--refresh"]].concat());
        assert_eq!(code(&output), 0, "{other}: {}", said(&output));
        assert!(stdout(&output).contains(":1.1.0 "), "{other}");
    }
    let paths = server.asked();
    assert!(
        paths
            .iter()
            .all(|asked| asked.path() == "/v2/acme/app/tags/list")
    );
}

#[test]
fn what_is_no_file_of_ours_is_as_good_as_none() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    place.run(&UPDATE);
    let path = kept(&place);
    let elsewhere = place.cache().join("elsewhere");
    fs::copy(&path, &elsewhere).expect("copied");
    let again = |what: &str| {
        run_anew(&place, &server, what);
        // And it is a list again.
        assert!(
            fs::symlink_metadata(&path).expect("there").is_file(),
            "{what}"
        );
        fs::remove_file(&path).expect("ours");
    };
    fs::remove_file(&path).expect("ours");
    symlink(&elsewhere, &path).expect("a link");
    again("a link");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    again("a pipe");
    fs::copy(&elsewhere, &path).expect("copied");
    mode(&path, 0o666);
    again("others' file");
    fs::File::create(&path)
        .and_then(|file| file.set_len(1 << 40))
        .expect("a hole");
    again("a hole of a terabyte");
    // A folder stays, and nothing is kept.
    fs::create_dir(&path).expect("a folder");
    assert!(run_anew(&place, &server, "a folder").contains("cannot be cached"));
}

#[test]
fn a_key_that_is_broken_costs_a_request() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    place.run(&UPDATE);
    let key = place.cache().join("key");
    let write = |bytes: &[u8]| fs::write(&key, bytes).expect("ours");
    let remove = || fs::remove_file(&key).expect("ours");
    let breaks: [(&str, &dyn Fn()); 6] = [
        ("empty", &|| write(b"")),
        ("short", &|| write(&[1; 31])),
        ("long", &|| write(&[1; 33])),
        ("others'", &|| mode(&key, 0o666)),
        ("a link", &|| {
            remove();
            symlink("/dev/zero", &key).expect("a link");
        }),
        ("a pipe", &|| {
            remove();
            let made = Command::new("mkfifo").arg(&key).status().expect("mkfifo");
            assert!(made.success());
        }),
    ];
    for (what, break_it) in breaks {
        break_it();
        run_anew(&place, &server, what);
        let metadata = fs::symlink_metadata(&key).expect("a key");
        assert!(metadata.is_file() && metadata.len() == 32, "{what}");
        // Then it is kept again.
        let before = server.paths().len();
        assert_eq!(code(&place.run(&UPDATE)), 0);
        assert_eq!(server.paths().len(), before, "{what}");
    }
    remove();
    fs::create_dir(&key).expect("a folder");
    let text = run_anew(&place, &server, "a folder");
    assert!(text.contains("lists of tags are not cached"), "{text}");
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    place.run(&UPDATE);
    for (bits, used) in [
        (0o700, true),
        (0o755, true),
        (0o770, false),
        (0o777, false),
        (0o1777, false),
    ] {
        mode(&place.cache(), bits);
        let before = server.paths().len();
        let output = place.run(&UPDATE);
        assert_eq!(code(&output), 0, "{bits:o}: {}", said(&output));
        assert_eq!(server.paths().len() == before, used, "{bits:o}");
        assert_eq!(
            said(&output).contains("others may write in it"),
            !used,
            "{}",
            said(&output)
        );
        // A folder that was named is not another.
        let folder = place.cache();
        let folder = folder.to_str().expect("UTF-8");
        let output = place.run(&["update", ".", "--diff", "--cache", folder]);
        assert_eq!(code(&output), 0, "{bits:o}: {}", said(&output));
        assert_eq!(said(&output).contains("others may write in it"), !used);
    }
    // A link to a folder of ours is as good as the folder.
    mode(&place.cache(), 0o700);
    let moved = place.cache().with_file_name("moved");
    fs::rename(place.cache(), &moved).expect("moved");
    symlink(&moved, place.cache()).expect("a link");
    let before = server.paths().len();
    assert_eq!(code(&place.run(&UPDATE)), 0);
    assert_eq!(server.paths().len(), before);
}

#[test]
fn a_folder_of_somebody_elses_is_not_used() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    place.run(&UPDATE);
    // Only root can give a folder away.
    if std::os::unix::fs::chown(place.cache(), Some(65_534), None).is_err() {
        return super::support::skipped("a_folder_of_somebody_elses_is_not_used", "not root");
    }
    let text = run_anew(&place, &server, "another's");
    assert!(text.contains("belongs to another user"), "{text}");
}

/// Whatever is wrong with a folder that was named, registries are asked, and the
/// run ends as it would have.
#[test]
fn a_folder_that_cannot_be_used_costs_a_request() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let folder = place.cache().with_file_name("elsewhere");
    let named = folder.to_str().expect("UTF-8").to_owned();
    let arguments = ["update", ".", "--diff", "--strict", "--cache", &named];
    let again = |what: &str| {
        let before = server.paths().len();
        let output = place.run(&arguments);
        assert_eq!(code(&output), 0, "{what}: {}", said(&output));
        assert!(stdout(&output).contains(":1.1.0 "), "{what}");
        assert_eq!(server.paths().len(), before + 1, "{what}");
        let said = said(&output);
        assert!(
            said.contains("lists of tags are not cached"),
            "{what}: {said}"
        );
    };
    fs::create_dir_all(folder.parent().expect("a parent")).expect("a folder");
    fs::write(&folder, "").expect("a file");
    again("a file");
    fs::remove_file(&folder).expect("ours");
    symlink("nowhere/at/all", &folder).expect("a link");
    again("a link to nothing");
    fs::remove_file(&folder).expect("ours");
    symlink(&folder, &folder).expect("a link");
    again("a link to itself");
    fs::remove_file(&folder).expect("ours");
    symlink("/proc/self/fdinfo", &folder).expect("a link");
    again("a folder that takes no files");
}
