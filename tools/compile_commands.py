"""Writes compile_commands.json for clang-tidy and editors, from bazel aquery.

usage: tools/compile_commands.py WORKSPACE OUTPUT_BASE <AQUERY.json
AQUERY.json is `bazel aquery 'mnemonic("CppCompile", //...)'` as jsonproto.
"""

import json
import pathlib
import sys

GCC_ONLY = {"-fno-canonical-system-headers"}


def command_of(arguments, workspace, external):
    """One entry; None for third-party code, which is not ours to check."""
    source = arguments[arguments.index("-c") + 1]
    if source.startswith("external/"):
        return None
    arguments = [
        external + a[len("external/"):] if a.startswith("external/") else a
        for a in arguments
        if a not in GCC_ONLY
    ]
    return {
        "directory": workspace,
        "file": source,
        "arguments": arguments + ["-Wno-unknown-warning-option"],
    }


def main():
    workspace, output_base = sys.argv[1:]
    actions = json.load(sys.stdin).get("actions", [])
    commands = {}
    for action in actions:
        entry = command_of(
            action["arguments"], workspace, output_base + "/external/"
        )
        if entry:
            commands[entry["file"]] = entry
    target = pathlib.Path(workspace, "compile_commands.json")
    target.write_text(json.dumps(list(commands.values()), indent=1) + "\n")


main()
