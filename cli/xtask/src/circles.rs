//! Import circles: strongly connected components of a crate's files, by the paths that they `use`.

use crate::modules::{ModulePath, Modules, Written};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeMap;
use std::hash::RandomState;

/// Which file imports from which, with the first line that does.
pub(crate) type Graph = BTreeMap<usize, BTreeMap<usize, usize>>;

/// What a path leads to.
enum Target {
    Module(ModulePath),
    /// An item, and the file that it stands in.
    Item(usize),
}

/// The graph of a crate's files. `mod`, and a re-export of something of a child, are no imports.
pub(crate) fn graph(modules: &Modules) -> Graph {
    let mut graph: Graph = (0..modules.files.len()).map(|file| (file, BTreeMap::new())).collect();
    for (path, module) in &modules.modules {
        for written in &module.written {
            if written.exported && of_child(modules, path, written) {
                continue;
            }
            let Some(target) = resolve(modules, path, &written.segments, 0) else { continue };
            let file = match target {
                Target::Item(file) => file,
                Target::Module(path) => modules.modules.get(&path).map_or(module.file, |module| module.file),
            };
            if file != module.file {
                graph.entry(module.file).or_default().entry(file).or_insert(written.line);
            }
        }
    }
    graph
}

fn of_child(modules: &Modules, path: &ModulePath, written: &Written) -> bool {
    let first = written.segments.iter().find(|segment| *segment != "self");
    first.is_some_and(|first| {
        let mut child = path.clone();
        child.push(first.clone());
        modules.modules.contains_key(&child)
    })
}

/// Follows a path that stands in a module. None if it leads out of the crate.
fn resolve(modules: &Modules, from: &ModulePath, segments: &[String], depth: usize) -> Option<Target> {
    // Imports that go round lead nowhere; the compiler refuses them.
    if depth > 32 {
        return None;
    }
    let mut at = from.clone();
    let mut rest = segments;
    let mut anchored = false;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop()?;
            }
            _ => break,
        }
        anchored = true;
        rest = after;
    }
    let Some((first, after)) = rest.split_first() else { return Some(Target::Module(at)) };
    match step(modules, &at, first, depth) {
        Some(Target::Module(next)) if after.is_empty() => Some(Target::Module(next)),
        Some(Target::Module(next)) => {
            let mut path = vec!["self".to_owned()];
            path.extend(after.iter().cloned());
            resolve(modules, &next, &path, depth + 1)
        }
        // A path may go on behind an item: a variant, an associated function.
        Some(item) => Some(item),
        None if anchored => modules.modules.get(&at).map(|module| Target::Item(module.file)),
        None => None,
    }
}

/// What a name means in a module.
fn step(modules: &Modules, at: &ModulePath, name: &str, depth: usize) -> Option<Target> {
    let module = modules.modules.get(at)?;
    let mut child = at.clone();
    child.push(name.to_owned());
    if modules.modules.contains_key(&child) {
        return Some(Target::Module(child));
    }
    if module.items.contains(name) {
        return Some(Target::Item(module.file));
    }
    if let Some(path) = module.imports.get(name) {
        // A name that stands for itself is a crate's.
        return (path.as_slice() != [name.to_owned()]).then(|| resolve(modules, at, path, depth + 1)).flatten();
    }
    module.globs.iter().find_map(|glob| match resolve(modules, at, glob, depth + 1)? {
        Target::Module(path) if path != *at => step(modules, &path, name, depth + 1),
        _ => None,
    })
}

/// Components of more than one file, each sorted, in order of their first file.
pub(crate) fn circles(graph: &Graph) -> Vec<Vec<usize>> {
    let edges = graph.iter().flat_map(|(from, to)| to.keys().map(|to| (*from, *to)));
    let mut found: Vec<Vec<usize>> = tarjan_scc(&DiGraphMap::<usize, (), RandomState>::from_edges(edges))
        .into_iter()
        .filter(|component| component.len() > 1)
        .collect();
    for component in &mut found {
        component.sort_unstable();
    }
    found.sort();
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use std::fs;

    /// The circles of a crate of these files, by their names.
    fn of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let modules = Modules::read(&folder.path().join("lib.rs")).unwrap();
        let name = |file: usize| modules.files[file].strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        circles(&graph(&modules)).into_iter().map(|circle| circle.into_iter().map(name).collect()).collect()
    }

    #[test]
    fn files_that_import_one_another_are_a_circle() {
        let root = "mod a;\nmod b;\nmod c;\npub use a::A;\npub use c::C;\n";
        let (b, c) = ("use crate::C;\npub struct B(C);\n", "use super::a::A;\npub struct C(A);\n");
        let one_way = [("lib.rs", root), ("a.rs", "pub struct A;\n"), ("b.rs", b), ("c.rs", c)];
        assert!(of(&one_way).is_empty(), "the root re-exports its children, which is no import");
        for a in [
            "use crate::b::B;\npub struct A(B);\n",
            "pub struct A(crate::b::B);\n",
            "pub struct A;\nfn f() { let _ = vec![super::b::B::default()]; }\n",
            "pub struct A;\nfn f() { use crate::b::*; }\n",
            "pub struct A;\nmod inner { use super::super::b; type T = b::B; }\n",
        ] {
            assert_eq!(
                of(&[("lib.rs", root), ("a.rs", a), ("b.rs", b), ("c.rs", c)]),
                [["a.rs", "b.rs", "c.rs"]],
                "{a}"
            );
        }
        let tests_only = "pub struct A;\n#[cfg(test)]\nmod tests { use crate::b::B; }\n";
        assert!(of(&[("lib.rs", root), ("a.rs", tests_only), ("b.rs", b), ("c.rs", c)]).is_empty());
    }

    #[test]
    fn a_child_that_imports_from_its_parent_which_imports_from_it_is_a_circle() {
        let child = ("a/b.rs", "use super::Up;\npub struct Down(Up);\n");
        let re_exports = [("lib.rs", "mod a;\n"), ("a.rs", "mod b;\npub use b::Down;\npub struct Up;\n"), child];
        assert!(of(&re_exports).is_empty());
        let uses = [("lib.rs", "mod a;\n"), ("a.rs", "mod b;\nuse b::Down;\npub struct Up;\ntype D = Down;\n"), child];
        assert_eq!(of(&uses), [["a.rs", "a/b.rs"]]);
    }
}
