//! [`Route`]: the method and the path of a request, by which the predictor tells requests apart.

use std::hash::{DefaultHasher, Hasher as _};

use crate::http1::bytes;

/// The method and the path of a request, without the query, hashed into an index below 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Route(pub(super) u8);

impl Route {
    pub(super) fn of(method: &str, path: &str) -> Self {
        let path = path.as_bytes();
        let path = path.get(..path.len().min(64)).unwrap_or_default();
        let path = match bytes::find(path, b'?') {
            Some(query) => path.get(..query).unwrap_or_default(),
            None => path,
        };
        // More of a method tells no others apart.
        let first = method.as_bytes().first().copied().unwrap_or_default();
        let mut hash = DefaultHasher::new();
        hash.write_usize((path.len() << 16) | (method.len() << 8) | usize::from(first));
        hash.write(path);
        Route((hash.finish() >> 56) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_makes_no_other_route() {
        assert_eq!(Route::of("GET", "/a?x=1"), Route::of("GET", "/a?y"));
        assert_eq!(Route::of("GET", "/a"), Route::of("GET", "/a?y"));
        let routes = [
            ("GET", "/a"),
            ("GET", "/b"),
            ("POST", "/a"),
            ("GET", "/sleep"),
            ("GET", "/sleep/longer"),
            ("GET", "/hello"),
            ("", ""),
        ]
        .map(|(method, path)| Route::of(method, path));
        for (i, one) in routes.iter().enumerate() {
            assert!(routes.iter().skip(i + 1).all(|other| other != one));
        }
    }
}
