//! Replaces the module `cgi` on Windows, which has no CGI.

use crate::{Exchange, Layer, RequestHandler};

/// An empty trait: no handler runs scripts.
pub trait RunScripts {}

impl<L: Layer> RunScripts for L {}

/// Returns `None`: only CGI handlers know the user of a request.
pub(crate) fn user_name<H>(_: &H, _: &Exchange<'_>) -> Option<String>
where
    H: RequestHandler + ?Sized,
{
    None
}
