//! The routes of requests.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route(pub(crate) u8);

impl Route {
    pub(crate) fn of(_method: &str, path: &str) -> Self {
        Route(path.as_bytes()[0])
    }
}
