//! Flux's recorded answers, each row a case of its own.
//!
//! `CONFORMANCE_DIR` names the folder (default `tests/conformance`). A missing
//! folder or file, or a file without rows, fails: rows that are not read
//! cannot be passed.

mod readback;
mod rows;
mod setters;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

/// What a check returns.
pub type Verdict = Result<(), Failed>;

/// (passed, all) for each file.
type Tally = Arc<Mutex<BTreeMap<String, (usize, usize)>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from("tests/conformance"), PathBuf::from);
    let tally = Tally::default();
    let mut trials = Vec::new();
    for (file, check) in rows::FILES {
        collect(&mut trials, &tally, file, row_cases(&folder, file, *check));
    }
    collect(
        &mut trials,
        &tally,
        "setters/",
        setters::cases(&folder.join("setters")),
    );

    let conclusion = libtest_mimic::run(&arguments, trials);
    println!("rows of {}:", folder.display());
    for (file, (passed, all)) in &*tally.lock().expect("no case panics with the lock held") {
        println!("  {file:<18} {passed:>5} of {all} passed");
    }
    conclusion.exit_code()
}

/// One case: its name and what checks it.
pub type Case = (String, Box<dyn FnOnce() -> Verdict + Send>);

fn collect(trials: &mut Vec<Trial>, tally: &Tally, file: &str, cases: Result<Vec<Case>, String>) {
    let cases = match cases {
        Ok(cases) if cases.is_empty() => Err(format!("{file} holds no rows")),
        cases => cases,
    };
    match cases {
        Err(reason) => trials.push(Trial::test(file, move || Err(reason.into()))),
        Ok(cases) => {
            for (name, check) in cases {
                let (tally, key) = (Arc::clone(tally), file.to_owned());
                trials.push(Trial::test(format!("{file}::{name}"), move || {
                    let verdict = check();
                    let mut tally = tally.lock().expect("no case panics with the lock held");
                    let count = tally.entry(key).or_default();
                    count.0 += usize::from(verdict.is_ok());
                    count.1 += 1;
                    verdict
                }));
            }
        }
    }
}

fn row_cases(folder: &Path, file: &str, check: rows::Check) -> Result<Vec<Case>, String> {
    let path = folder.join(file);
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let row: serde_json::Value =
            serde_json::from_str(line).map_err(|error| format!("{file}:{}: {error}", index + 1))?;
        let name = row["id"]
            .as_str()
            .map_or_else(|| format!("{index:04}"), str::to_owned);
        cases.push((name, Box::new(move || check(&row))));
    }
    Ok(cases)
}
