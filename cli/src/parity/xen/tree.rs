//! A flattened device tree (Devicetree Specification 0.4, chapter 5), and more put into one of its nodes.

use dtoolkit::Node;
use dtoolkit::error::FdtParseError;
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};

/// What of the tree cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// It is no flattened device tree.
    #[error("the device tree of the emulator cannot be read: {0}")]
    Unreadable(#[from] FdtParseError),
    /// The root has no node of that name.
    #[error("the device tree of the emulator cannot be read: it lacks the node")]
    NoNode,
}

/// The tree `blob` with the properties and the children of `more` in the node `/name` that `more` is called like. What that node
/// has of the same name is replaced.
pub(super) fn with(blob: &[u8], more: &DeviceTreeNode) -> Result<Vec<u8>, TreeError> {
    let mut tree = DeviceTree::from_fdt(&Fdt::new(blob)?);
    let node = tree.root.child_mut(more.name()).ok_or(TreeError::NoNode)?;
    more.properties().for_each(|property| node.add_property(property.clone()));
    more.children().for_each(|child| node.add_child(child.clone()));
    Ok(tree.to_dtb())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use dtoolkit::model::DeviceTreeProperty;
    use dtoolkit::{Property, ToPropertyValue};

    /// A node without properties and children.
    fn node(name: &str) -> DeviceTreeNode {
        DeviceTreeNode::new(name).unwrap()
    }

    /// A node with one property and one child.
    fn full(name: &str, property: &str, value: impl ToPropertyValue, child: DeviceTreeNode) -> DeviceTreeNode {
        let property = DeviceTreeProperty::new(property, value).unwrap();
        DeviceTreeNode::builder(name).unwrap().property(property).child(child).build()
    }

    /// A tree with `/chosen { a = "x"; inner {}; }` and `/other {}`.
    fn tree() -> Vec<u8> {
        let mut tree = DeviceTree::new();
        tree.root.add_child(full("chosen", "a", "x", node("inner")));
        tree.root.add_child(node("other"));
        tree.to_dtb()
    }

    /// A node as text, read from the bytes of a tree.
    fn told(node: &impl Node) -> String {
        let properties = node.properties().map(|property| format!("{}={:?};", property.name(), property.value()));
        let properties: String = properties.collect();
        let children: String = node.children().map(|child| told(&child)).collect();
        format!("{}{{{properties}{children}}}", node.name().as_ref())
    }

    #[test]
    fn properties_and_nodes_are_put_behind_those_of_a_node() {
        let inner = full("new@1", "c", ["y", "z"].as_slice(), node("empty"));
        let after = with(&tree(), &full("chosen", "b", 1_u32, inner)).unwrap();
        assert_eq!(told(&Fdt::new(&tree()).unwrap().root()), "{chosen{a=[120, 0];inner{}}other{}}");
        let expected = "{chosen{a=[120, 0];b=[0, 0, 0, 1];inner{}new@1{c=[121, 0, 122, 0];empty{}}}other{}}";
        assert_eq!(told(&Fdt::new(&after).unwrap().root()), expected);
    }

    #[test]
    fn what_is_no_tree_is_an_error_wherever_it_ends() {
        let blob = tree();
        assert_eq!(with(&blob, &node("absent")), Err(TreeError::NoNode));
        for end in 0..blob.len() {
            assert!(matches!(with(&blob[..end], &node("chosen")), Err(TreeError::Unreadable(_))), "{end}");
        }
    }
}
