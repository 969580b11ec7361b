//! A template and its data give a message, as Flux's controller renders it.

use std::thread;

use crate::commit::data::Data;
use go_template::error::{Cause, Error, Position};
use go_template::function::Function;
use go_template::time::Time;
use go_template::{Limits, Template};

/// The message where an automation has no template.
pub const DEFAULT_MESSAGE: &str = "Update from image update automation";

/// Stack for templates that call one another as deep as they may, in bytes.
const STACK: usize = 128 << 20;

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is not a template.
    #[error("unable to create commit message template from spec: {0}")]
    Syntax(Error),
    /// It cannot be executed.
    #[error("failed to run template from spec: {0}")]
    Run(Error),
    /// It uses what Flux has removed, in Flux's own words, and where.
    #[error("{} ({})", _0.message, _0.position)]
    Removed(Error),
    /// git takes no message with a NUL.
    #[error("the message contains a NUL byte, which git does not take")]
    Nul,
}

impl MessageError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Removed(error) if error.message.contains("'.Updated'") => Some(
                "write `{{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}{{ end }}` for `.Updated.Images`, `.Changed.FileChanges` for `.Updated.Files`, `.Changed.Objects` for `.Updated.Objects`; or have it as it was with `--legacy-templates`",
            ),
            Self::Removed(_) => Some(
                "write `.Changed.FileChanges` for `.Changed.ImageResult.Files`, `.Changed.Objects` for `.Changed.ImageResult.Objects`, `.Changed.Changes` for `.Changed.ImageResult.Images`; or have it as it was with `--legacy-templates`",
            ),
            Self::Syntax(error) if error.message.starts_with("function \"") => Some(
                "Flux's templates know sprig's functions without those for the clock, chance, the environment and the network",
            ),
            _ => None,
        }
    }
}

/// The message of an automation. `template` is its `messageTemplate`, empty for
/// the default one; `now` is what sprig's `ago` counts to.
///
/// # Errors
/// As Flux would refuse it, and what takes too much time, memory or space.
pub fn message(template: &str, data: &Data<'_>, now: &Time) -> Result<String, MessageError> {
    let template = if template.is_empty() {
        DEFAULT_MESSAGE
    } else {
        template
    };
    let message = text(template, &[], data, now).map_err(|error| match error.cause {
        Cause::Syntax => MessageError::Syntax(error),
        Cause::Refused => MessageError::Removed(error),
        Cause::Run | Cause::Limit => MessageError::Run(error),
    })?;
    if message.contains('\0') {
        return Err(MessageError::Nul);
    }
    Ok(message)
}

/// Whether there is anything to execute in a template.
#[must_use]
pub fn has_actions(template: &str) -> bool {
    template.contains("{{")
}

/// The text that a template makes, with `more` functions than Flux's.
///
/// # Errors
/// What is not a template, or cannot be executed.
pub fn text(
    template: &str,
    more: &'static [Function],
    data: &Data<'_>,
    now: &Time,
) -> Result<String, Error> {
    let render = || {
        let template = Template::parse(template, more, Limits::default())?;
        template.execute(&data.value(), now)
    };
    // Without an action a template is its own result.
    if !has_actions(template) && template.len() <= Limits::default().result {
        return Ok(template.to_owned());
    }
    // Templates may call themselves a good deal deeper than a main thread's
    // stack reaches.
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        match thread.spawn_scoped(scope, render) {
            Ok(running) => running
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(Error {
                position: Position::default(),
                context: String::new(),
                message: format!("cannot start a thread for the template: {error}"),
                cause: Cause::Limit,
            }),
        }
    })
}
