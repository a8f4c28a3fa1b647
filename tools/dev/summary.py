#!/usr/bin/env python3
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts what really ran, from Bazel's build events and each test's XML; the last line is "N passed, N failed"."""

import argparse
import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


class Counts:
    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failed = []  # what failed, one line each


def read_events(path):
    """Returns ({(label, shard): last test result}, {label: why it was not built or run})."""
    results, broken = {}, {}
    try:
        lines = open(path, encoding="utf-8").read().splitlines()
    except FileNotFoundError:
        return results, broken
    for line in lines:
        event = json.loads(line)
        ident = event.get("id", {})
        if "testResult" in ident:
            test = ident["testResult"]
            key = (test["label"], test.get("shard", 1))
            attempt = (test.get("run", 1), test.get("attempt", 1))
            if key not in results or results[key][0] <= attempt:
                results[key] = (attempt, event.get("testResult", {}))
        elif "targetCompleted" in ident:
            label = ident["targetCompleted"]["label"]
            if "aborted" in event:
                broken[label] = "not built: " + event["aborted"].get("reason", "aborted")
            elif not event.get("completed", {}).get("success", False):
                broken[label] = "did not build"
    return results, broken


def count_cases(xml_path, label, counts):
    """Adds one test XML's cases; returns how many of them failed."""
    failed = 0
    for case in ElementTree.parse(xml_path).iter("testcase"):
        suite = case.get("classname", "")
        # Bazel writes a case without a suite for what is no GoogleTest program, or ended before it wrote its results.
        name = "%s %s.%s" % (label, suite, case.get("name", "")) if suite else "%s (the whole program)" % label
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            counts.failed.append(name)
        elif case.find("skipped") is not None or case.get("result") == "skipped" or case.get("status") == "notrun":
            counts.skipped += 1
        else:
            counts.passed += 1
    return failed


def count_target(label, result, counts):
    status = result.get("status", "NO_STATUS")
    failed = 0
    seen_xml = False
    for output in result.get("testActionOutput", []):
        if output.get("name") == "test.xml" and output.get("uri", "").startswith("file://"):
            path = urllib.parse.unquote(output["uri"][len("file://"):])
            try:
                failed += count_cases(path, label, counts)
                seen_xml = True
            except (OSError, ElementTree.ParseError) as error:
                counts.failed.append("%s: its result file cannot be read: %s" % (label, error))
                failed += 1
    if status != "PASSED" and failed == 0:
        counts.failed.append("%s: %s" % (label, status))
    elif status == "PASSED" and not seen_xml:
        counts.passed += 1


def count_lint(path, counts):
    checks = 0
    for line in open(path, encoding="utf-8"):
        word, _, name = line.strip().partition(" ")
        if word == "ok":
            counts.passed += 1
            checks += 1
        elif word == "FAIL":
            counts.failed.append("lint: " + name.strip())
            checks += 1
    if checks == 0:
        counts.failed.append("lint: did not run")
    return checks


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bazel-exit", type=int, required=True)
    parser.add_argument("--lint", help="log of tools/lint/lint.py")
    parser.add_argument("events")
    options = parser.parse_args()

    counts = Counts()
    results, broken = read_events(options.events)
    for (label, _), (_, result) in sorted(results.items()):
        count_target(label, result, counts)
    tested = {label for label, _ in results}
    for label, why in sorted(broken.items()):
        if label not in tested:
            counts.failed.append("%s: %s" % (label, why))
    checks = count_lint(options.lint, counts) if options.lint else 0
    # 4: no tests were found, which is no failure of Bazel's but cannot count as success either.
    if options.bazel_exit != 0 and not counts.failed:
        counts.failed.append("bazel: exit code %d" % options.bazel_exit)

    print()
    for name in counts.failed:
        print("FAILED  " + name)
    print("%d test targets%s" % (len(tested), ", %d lint checks" % checks if checks else ""))
    line = "%d passed, %d failed" % (counts.passed, len(counts.failed))
    if counts.skipped:
        line += ", %d skipped" % counts.skipped
    print(line, flush=True)
    return 1 if counts.failed or options.bazel_exit != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
