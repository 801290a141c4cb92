//! In the place of the options that have to do with scripts: there are none on Windows.

use servette::SimpleHandler;

/// `--cgi`, which says that it does nothing here.
#[derive(Debug, clap::Args)]
pub(crate) struct ScriptArguments {
    /// Run scripts: not on Windows
    #[arg(long, hide = true)]
    cgi: bool,
}

/// What serves: files alone.
pub(crate) enum Handler {
    Files(Box<SimpleHandler>),
}

impl ScriptArguments {
    /// Nothing is handed over to this process that scripts could inherit.
    pub(crate) fn shed_inherited(&self) -> Result<(), String> {
        Ok(())
    }

    /// The handler that these options ask for.
    pub(crate) fn handler(&self, files: SimpleHandler) -> Result<Handler, String> {
        match self.cgi {
            true => Err("--cgi is not supported on Windows".to_owned()),
            false => Ok(Handler::Files(files.into())),
        }
    }
}
