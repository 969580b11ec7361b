//! Names of images, as go-containerregistry was recorded to read them for Flux.

use oci_tags::image::Repository;
use serde_json::Value;

#[test]
fn as_go_containerregistry_reads_them() {
    let mut count = 0;
    for row in include_str!("imageref.jsonl").lines() {
        let row: Value = serde_json::from_str(row).expect("JSON");
        let expect = &row["expect"];
        let ours = Repository::parse(row["image"].as_str().expect("an image"));
        match (ours, expect["error"].as_str()) {
            (Err(error), Some(flux)) => assert_eq!(error.to_string(), flux, "{row}"),
            (Ok(ours), None) => {
                let scheme = ours.scheme(row["insecure"] == true);
                let ours = [&ours.canonical(), ours.host(), ours.path(), scheme];
                let keys = ["canonical", "registry", "repository", "scheme"];
                let flux = keys.map(|key| expect[key].as_str().unwrap_or_default());
                assert_eq!(ours, flux, "{row}");
            }
            (ours, flux) => panic!("{row}: {ours:?}, and Flux {flux:?}"),
        }
        count += 1;
    }
    assert!(count > 50, "only {count} rows");
}
