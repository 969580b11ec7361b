//! The command line: flags as typed, what they mean, one short function for
//! each subcommand, and the exit code.

mod annotate;
mod args;
mod clusters;
mod compare;
mod complete;
mod coverage;
mod crd;
mod edit;
mod exit;
mod explain;
mod function;
mod given;
mod handoff;
mod interrupt;
mod items;
mod lint;
mod network;
mod options_file;
mod origin;
mod output_files;
mod policy_test;
mod scan;
mod schema;
mod shared_asker;
mod stdin;
mod streams;
mod suggest;
mod tables;
mod target;
mod update;
mod webhook;

use std::ffi::OsString;
use std::io::IsTerminal as _;

use clap::{CommandFactory as _, Parser as _};
use nix::sys::signal::{SigSet, Signal};

use crate::foreign::shown_lines;

use args::Command;

pub use args::Cli;
pub use exit::Exit;
pub use schema::schemas;

/// A panic ends the program with the exit code of a bug, in whatever thread it
/// happens.
pub fn report_bugs() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        std::process::exit(Exit::Bug.code());
    }));
}

/// A write past the limit on the size of files (`ulimit -f`) is an error like
/// that of a full disk, not the end of the process in the middle of its work.
pub fn survive_size_limits() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    // Threads inherit it, and programs that are started do not. Where it cannot
    // be done, the signal does what it always did.
    _ = signals.thread_block();
}

/// Runs the program on the process's arguments and streams.
#[must_use]
pub fn main() -> Exit {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // What stands behind it is not a command line yet.
    if words.get(1).is_some_and(|word| word == "__complete") {
        return complete::answer(&words[2..]).unwrap_or(Exit::Usage);
    }
    let has_command = words.iter().skip(1).any(|word| word != "--");
    if !has_command && !std::io::stdin().is_terminal() {
        words = vec!["flux-image".into(), "fn".into()];
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed to stdout and are no mistake.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            // What was typed may be somebody else's text, and is echoed.
            let said = error.render().to_string();
            let shown = shown_lines(&said);
            if shown == said {
                _ = error.print();
            } else {
                streams::say(shown);
            }
            return exit;
        }
    };
    if cli.verbose {
        streams::list_all();
    }
    let Some(command) = cli.command else {
        _ = Cli::command().print_help();
        return Exit::Usage;
    };
    run(&command).unwrap_or_else(|error| {
        let said = shown_lines(&format!("{error:#}"));
        let style = exit::ERROR;
        streams::say(format_args!("{style}error{style:#}: {said}\n"));
        let exit = Exit::of_error(&error);
        if exit == Exit::Bug {
            streams::say("  hint: this is a bug of flux-image; please report it\n");
        }
        exit
    })
}

fn run(command: &Command) -> anyhow::Result<Exit> {
    stdin::check(command)?;
    match command {
        Command::Fn(args) => function::run(args),
        Command::Update(args) => update::run(args),
        Command::Annotate(args) => annotate::run(args),
        Command::Scan(args) => scan::scan(args),
        Command::Resolve(args) => scan::resolve(args),
        Command::Explain(args) => explain::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Policies(args) => tables::run(args, tables::Table::Policies),
        Command::Repositories(args) => tables::run(args, tables::Table::Repositories),
        Command::Automations(args) => tables::run(args, tables::Table::Automations),
        Command::Suggest(args) => suggest::run(args),
        Command::Test(args) => policy_test::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Coverage(args) => coverage::run(args),
        Command::Message(args) => handoff::message(args),
        Command::Branch(args) => handoff::branch(args),
        Command::Schema(args) => schema::run(args),
        Command::Completion(args) => complete::script(args),
    }
}
