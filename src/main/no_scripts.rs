//! In the place of the options that have to do with scripts: there are none on Windows.

use std::sync::Arc;

use servette::server::Listener;
use servette::{RequestHandler, SimpleHandler};

use super::Arguments;

/// `--cgi`, which says that it does nothing here.
#[derive(Debug, clap::Args)]
pub(crate) struct ScriptArguments {
    /// Run scripts: not on Windows
    #[arg(long, hide = true)]
    cgi: bool,
}

/// What serves: files alone.
#[derive(Debug)]
pub(crate) struct Handler(SimpleHandler);

impl Handler {
    /// Serves with the handler's own type.
    pub(crate) fn serve(
        self,
        arguments: &Arguments,
        sockets: Vec<Listener>,
    ) -> servette::Result<()> {
        super::serve(arguments, sockets, self.0)
    }

    /// The handler, to put another one in front of it.
    pub(crate) fn into_shared(self) -> Arc<dyn RequestHandler + Send + Sync> {
        Arc::new(self.0)
    }
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
            false => Ok(Handler(files)),
        }
    }
}
