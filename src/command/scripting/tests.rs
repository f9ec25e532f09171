//! Tests of scripts.

use crate::command::testing::check;

#[test]
fn scripts_return_values() {
    check("EVAL 'return 1.9' 0; EVAL 'return true' 0; EVAL 'return nil' 0", ":1 :1 $_");
    check("EVAL 'return {1,{2,\"x\"},nil,3}' 0", "[:1 [:2 $x]]");
    check("EVAL 'return {KEYS[1],ARGV[1],#KEYS,#ARGV}' 1 k a b", "[$k $a :1 :2]");
}
