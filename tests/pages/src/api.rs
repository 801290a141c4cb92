//! The names of the crate's sources, as rustfmt lays them out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::at;

#[derive(Debug, Default)]
pub(crate) struct Api {
    /// Public types and traits with their members: methods, constants, fields, variants.
    pub(crate) types: BTreeMap<String, BTreeSet<String>>,
    /// Members of public traits, which the types that implement them have, too.
    pub(crate) hooks: BTreeSet<String>,
    pub(crate) functions: BTreeSet<String>,
    /// The module of each of them: a macro may give it members there.
    homes: BTreeMap<String, String>,
    /// All modules, public or not, with the names that they define.
    pub(crate) modules: BTreeMap<String, BTreeSet<String>>,
}

impl Api {
    pub(crate) fn read() -> Api {
        let mut api = Api::default();
        api.add_directory(&at("src"), true);
        for name in ["it", "scheduler", "pages/src"] {
            api.add_directory(&at("tests").join(name), false);
        }
        for name in ["fixture_leaks.rs", "fixture_threads.rs"] {
            api.add_file(&at("tests").join(name), false);
        }
        api
    }

    fn add_directory(&mut self, directory: &Path, is_crate: bool) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            // The command has no API.
            let is_crate = is_crate && !path.to_string_lossy().contains("/src/main");
            if path.is_dir() {
                self.add_directory(&path, is_crate);
            } else if path.extension().is_some_and(|suffix| suffix == "rs") {
                self.add_file(&path, is_crate);
            }
        }
    }

    fn add_file(&mut self, path: &Path, is_crate: bool) {
        let text = std::fs::read_to_string(path).unwrap();
        let module = path.file_stem().unwrap().to_str().unwrap();
        // What the lines are indented by four in, and whether it is a trait or an enum.
        let mut item = (String::new(), "");
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            let mut words = words(line);
            let is_public = words.first() == Some(&"pub") && !line.trim_start().starts_with("pub(");
            words.retain(|word| !["pub", "crate", "super", "in", "async", "unsafe"].contains(word));
            let names = self.modules.entry(module.to_owned()).or_default();
            if let [kind, name, ..] = words[..]
                && [
                    "fn",
                    "struct",
                    "enum",
                    "trait",
                    "const",
                    "static",
                    "type",
                    "mod",
                    "macro_rules",
                ]
                .contains(&kind)
            {
                names.insert(name.to_owned());
            } else if let [name, ..] = words[..]
                && indent == 4
                && !is_statement(line)
            {
                // A field or a variant.
                names.insert(name.to_owned());
            }
            if let ["struct" | "enum" | "trait", name, ..] = words[..]
                && is_public
                && is_crate
            {
                self.types.entry(name.to_owned()).or_default();
                self.homes.insert(name.to_owned(), module.to_owned());
            }
            match (indent, &words[..]) {
                (0, ["impl", ..]) if is_crate => item = (implemented(line), "impl"),
                (0, [kind @ ("struct" | "enum" | "trait"), name, ..]) if is_public && is_crate => {
                    item = (name.to_string(), kind);
                }
                (0, ["type", name, ..]) if is_public && is_crate => {
                    self.types.entry(name.to_string()).or_default();
                }
                (0, ["fn" | "const" | "macro_rules", name, ..]) if is_crate => {
                    if is_public {
                        self.functions.insert(name.to_string());
                    }
                    item = (String::new(), "");
                }
                (0, _) if line.starts_with(|c: char| c.is_alphabetic()) => {
                    item = (String::new(), "");
                }
                (4, ["fn" | "const", name, ..]) if is_public || item.1 == "trait" => {
                    if item.1 == "trait" {
                        self.hooks.insert(name.to_string());
                    }
                    self.add_member(&item.0, name);
                }
                (4, [name, ..]) if is_public && item.1 == "struct" => {
                    self.add_member(&item.0, name)
                }
                (4, [name, ..]) if item.1 == "enum" && line.trim_start().starts_with(*name) => {
                    self.add_member(&item.0, name);
                }
                _ => {}
            }
        }
    }

    fn add_member(&mut self, item: &str, name: &str) {
        let members = self.types.entry(item.to_owned()).or_default();
        members.insert(name.to_owned());
    }

    pub(crate) fn is_member(&self, item: &str, name: &str) -> bool {
        let members = self.types.get(item);
        let home = self.homes.get(item).and_then(|home| self.modules.get(home));
        members.is_some_and(|members| members.contains(name) || self.hooks.contains(name))
            || home.is_some_and(|names| names.contains(name))
    }

    /// Whether any module, also a private one, defines this name.
    pub(crate) fn is_defined(&self, name: &str) -> bool {
        self.modules.values().any(|names| names.contains(name))
    }

    /// Whether anything of the API that can be called or read has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut all = self.types.values();
        self.functions.contains(name) || all.any(|members| members.contains(name))
    }
}

/// Whether a line calls, assigns or ends something, in place of declaring it.
fn is_statement(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(['/', '.', '}', ')']) || line.ends_with(';') || line.contains(" = ")
}

/// The words of a line, without what is between them.
fn words(line: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = line.split(|c| !is_word(c));
    words.filter(|word| !word.is_empty()).collect()
}

/// `Exchange` of `impl<'a> Exchange<'a> {` and of `impl fmt::Debug for Exchange<'_> {`.
fn implemented(line: &str) -> String {
    let line = line.split(" where").next().unwrap_or_default();
    let item = match line.split_once(" for ") {
        Some((_, item)) => item,
        None => {
            let rest = line.strip_prefix("impl").unwrap_or_default();
            // Past the generics.
            let mut depth = 0;
            let end = rest.find(|c| {
                depth += i32::from(c == '<') - i32::from(c == '>');
                c == ' ' && depth == 0
            });
            &rest[end.unwrap_or(0)..]
        }
    };
    let item = item.trim().trim_start_matches('&');
    let item = item.split(['<', ' ', '{']).next().unwrap_or_default();
    item.rsplit("::").next().unwrap_or_default().to_owned()
}
