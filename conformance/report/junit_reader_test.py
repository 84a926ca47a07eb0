"""junit_reader_test.py XSD DIR: reads DIR/*.xml as CI services do.

Each has to be valid by the schema, its counts have to add up at every level,
and what is red in it has to agree with the exit code (DIR/*.counts).
"""

import glob
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

KINDS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def check_counts(name, element):
    cases = element.findall(".//testcase")
    assert int(element.get("tests")) == len(cases), name
    for attribute, tag in KINDS.items():
        found = len(element.findall(".//testcase/" + tag))
        assert int(element.get(attribute)) == found, (name, attribute, found)
    seconds = sum(float(case.get("time")) for case in cases)
    assert abs(float(element.get("time")) - seconds) < 0.01 * len(cases), name


def check(path):
    root = ElementTree.parse(path).getroot()
    with open(path.replace(".xml", ".counts"), encoding="utf-8") as file:
        counts = json.load(file)
    check_counts(path, root)
    for suite in root.findall("testsuite"):
        check_counts(path, suite)
        assert suite.find("properties/property[@name='seed']") is not None
    assert int(root.get("tests")) == counts["tests"], path
    assert int(root.get("failures")) == counts["failed"], path
    assert int(root.get("errors")) == counts["error"], path
    skipped = counts["skipped"] + counts["expected"]
    assert int(root.get("skipped")) == skipped, path
    red = int(root.get("failures")) + int(root.get("errors")) > 0
    assert red == (counts["exit_code"] != 0), path
    for bad in root.findall(".//failure") + root.findall(".//error"):
        assert bad.get("message") is not None and bad.get("type"), path
    return root


def main():
    xsd, samples = sys.argv[1:]
    paths = sorted(glob.glob(samples + "/*.xml"))
    assert len(paths) > 20, paths
    subprocess.run(["xmllint", "--noout", "--schema", xsd] + paths, check=True)
    roots = {path: check(path) for path in paths}
    failure = roots[samples + "/failed.xml"].find(".//failure")
    assert failure.get("type") == "fail"
    assert "replay: locklab check --dir=/d" in failure.text
    full = roots[samples + "/full.xml"]
    evidence = full.find(".//*[@name='family.fail_0']/failure").text
    assert "actor 3 acquired it at +0.2 s\n  while actor 5" in evidence
    should = roots[samples + "/should_failed.xml"]
    note = should.find(".//*[@name='a.claim']/system-out")
    assert "does not count" in note.text and "what was seen" in note.text
    hostile = roots[samples + "/hostile.xml"]
    assert len(hostile.findall(".//failure")) > 1
    text = "".join(hostile.itertext())
    assert "</failure>]]>&amp;<b>'\"`|\\ # TODO\ufffd[31m" in text


if __name__ == "__main__":
    main()
