//! Takes the place of the module `cgi` on Windows, where no scripts run.

use crate::{Exchange, Layer, RequestHandler};

/// A handler that runs scripts: there is none.
pub trait RunScripts {}

impl<L: Layer> RunScripts for L {}

/// The name of the user who sent a request, for the log: only handlers of scripts know it.
pub(crate) fn user_name<H>(_: &H, _: &Exchange<'_>) -> Option<String>
where
    H: RequestHandler + ?Sized,
{
    None
}
