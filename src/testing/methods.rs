//! [`get`], [`post`] and their like: where a [`RequestPattern`] starts.

use super::matching::RequestPattern;
use super::path::PathPattern;

/// A GET for this path: see [`RequestPattern`].
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn get(path: impl Into<PathPattern>) -> RequestPattern {
    method("GET", path)
}

/// A HEAD for this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn head(path: impl Into<PathPattern>) -> RequestPattern {
    method("HEAD", path)
}

/// A POST to this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn post(path: impl Into<PathPattern>) -> RequestPattern {
    method("POST", path)
}

/// A PUT of this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn put(path: impl Into<PathPattern>) -> RequestPattern {
    method("PUT", path)
}

/// A PATCH of this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn patch(path: impl Into<PathPattern>) -> RequestPattern {
    method("PATCH", path)
}

/// An OPTIONS for this path, or for `*`.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn options(path: impl Into<PathPattern>) -> RequestPattern {
    method("OPTIONS", path)
}

/// A DELETE of this path.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn delete(path: impl Into<PathPattern>) -> RequestPattern {
    method("DELETE", path)
}

/// A request with this method, such as `SPAM`, `PROPFIND`, or `CONNECT` (whose path is `host:port`).
///
/// # Panics
/// If no request can have such a method or such a path.
#[track_caller]
pub fn method(name: &str, path: impl Into<PathPattern>) -> RequestPattern {
    RequestPattern::new(Some(name.to_owned()), path.into())
}

/// A request with any method.
///
/// # Panics
/// If no request can have such a path, for example one without a leading slash.
#[track_caller]
pub fn any(path: impl Into<PathPattern>) -> RequestPattern {
    RequestPattern::new(None, path.into())
}
