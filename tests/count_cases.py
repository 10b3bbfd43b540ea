#!/usr/bin/env python3
"""Prints how many test cases passed and how many failed in a run of CTest, as two numbers.

    ctest --output-junit report.xml --test-output-size-passed 10000000 …
    tests/count_cases.py report.xml [again.xml]

A CTest test is a program with many cases. GoogleTest and Python's unittest say how each one ended; a program of another kind
counts as one case. Cases that were skipped count as neither. The second report, if it is given, is of a run of some of the tests
once more: it decides for those that it has. With --self-test it checks itself.

    tests/count_cases.py --failed report.xml

prints the names of the tests that failed, unless a sanitizer reported something: what it saw once is a fault, whatever it sees later.
"""
import re
import sys
from xml.etree import ElementTree


def count(output, ended_well):
    """Returns (passed, failed) of one CTest test. A test that failed has at least one failed case, even if it does not say so."""
    if "[==========] Running" in output:
        passed = len(re.findall(r"^\[       OK \] ", output, re.MULTILINE))
        failed = len(re.findall(r"^\[  FAILED  \] .* \(\d+ ms\)$", output, re.MULTILINE))
    elif match := re.search(r"^Ran (\d+) tests? in ", output, re.MULTILINE):
        ending = output[match.end():]
        of_kind = {kind: int(number) for kind, number in re.findall(r"(failures|errors|skipped|expected failures)=(\d+)", ending)}
        failed = of_kind.get("failures", 0) + of_kind.get("errors", 0)
        passed = max(int(match.group(1)) - failed - of_kind.get("skipped", 0), 0)
    else:
        passed, failed = (1, 0) if ended_well else (0, 1)
    if not ended_well:
        failed = max(failed, 1)
    return passed, failed


def count_report(root, again=None):
    passed = failed = 0
    later = {case.get("name"): case for case in again.iter("testcase")} if again is not None else {}
    for case in root.iter("testcase"):
        case = later.get(case.get("name"), case)
        status, skipped = case.get("status"), case.find("skipped")
        if status == "disabled" or (skipped is not None and skipped.get("message", "").startswith("SKIP_")):
            continue  # the other reason for "skipped" is that CTest could not run it, which is a failure
        good, bad = count(case.findtext("system-out") or "", status == "run")
        passed += good
        failed += bad
    return passed, failed


def failed_tests(root):
    """The names of the tests that failed; none if a sanitizer spoke in one of them."""
    failed = [case for case in root.iter("testcase") if case.get("status") == "fail"]
    if any("Sanitizer" in (case.findtext("system-out") or "") for case in failed):
        return []
    return [case.get("name") for case in failed]


def self_test():
    gtest = ("[==========] Running 3 tests from 1 test suite.\n[ RUN      ] A.B\n[       OK ] A.B (0 ms)\n"
             "[ RUN      ] A.C\n[  FAILED  ] A.C (1 ms)\n[ RUN      ] A.D\n[  SKIPPED ] A.D (0 ms)\n"
             "[  FAILED  ] 1 test, listed below:\n[  FAILED  ] A.C\n")
    assert count(gtest, False) == (1, 1)
    crash = "[==========] Running 2 tests\n[ RUN      ] A.B\n[       OK ] A.B (0 ms)\n[ RUN      ] A.C\n"
    assert count(crash, False) == (1, 1)
    assert count("test_a ... ok\n\nRan 5 tests in 0.1s\n\nOK (skipped=1)\n", True) == (4, 0)
    assert count("\nRan 5 tests in 0.1s\n\nFAILED (failures=1, errors=2)\n", False) == (2, 3)
    assert count("Traceback\n", False) == (0, 1)
    assert count("fine\n", True) == (1, 0)
    report = ('<testsuite><testcase status="run"><system-out>fine</system-out></testcase><testcase status="fail"/>'
              '<testcase status="notrun"><skipped message="Unable to find executable"/></testcase>'
              '<testcase status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>'
              '<testcase status="disabled"><skipped message="Disabled"/></testcase></testsuite>')
    assert count_report(ElementTree.fromstring(report)) == (1, 2)
    first = ElementTree.fromstring('<testsuite><testcase name="a" status="run"><system-out>fine</system-out></testcase>'
                                   '<testcase name="b" status="fail"/><testcase name="c" status="fail"/></testsuite>')
    again = ElementTree.fromstring('<testsuite><testcase name="c" status="run"/><testcase name="b" status="fail"/></testsuite>')
    assert count_report(first) == (1, 2)
    assert count_report(first, again) == (2, 1)
    assert failed_tests(first) == ["b", "c"]
    assert failed_tests(again) == ["b"]
    seen = ElementTree.fromstring('<testsuite><testcase name="b" status="fail"><system-out>WARNING: ThreadSanitizer: data race'
                                  '</system-out></testcase></testsuite>')
    assert failed_tests(seen) == []
    print("count_cases.py: self-test passed")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    elif len(sys.argv) == 3 and sys.argv[1] == "--failed":
        print(*failed_tests(ElementTree.parse(sys.argv[2]).getroot()))
    elif len(sys.argv) in (2, 3):
        print(*count_report(*(ElementTree.parse(path).getroot() for path in sys.argv[1:])))
    else:
        sys.exit(__doc__)
