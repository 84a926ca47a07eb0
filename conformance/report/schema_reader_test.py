"""schema_reader_test.py SCHEMA WHAT...: validates reports by the schema.

WHAT is a file or a directory of them (*.json). Each has to be valid, and has
to stop being so when a field is removed, added or misspelt.
"""

import copy
import glob
import json
import os
import sys

import jsonschema


def objects(value, path=()):
    """Yields (path, object) for each object in a document."""
    if isinstance(value, dict):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, (dict, list)):
            yield from objects(inner, path + (key,))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def is_valid(validator, document):
    return next(validator.iter_errors(document), None) is None


def mutants(document):
    """Yields (what, document) that are not valid any more."""
    optional = {"evidence", "expected", "replay"}
    for path, value in objects(document):
        if path and path[-1] == "versions":
            continue  # whose fields are free
        added = copy.deepcopy(document)
        at(added, path)["no_such_field"] = 1
        yield ("added to", path), added
        for key in value:
            if key not in optional:
                less = copy.deepcopy(document)
                del at(less, path)[key]
                yield ("removed", path, key), less
            wrong = copy.deepcopy(document)
            at(wrong, path)[key] = ["no", {"such": "value"}]
            yield ("wrong type", path, key), wrong
    for path, value in objects(document):
        if "verdict" in value:
            misspelt = copy.deepcopy(document)
            at(misspelt, path)["verdict"] = "passed"
            yield ("misspelt", path), misspelt


def check_described(schema, path="schema"):
    """Every field says what it means."""
    for name, field in schema.get("properties", {}).items():
        assert field.get("description"), path + "." + name
        assert not name.endswith("_ns") or "nanosec" in field["description"]
        assert not name.endswith("_s") or "seconds" in field["description"]
        check_described(field, path + "." + name)
    for name, definition in schema.get("$defs", {}).items():
        check_described(definition, path + "." + name)
    if "properties" in schema:
        assert schema["additionalProperties"] is False, path


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    schema = load(sys.argv[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    check_described(schema)
    validator = jsonschema.Draft202012Validator(schema)
    paths = []
    for what in sys.argv[2:]:
        found = glob.glob(what + "/*.json") if os.path.isdir(what) else [what]
        assert found, what
        paths += sorted(found)
    tried = 0
    for path in paths:
        document = load(path)
        errors = [error.message for error in validator.iter_errors(document)]
        assert not errors, (path, errors)
        thorough = os.path.basename(path) in ("good.json", "cut_short.json")
        for what, mutant in mutants(document) if thorough else []:
            assert not is_valid(validator, mutant), (path, what)
            tried += 1
    assert tried > 100 or len(paths) == 1, tried
    print(len(paths), "documents,", tried, "mutants")


if __name__ == "__main__":
    main()
