#!/usr/bin/env python3
"""The yardstick, measured: each thing that must turn a run red does so."""
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import score  # noqa: E402

WHOLE = """\
[ready]: 4711
Testing unit/x
[ok]: one (3 ms)
[ok]: two with {braces} (0 ms)
[skip]: three
[1/1 done]: unit/x (1 seconds)
"""
EXCEPTION = """\
[ok]: one (3 ms)
[exception]: Executing test client: ERR unknown command 'sadd'.
ERR unknown command 'sadd'
    while executing
"test {two with {braces}} {
"""


class Fixed(score.Baseline):
    """A baseline of three tests."""

    def __init__(self):
        self.seconds = {"unit/x": 1.0}
        self.names = {"unit/x": score.collections.Counter(["one", "two with {braces}", "three"])}


def judge(text, rows):
    deviations = score.Deviations()
    deviations.rows = score.collections.defaultdict(dict, {"unit/x": rows})
    return deviations.judge(score.parse_runtest("unit/x", text), Fixed())


class Judging(unittest.TestCase):
    def test_a_listed_skip_is_good(self):
        verdict = judge(WHOLE, {"three": "skip"})
        self.assertTrue(verdict.good)
        self.assertEqual((verdict.listed, verdict.stale), (1, []))

    def test_a_failure_outside_the_list_is_bad(self):
        text = WHOLE.replace("[ok]: one (3 ms)", "[err]: one in tests/unit/x.tcl\nExpected 'a'")
        verdict = judge(text, {"three": "skip"})
        self.assertFalse(verdict.good)
        self.assertEqual(verdict.unexpected, ["one"])

    def test_a_failure_in_the_list_is_good(self):
        text = WHOLE.replace("[ok]: one (3 ms)", "[err]: one in tests/unit/x.tcl\nExpected 'a'")
        self.assertTrue(judge(text, {"three": "skip", "one": "fail"}).good)

    def test_a_listed_test_that_passes_is_stale(self):
        self.assertEqual(judge(WHOLE, {"one": "fail"}).stale, ["one"])

    def test_a_row_for_one_of_two_tests_of_a_name_is_not_stale(self):
        twice = WHOLE.replace("[skip]: three", "[err]: one in tests/unit/x.tcl\n[skip]: three")
        verdict = judge(twice, {"one": "fail", "three": "skip"})
        self.assertTrue(verdict.good)
        self.assertEqual(verdict.stale, [])

    def test_a_test_that_never_ran_is_bad(self):
        verdict = judge(WHOLE.replace("[ok]: one (3 ms)\n", ""), {"three": "skip"})
        self.assertEqual(verdict.unexpected, ["one (did not run)"])

    def test_an_exception_ends_a_file_and_is_bad(self):
        verdict = judge(EXCEPTION, {"two with {braces}": "skip", "three": "skip"})
        self.assertFalse(verdict.good)
        self.assertIn("unknown command 'sadd'", verdict.outcome.aborted)

    def test_output_that_stops_short_is_bad(self):
        self.assertEqual(judge("[ok]: one (3 ms)\n", {}).outcome.aborted, "ended early")

    def test_numbers_in_names_compare_equal(self):
        self.assertEqual(score.fold("GEO with radius 512.5"), "GEO with radius #.#")

    def test_a_failed_cluster_test_is_bad(self):
        text = "12:00:01> One: OK\n12:00:02> Two: FAILED: boom\n(Jumping to next unit)\nGOOD! No errors"
        outcome = score.parse_instances("cluster/x", text)
        self.assertEqual((outcome.passed, outcome.failed), (["One"], ["Two"]))


class Files(unittest.TestCase):
    def test_every_row_of_the_list_names_a_test(self):
        self.assertEqual(score.Deviations().unknown(score.Baseline()), [])

    def test_every_file_of_the_subset_exists(self):
        self.assertEqual([f for f in score.read_subset() if f not in score.Baseline().seconds], [])


class Running(unittest.TestCase):
    def test_a_server_that_does_not_start_is_told_at_once(self):
        run = os.path.join(score.HERE, "run")
        done = subprocess.run([run, "--server", "/bin/true", "unit/quit"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("the suite cannot start this server", done.stderr)


if __name__ == "__main__":
    unittest.main()
