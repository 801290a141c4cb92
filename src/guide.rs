//! Guides: the pages of `docs/` in the repository.
//!
//! **Start here**: [the tutorial](tutorial) goes from hello to a whole program. Coming from
//! [Python](python), [tiny_http](from_tiny_http), or [wiremock and httpmock](from_wiremock).
//!
//! **Write**: [recipes] (JSON API, forms, cookies, CORS, middleware, uploads, graceful shutdown),
//! [files and built sites](files), [directory listings](listing), [CGI scripts](cgi), [HTTPS](tls).
//!
//! **Test**: [servers and stubs for the tests of an HTTP client](testing).
//!
//! **Operate**: [the command and its options](command), [deploying](deploy), [clients and proxies](proxies),
//! [security], [performance], [platforms].
//!
//! **Work on servette**: [its design](design).

// Each page stands behind definitions of the links between pages: here they lead to these modules, on a forge to
// the files. The page has definitions of its own at its end, and the first definition of a link is the one that
// counts. `UPDATE_DOCS=1 cargo test --manifest-path tests/pages/Cargo.toml` writes `guide/links.md`.
//
// A page whose programs need a feature is always shown, and compiled with the feature only.

#[doc = include_str!("guide/links.md")]
#[cfg_attr(
    any(not(doctest), all(feature = "testing", feature = "json", feature = "auth")),
    doc = include_str!("../docs/tutorial.md")
)]
pub mod tutorial {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/python.md")]
pub mod python {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/from-tiny-http.md")]
pub mod from_tiny_http {}

#[doc = include_str!("guide/links.md")]
#[cfg_attr(
    any(not(doctest), all(feature = "testing", feature = "json")),
    doc = include_str!("../docs/from-wiremock.md")
)]
pub mod from_wiremock {}

#[doc = include_str!("guide/links.md")]
#[cfg_attr(
    any(not(doctest), all(feature = "testing", feature = "json", feature = "self-signed")),
    doc = include_str!("../docs/testing.md")
)]
pub mod testing {}

#[doc = include_str!("guide/links.md")]
#[cfg_attr(
    any(not(doctest), all(feature = "json", feature = "auth")),
    doc = include_str!("../docs/recipes.md")
)]
pub mod recipes {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/files.md")]
pub mod files {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/listing.md")]
pub mod listing {}

#[doc = include_str!("guide/links.md")]
#[cfg_attr(any(not(doctest), unix), doc = include_str!("../docs/cgi.md"))]
pub mod cgi {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/command.md")]
pub mod command {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/deploy.md")]
pub mod deploy {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/proxies.md")]
pub mod proxies {}

#[doc = include_str!("guide/links.md")]
#[cfg_attr(any(not(doctest), feature = "tls"), doc = include_str!("../docs/tls.md"))]
pub mod tls {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/platforms.md")]
pub mod platforms {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../docs/design.md")]
pub mod design {}
