//! `minikeeper snapshot summary`.

use super::{Folder, output};

#[test]
fn text_has_totals_and_the_largest_subtrees() {
    let folder = Folder::new();
    assert_eq!(output(&["snapshot", "summary", folder.text()], 0), "TODO");
}

#[test]
fn depth_and_top_choose_subtrees() {
    let folder = Folder::new();
    let subtrees = |arguments: &[&str]| -> Vec<String> {
        let all = [
            &["snapshot", "summary", "--format", "json"],
            arguments,
            &[folder.text()],
        ];
        let all = output(&all.concat(), 0);
        let all: serde_json::Value = serde_json::from_str(&all).expect("it is JSON");
        let list = all["subtrees"].as_array().expect("it is a list").iter();
        list.map(|subtree| {
            format!(
                "{} {} {}",
                subtree["path"], subtree["znodes"], subtree["bytes"]
            )
        })
        .collect()
    };
    assert_eq!(subtrees(&["--depth", "0"]), ["TODO"]);
    assert_eq!(subtrees(&["--depth", "2", "--top", "3"]), ["TODO"]);
}
