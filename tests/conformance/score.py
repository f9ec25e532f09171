"""What a run of a test file said, and how it compares with the genuine server and with our list.

deviations.tsv has a row for each test that need not pass: file, mode, test, reason. Mode `skip`
keeps runtest from starting the test (an unexpected error in it would end the whole file); mode
`fail` lets it run and fail. Mode `encodings`, for the test `*`, runs the file without comparing names
of encodings, where those of a newer version would fail nearly every test.
"""
import collections
import dataclasses
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclasses.dataclass
class Outcome:
    """One test file's run."""
    file: str
    passed: list
    failed: list  # names
    skipped: list
    aborted: str = ""  # why the file ended early; empty if it did not
    seconds: float = 0.0


@dataclasses.dataclass
class Verdict:
    """An outcome, judged."""
    outcome: Outcome
    genuine: int          # tests that pass with the genuine server
    unexpected: list      # failures and tests that never ran, outside the list
    listed: int           # tests of the list that did not pass
    stale: list           # names of the list under which every test passed

    @property
    def good(self):
        return not self.unexpected and not self.outcome.aborted


OK = re.compile(r"^\[ok\]: (.*?)(?: \(-?\d+ ms\))?$")
FAILED = re.compile(r"^\[err\]: (.*)$")
SKIPPED = re.compile(r"^\[(?:skip|ignore)\]: (.*)$")
DONE = re.compile(r"^\[\d+/\d+ done\]: ")
EXCEPTION = "[exception]: "
FAILED_BY_GENUINE = "the genuine server fails it"  # the reason of a row for a test not in the baseline


def parse_runtest(file, text):
    """The output of runtest."""
    outcome = Outcome(file, [], [], [])
    finished = False
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if match := OK.match(line):
            outcome.passed.append(match.group(1))
        elif match := FAILED.match(line):
            # "NAME in tests/unit/x.tcl" or, without a name, a server that did not start.
            name = re.sub(r" in tests/\S+\.tcl.*$", "", match.group(1)).strip()
            outcome.failed.append(name or "(a server did not start)")
        elif match := SKIPPED.match(line):
            outcome.skipped.append(match.group(1))
        elif DONE.match(line):
            finished = True
        elif line.startswith(EXCEPTION):
            outcome.aborted = describe_exception(lines[number:number + 80])
        elif line.startswith("[TIMEOUT]"):
            outcome.aborted = "no progress until the time-out"
    if not finished and not outcome.aborted:
        outcome.aborted = "ended early"
    return outcome


def describe_exception(lines):
    message = lines[0][len(EXCEPTION):].replace("Executing test client: ", "")[:200]
    trace = "\n".join(lines)
    test = re.search(r'^"test \{(.*?)\} ', trace, re.M) or re.search(r'^"test "(.*?)" ', trace, re.M)
    return f"{message} (in test: {test.group(1)})" if test else message


def parse_instances(file, text):
    """The output of runtest-cluster and runtest-sentinel, where a failure skips the file's rest.

    A test prints "HH:MM:SS> NAME: ", then anything, then OK or FAILED.
    """
    outcome = Outcome(file, [], [], [])
    for segment in re.split(r"(?m)^(?=\d\d:\d\d:\d\d> )", text)[1:]:
        body = re.split(r"(?m)^(?:Testing unit: |Cleaning up)", segment)[0]
        name = re.sub(r"(OK|FAILED:.*)$", "", body.split("\n", 1)[0][len("HH:MM:SS> "):])
        name = (name.rsplit(": ", 1)[0] if ": " in name else name).strip().rstrip(":")
        good = "FAILED:" not in body and re.search(r"(?m)OK\s*$", body)
        (outcome.passed if good else outcome.failed).append(name)
    if match := re.search(r"(?m)^FAILED: caught an error in the test (.*)$", text):
        outcome.aborted = match.group(1)[:200]
    elif "WARNING: Aborting the test" in text:
        outcome.aborted = text.split("WARNING: Aborting the test", 1)[1].strip()[:200]
    elif not re.search(r"(?m)^(GOOD! No errors|WARNING \d+ test)", text):
        outcome.aborted = "ended early"
    return outcome


