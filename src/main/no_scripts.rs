//! Replaces the options for CGI scripts on Windows, which has no CGI.

use std::sync::Arc;

use servette::server::Listener;
use servette::{RequestHandler, SimpleHandler};

use super::Arguments;

/// `--cgi` alone, which is an error here.
#[derive(Debug, clap::Args)]
pub(crate) struct ScriptArguments {
    /// Run scripts (not supported on Windows)
    #[arg(long, hide = true)]
    cgi: bool,
}

/// The handler of the command: a file server.
#[derive(Debug)]
pub(crate) struct Handler(SimpleHandler);

impl Handler {
    /// Serves with this handler, without dynamic dispatch.
    pub(crate) fn serve(
        self,
        arguments: &Arguments,
        sockets: Vec<Listener>,
    ) -> servette::Result<()> {
        super::serve(arguments, sockets, self.0)
    }

    /// Returns the handler as a trait object, for a handler in front of it.
    pub(crate) fn into_shared(self) -> Arc<dyn RequestHandler + Send + Sync> {
        Arc::new(self.0)
    }
}

impl ScriptArguments {
    /// Does nothing: there are no scripts that could inherit descriptors.
    pub(crate) fn shed_inherited(&self) -> Result<(), String> {
        Ok(())
    }

    /// Makes the handler.
    pub(crate) fn handler(&self, files: SimpleHandler) -> Result<Handler, String> {
        match self.cgi {
            true => Err("--cgi is not supported on Windows".to_owned()),
            false => Ok(Handler(files)),
        }
    }
}
