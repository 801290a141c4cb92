//! [`get`], [`post`] and the like, which start a [`RequestPattern`].

use super::matching::RequestPattern;
use super::path::PathPattern;

/// Matches GET requests for this path: see [`RequestPattern`].
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn get(path: impl Into<PathPattern>) -> RequestPattern {
    method("GET", path)
}

/// Matches HEAD requests for this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn head(path: impl Into<PathPattern>) -> RequestPattern {
    method("HEAD", path)
}

/// Matches POST requests to this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn post(path: impl Into<PathPattern>) -> RequestPattern {
    method("POST", path)
}

/// Matches PUT requests to this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn put(path: impl Into<PathPattern>) -> RequestPattern {
    method("PUT", path)
}

/// Matches PATCH requests to this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn patch(path: impl Into<PathPattern>) -> RequestPattern {
    method("PATCH", path)
}

/// Matches OPTIONS requests for this path, or for `*`.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn options(path: impl Into<PathPattern>) -> RequestPattern {
    method("OPTIONS", path)
}

/// Matches DELETE requests for this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn delete(path: impl Into<PathPattern>) -> RequestPattern {
    method("DELETE", path)
}

/// Matches requests with this method, such as `SPAM`, `PROPFIND`, or `CONNECT` (whose path is `host:port`).
///
/// # Panics
/// If no request can have such a method or such a path.
#[track_caller]
pub fn method(name: &str, path: impl Into<PathPattern>) -> RequestPattern {
    RequestPattern::new(Some(name.to_owned()), path.into())
}

/// Matches requests with any method for this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn any(path: impl Into<PathPattern>) -> RequestPattern {
    RequestPattern::new(None, path.into())
}
