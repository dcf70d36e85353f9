//! `minikeeper snapshot summary`.

use super::{Folder, output};

#[test]
fn text_has_totals_and_the_largest_subtrees() {
    let folder = Folder::new();
    let printed = output(&["snapshot", "summary", folder.text()], 0);
    assert_eq!(
        printed.replace(folder.text(), "DIR"),
        "\
zxid         0xd
snapshot     DIR/version-2/snapshot.8
log          DIR/version-2/log.9
replayed     5 transactions
format       3.9
digest       0x4b45dedc7
znodes       13
bytes        19
ephemerals   1
containers   1
with TTL     1
largest      /app/me, 6 bytes
widest       /, 7 children
sessions     1
  0x18bcfe568000000  timeout 30000 ms  1 ephemeral

       bytes     znodes  subtree
          19         13  /
           9          4  /app
           4          1  /lease
           3          1  /icon
           3          1  /secret
           0          3  /zookeeper
           0          1  /locks
           0          1  /null
"
    );
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
    assert_eq!(subtrees(&["--depth", "0"]), ["\"/\" 13 19"]);
    assert_eq!(
        subtrees(&["--depth", "2", "--top", "3"]),
        ["\"/\" 13 19", "\"/app\" 4 9", "\"/app/me\" 1 6"]
    );
}
