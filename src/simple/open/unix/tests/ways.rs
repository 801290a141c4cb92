//! What the file system is asked of a file that is kept, and that it is what opening it would find.

use super::*;

#[test]
fn a_way_is_one_call_unless_a_directory_on_it_could_have_become_a_link() {
    let root = Path::new("/srv");
    for (path, symlinks, is_one_call) in [
        ("/srv/a", Symlinks::Deny, true),
        ("/srv/a", Symlinks::InsideRoot, true),
        ("/srv/a/b", Symlinks::Deny, false),
        ("/srv/a/b", Symlinks::InsideRoot, false),
        ("/srv/a/b", Symlinks::Follow, true),
        ("/elsewhere/a/b", Symlinks::Deny, true),
        ("/srv/a\0", Symlinks::Deny, false),
    ] {
        let way = Way::new(root, Path::new(path), symlinks);
        assert_eq!(way.is_one_call(), is_one_call, "{path:?} {symlinks:?}");
    }
    let (root, path) = (Path::new("/"), Path::new("/\0"));
    for symlinks in [Symlinks::Deny, Symlinks::Follow] {
        let way = Way::new(root, path, symlinks);
        assert!(way.describe(root, path, symlinks).is_err());
    }
}

#[test]
fn what_is_described_is_what_would_be_opened() {
    both_ways(|| {
        let temp = Temp::new();
        temp.link("file", "www/inside");
        temp.link("../outside", "www/out");
        temp.link("sub", "www/to-sub");
        temp.link("..", "www/up");
        let names = [
            "file",
            "inside",
            "out",
            "sub/deep/file",
            "to-sub/deep/file",
            "up/outside",
            "none",
        ];
        for symlinks in [Symlinks::Deny, Symlinks::InsideRoot, Symlinks::Follow] {
            for name in names {
                let (root, path) = (temp.root(), temp.root().join(name));
                let opened = match open(&root, Path::new(name), symlinks) {
                    Ok(Found::File(_, description)) => Some(description),
                    _ => None,
                };
                assert_eq!(
                    Way::new(&root, &path, symlinks)
                        .describe(&root, &path, symlinks)
                        .ok(),
                    opened,
                    "{name} {symlinks:?}"
                );
            }
        }
    });
}