def fold(name):
    """Some names hold random numbers: all digits compare equal."""
    return re.sub(r"\d+", "#", name).strip()


class Baseline:
    """What the genuine server passes: counts, names (folded) and seconds of each file."""

    def __init__(self):
        self.seconds = {}
        self.names = collections.defaultdict(collections.Counter)
        for file, _, seconds in read_rows("baseline.tsv", 3):
            self.seconds[file] = float(seconds)
        for file, name in read_rows("baseline-names.tsv", 2):
            self.names[file][name] += 1

    def passed(self, file):
        return sum(self.names[file].values())

    def timeout_seconds(self, file):
        return max(120, 60 + 5 * self.seconds.get(file, 170))


    def replace(self, outcome):
        self.seconds[outcome.file] = outcome.seconds
        self.names[outcome.file] = collections.Counter(fold(name) for name in outcome.passed)

    def write(self):
        files = sorted(self.seconds)
        write_rows("baseline.tsv", [("file", "passed", "seconds")] +
                   [(file, self.passed(file), f"{self.seconds[file]:.1f}") for file in files])
        write_rows("baseline-names.tsv", [("file", "test")] + [
            (file, name) for file in files for name in sorted(self.names[file].elements())])


class Deviations:
    """The checked-in list of tests that need not pass."""

    def __init__(self):
        self.rows = collections.defaultdict(dict)  # file -> test -> mode
        self.without_encodings = set()             # files
        self.failed_by_genuine = set()             # (file, test)
        for file, mode, test, reason in read_rows("deviations.tsv", 4):
            if mode == "encodings" and test == "*" and reason:
                self.without_encodings.add(file)
                continue
            if mode not in ("skip", "fail") or not reason or test in self.rows[file]:
                raise ValueError(f"deviations.tsv: {file}: {test}: mode, reason or duplicate")
            self.rows[file][test] = mode
            if reason.startswith(FAILED_BY_GENUINE):
                self.failed_by_genuine.add((file, test))

    def to_skip(self, file):
        return [test for test, mode in self.rows[file].items() if mode == "skip"]

    def judge(self, outcome, baseline):
        listed = self.rows[outcome.file]
        ran = {fold(name) for name in outcome.passed + outcome.failed + outcome.skipped}
        unexpected = [name for name in outcome.failed if name not in listed]
        # Some files run a test a random number of times: once is enough.
        unexpected += [f"{name} (did not run)" for name in sorted(baseline.names[outcome.file])
                       if name not in ran]
        missed = [name for name in outcome.failed + outcome.skipped if name in listed]
        # Of two tests of one name, one may pass and the other be what the row is for.
        stale = sorted((set(outcome.passed) - set(outcome.failed)) & set(listed))
        return Verdict(outcome, baseline.passed(outcome.file), unexpected, len(missed), stale)

    def unknown(self, baseline):
        """Rows that name no test of the suite: a typing error, or a test that was renamed."""
        return [f"{file}: {test}" for file, tests in self.rows.items() for test in tests
                if fold(test) not in baseline.names[file]
                and (file, test) not in self.failed_by_genuine]


def read_rows(name, columns):
    with open(os.path.join(HERE, name), errors="surrogateescape") as f:
        rows = [line.rstrip("\n").split("\t") for line in f if line.strip() and line[0] != "#"]
    for row in rows:
        if len(row) != columns:
            raise ValueError(f"{name}: not {columns} columns: {row}")
    return [row for row in rows if row[0] != "file"]


def write_rows(name, rows):
    with open(os.path.join(HERE, name), "w", errors="surrogateescape") as f:
        f.writelines("\t".join(map(str, row)) + "\n" for row in rows)


def read_subset():
    """The files that must pass today."""
    with open(os.path.join(HERE, "subset.txt")) as f:
        return [line.split("#")[0].strip() for line in f if line.split("#")[0].strip()]
