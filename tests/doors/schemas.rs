//! The schemas under `function-config/` are what the program prints, and the
//! documents of the examples are of that shape.

use std::path::Path;

use crate::run_in;
use crate::support::{code, stdout};

#[test]
fn those_checked_in_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("function-config");
    for kind in ["ImageUpdate", "TagSnapshot", "Report"] {
        let output = run_in(&folder, &["schema", kind], b"");
        assert_eq!(code(&output), 0);
        let path = folder.join(format!("{kind}.schema.json"));
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            checked_in,
            stdout(&output),
            "run: flux-image schema {kind} > {}",
            path.display()
        );
    }
}
