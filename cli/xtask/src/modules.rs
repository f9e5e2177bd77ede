//! The modules of one crate: which file each stands in, what it defines, what it imports.

use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::Visit;
use syn::{Attribute, Item, UseTree, Visibility};

/// A module's path from the crate's root; the root's is empty.
pub(crate) type ModulePath = Vec<String>;

/// A path as it is written, from its first segment, and whether it re-exports something of a child of its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) segments: Vec<String>,
    /// The line, from 1.
    pub(crate) line: usize,
    /// A `use` that is not private.
    pub(crate) exported: bool,
}

/// One module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Index of its file in [`Modules::files`]. An inline module stands in its parent's.
    pub(crate) file: usize,
    /// Names of items that it defines, but for modules.
    pub(crate) items: BTreeSet<String>,
    /// Names that `use` brings in, with the path each stands for.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    /// Paths of `use ...::*`.
    pub(crate) globs: Vec<Vec<String>>,
    /// Every path of a `use`, and every path in code that begins with `crate`, `self`, `super` or a child's name.
    pub(crate) written: Vec<Written>,
}

/// The modules of one crate, without those that only tests have.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// Relative to the folder that was asked for.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) modules: BTreeMap<ModulePath, Module>,
}

impl Modules {
    /// Reads a crate from its root file on.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let mut modules = Self::default();
        let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
        modules.file(root, &[], &folder)?;
        Ok(modules)
    }

    /// Reads the file of a module; files of its children stand in `folder`.
    fn file(&mut self, file: &Path, path: &[String], folder: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(file).map_err(|source| Error::Read { file: file.into(), source })?;
        let parsed = syn::parse_file(&text).map_err(|error| Error::Parse {
            file: file.into(),
            line: error.span().start().line,
            message: error.to_string(),
        })?;
        let index = self.files.len();
        self.files.push(file.into());
        self.items(&parsed.items, index, path, folder)
    }

    fn items(&mut self, items: &[Item], file: usize, path: &[String], folder: &Path) -> Result<(), Error> {
        let mut module = Module { file, ..Module::default() };
        let mut children = Vec::new();
        for item in items {
            if only_tests(attributes(item)) {
                continue;
            }
            match item {
                Item::Mod(child) => children.push(child),
                // `::name` is another crate, whatever this module calls `name`.
                Item::Use(import) if import.leading_colon.is_some() => {}
                Item::Use(import) => {
                    let exported = !matches!(import.vis, Visibility::Inherited);
                    module.import(&import.tree, &mut Vec::new(), exported);
                }
                other => {
                    module.items.extend(name(other));
                }
            }
        }
        let names: BTreeSet<String> = children.iter().map(|child| child.ident.to_string()).collect();
        for item in items.iter().filter(|item| !matches!(item, Item::Mod(_) | Item::Use(_))) {
            if !only_tests(attributes(item)) {
                Paths { module: &mut module, children: &names }.visit_item(item);
            }
        }
        self.modules.insert(path.to_vec(), module);
        for child in children {
            let name = child.ident.to_string();
            let mut below = path.to_vec();
            below.push(name.clone());
            let inner = folder.join(&name);
            if let Some((_, items)) = &child.content {
                self.items(items, file, &below, &inner)?;
            } else {
                let flat = folder.join(format!("{name}.rs"));
                let file = if flat.exists() { flat } else { inner.join("mod.rs") };
                self.file(&file, &below, &inner)?;
            }
        }
        Ok(())
    }
}

impl Module {
    fn import(&mut self, tree: &UseTree, before: &mut Vec<String>, exported: bool) {
        let write = |module: &mut Self, path: Vec<String>, line| {
            module.written.push(Written { segments: path, line, exported });
        };
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before, exported);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, exported);
                }
            }
            UseTree::Name(name) => {
                let line = name.ident.span().start().line;
                let mut path = before.clone();
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                if let Some(last) = path.last() {
                    self.imports.insert(last.clone(), path.clone());
                }
                write(self, path, line);
            }
            UseTree::Rename(rename) => {
                let line = rename.ident.span().start().line;
                let mut path = before.clone();
                if rename.ident != "self" {
                    path.push(rename.ident.to_string());
                }
                self.imports.insert(rename.rename.to_string(), path.clone());
                write(self, path, line);
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.span.start().line;
                self.globs.push(before.clone());
                write(self, before.clone(), line);
            }
        }
    }
}

/// Collects the paths in an item's code.
struct Paths<'a> {
    module: &'a mut Module,
    children: &'a BTreeSet<String>,
}

impl Paths<'_> {
    fn note(&mut self, segments: Vec<String>, line: usize) {
        let own = segments
            .first()
            .is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str()) || self.children.contains(first));
        if own && segments.len() > 1 {
            self.module.written.push(Written { segments, line, exported: false });
        }
    }

    /// Paths in what a macro is given, which is no syntax yet.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        use proc_macro2::TokenTree;
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(std::mem::take(&mut path), line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.note(std::mem::take(&mut path), line);
                    self.tokens(group.stream());
                }
                _ => self.note(std::mem::take(&mut path), line),
            }
        }
        self.note(path, line);
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
            self.note(segments, line);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.tokens(mac.tokens.clone());
        syn::visit::visit_macro(self, mac);
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        // Within a function: what it brings in is not the module's.
        let mut inner = Module::default();
        inner.import(&import.tree, &mut Vec::new(), false);
        for written in inner.written {
            self.note(written.segments, written.line);
        }
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

/// Whether `cfg(test)` stands among these, alone or in `all(...)`.
pub(crate) fn only_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                let text = list.tokens.to_string();
                text == "test" || text.starts_with("all (test")
            })
    })
}
