//! Selection over 200,000 tags with a filter and an extract, the list in
//! memory: `cargo bench --bench selection`. The goal is 150 ms.

use std::hint::black_box;
use std::time::Instant;

use flux_image::policy::{Choice, Order, Policy};
use masterminds_semver::Constraint;

const TAGS: usize = 200_000;
const RUNS: usize = 15;

/// Tags as a busy repository has them: builds of a branch, releases, others.
fn tags() -> Vec<String> {
    let one = |n: usize| match n % 4 {
        0 => format!(
            "main-{:07x}-{}",
            n * 2_654_435 % 0xfff_ffff,
            1_600_000_000 + n
        ),
        1 => format!("v{}.{}.{}", n % 9, n % 40, n),
        2 => format!("{}.{}.{}-alpine", n % 7, n % 30, n),
        _ => format!("pr-{n}"),
    };
    let mut tags: Vec<String> = (0..TAGS).map(one).collect();
    tags.sort_by(|a, b| b.cmp(a));
    tags
}

fn main() {
    let tags = tags();
    let semver = Choice::Semver(Constraint::parse(">=1.0.0 <9.0.0").expect("a range"));
    let cases = [
        (
            "numerical, ^main-[0-9a-f]+-(?P<ts>[0-9]+)$ → $ts",
            Choice::Numerical(Order::Ascending),
            ("^main-[0-9a-f]+-(?P<ts>[0-9]+)$", "$ts"),
        ),
        ("semver, ^v(.*)$ → $1", semver.clone(), ("^v(.*)$", "$1")),
        (
            "semver, ^([0-9.]+)-alpine$ → $1",
            semver,
            ("^([0-9.]+)-alpine$", "$1"),
        ),
        (
            "alphabetical, .* → $0",
            Choice::Alphabetical(Order::Ascending),
            (".*", "$0"),
        ),
    ];
    for (name, choice, (pattern, extract)) in cases {
        let filter = Some((pattern.to_owned(), extract.to_owned()));
        let policy = Policy::new(choice, filter);
        let mut times: Vec<f64> = (0..RUNS)
            .map(|_| {
                let begin = Instant::now();
                black_box(policy.select(black_box(&tags)).expect("a tag"));
                begin.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{name:52} {:6.1} ms of 150", times[RUNS / 2]);
    }
}
