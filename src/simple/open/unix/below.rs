//! Paths below a root, told by their bytes. That takes a tenth of the steps of the standard library's
//! way, name by name, which has the last word on all that is unusual.

use std::path::{Component, Path};

/// The way from `root` to `path`; `None` if that is not below it.
pub(crate) fn relative_to<'p>(root: &Path, path: &'p Path) -> Option<&'p Path> {
    usual_way(root, path).or_else(|| path.strip_prefix(root).ok())
}

/// The same, where `root` stands in `path` as it is written, and usual names follow.
fn usual_way<'p>(root: &Path, path: &'p Path) -> Option<&'p Path> {
    let root = root.as_os_str().as_encoded_bytes();
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(root)?;
    let names = match root.last()? {
        b'/' => rest,
        _ => rest.strip_prefix(b"/")?,
    };
    let names = Path::new(crate::sys::name(names)?);
    has_usual_names(names).then_some(names)
}

/// Whether a path has names only. This is what makes a join with the root safe.
pub(super) fn is_plain(path: &Path) -> bool {
    has_usual_names(path)
        || path
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
}

/// Whether a path is relative and has nothing but names in it, none of which starts with a dot, with a
/// slash between each two. False says nothing.
fn has_usual_names(path: &Path) -> bool {
    let path = path.as_os_str().as_encoded_bytes();
    let mut is_first = true;
    let are_usual = path.iter().all(|&byte| {
        let is_usual = !(is_first && matches!(byte, b'/' | b'.'));
        is_first = byte == b'/';
        is_usual
    });
    are_usual && path.last() != Some(&b'/')
}

/// Whether `path` is `root`, as it is written, and one name. False says nothing.
pub(super) fn is_directly_in(root: &Path, path: &Path) -> bool {
    let (root, path) = (
        root.as_os_str().as_encoded_bytes(),
        path.as_os_str().as_encoded_bytes(),
    );
    let last = path.iter().rposition(|&byte| byte == b'/');
    match last.and_then(|last| path.split_at_checked(last)) {
        _ if root.is_empty() => false,
        Some((directory, [b'/', name @ ..])) => {
            root.strip_suffix(b"/").unwrap_or(root) == directory
                && !matches!(name, b"" | b"." | b"..")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_one_name_behind_the_root_as_it_is_written_is_directly_in_it() {
        for (root, path, is_direct) in [
            ("/srv", "/srv/a", true),
            ("/srv/", "/srv/a", true),
            ("/", "/a", true),
            (".", "./a", true),
            ("www", "www/..a", true),
            ("/srv", "/srv/a/b", false),
            ("/srv", "/srv/a/", false),
            ("/srv", "/srv//a", false),
            ("/srv", "/srv/", false),
            ("/srv", "/srv", false),
            ("/srv", "/srv/.", false),
            ("/srv", "/srv/..", false),
            ("/srv", "/srva", false),
            ("/srv", "/other/a", false),
            ("/", "a", false),
            ("", "a", false),
            ("", "/a", false),
        ] {
            let (root, path) = (Path::new(root), Path::new(path));
            assert_eq!(is_directly_in(root, path), is_direct, "{root:?} {path:?}");
        }
    }

    proptest! {
        #[test]
        fn the_usual_way_is_the_way(root in "[a/.]{0,5}", path in "[a/.]{0,8}", joined: bool) {
            let path = if joined { format!("{root}/{path}") } else { path };
            let (root, path) = (Path::new(&root), Path::new(&path));
            let found = relative_to(root, path);
            let bytes = |way: &Path| way.as_os_str().as_encoded_bytes().to_vec();
            prop_assert_eq!(found.map(bytes), path.strip_prefix(root).ok().map(bytes));
            let is_normal = |component| matches!(component, Component::Normal(_));
            prop_assert_eq!(is_plain(path), path.components().all(is_normal));
            if is_directly_in(root, path) {
                prop_assert_eq!(found.map(|way| way.components().count()), Some(1));
            }
        }
    }
}
