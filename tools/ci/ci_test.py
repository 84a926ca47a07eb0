"""ci_test.py LOCKLAB DIRECTORY: the snippets for CI services do what they say.

Each script line is run as the service would run it, in a scratch directory
where tools/run stands for the real one: first it only notes how it was called,
and each flag must be one that locklab knows; then it is locklab itself, asked
for little, so that the files that are to be uploaded have to be there.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

LOCKLAB = str(pathlib.Path(sys.argv[1]).absolute())
SNIPPETS = pathlib.Path(sys.argv[2])

# Every call of tools/run: notes its words, and perhaps makes them true. The
# values are cut down, since what is asked here is whether they go through.
RUN = r"""#!/bin/bash
printf '%s\n' "$*" >>"$NOTES"
[[ $REAL == 1 && $1 != --version ]] || exit 0
words=()
for word in "$@"; do
  case "$word" in
    --samples=*) words+=(--samples=10) ;;
    *) words+=("$word") ;;
  esac
done
case "$1" in
  check) words+=(--backend=flock --filter='^exclusion.two_p') ;;
  bench | gate) [[ "$*" == *--series=* ]] ||
    words+=(--backend=flock --experiment=uncontended) ;;
esac
code=0
"$LOCKLAB" "${words[@]}" || code=$?
# How fast a busy machine is, and whether so little can be told, is not the
# snippet's fault; wrong usage is.
((code != 2 && code != 3)) || echo "$*: exit code $code" >>"$FAULTS"
exit 0
"""
# git worktree add DIR REF: a directory with a build of the base in it.
GIT = r"""#!/bin/bash
[[ $1 == worktree ]] || exit 0
mkdir -p "$3/bazel-bin/tools/locklab"
cp -r tools "$3/"
ln -s "$LOCKLAB" "$3/bazel-bin/tools/locklab/locklab"
"""
NOTHING = "#!/bin/bash\n"


def steps_of_github(document):
    """Per job: environment, [(script, event)], paths that are uploaded."""
    for name, job in document["jobs"].items():
        env = {**document.get("env", {}), **job.get("env", {})}
        scripts = [step["run"] for step in job["steps"] if "run" in step]
        paths = []
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                paths += step["with"]["path"].split()
        yield name, env, scripts, paths


def steps_of_gitlab(document):
    for name, job in document.items():
        if name == "variables":
            continue
        env = {**document["variables"], **job.get("variables", {})}
        # Of one job, the lines before and after are run by other shells.
        scripts = ["\n".join(job.get("before_script", []) + job["script"])]
        scripts += ["\n".join(job.get("after_script", []))]
        paths = job["artifacts"]["paths"][:]
        paths += job["artifacts"].get("reports", {}).values()
        yield name, env, scripts, paths


SERVICES = {
    "github-actions.yml": steps_of_github,
    "gitlab-ci.yml": steps_of_gitlab,
}


def make_scratch(root):
    bin_dir = root / "bin"
    tools = root / "clone" / "tools"
    for directory in (bin_dir, tools):
        directory.mkdir(parents=True)
    for path, text in ((tools / "run", RUN), (tools / "setup", NOTHING),
                       (bin_dir / "git", GIT), (bin_dir / "apt-get", NOTHING)):
        path.write_text(text)
        path.chmod(0o755)
    return root / "clone"


def run_job(env, scripts, root, real):
    """Returns the calls of locklab that the job made."""
    clone = make_scratch(root)
    notes, faults = root / "notes", root / "faults"
    summary = root / "summary"
    environment = {
        "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
        "HOME": str(root),
        "TMPDIR": str(root),
        "LOCKLAB": LOCKLAB,
        "NOTES": str(notes),
        "FAULTS": str(faults),
        "REAL": "1" if real else "0",
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(summary),
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        **env,
        # What would be a place of the machine lies in the scratch directory.
        "LOCK_DIR": str(root / "locks"),
        **({"HISTORY": str(root / "history" / "results")}
           if "HISTORY" in env else {}),
    }
    if not real:
        # Files that locklab would have left.
        (clone / "out").mkdir()
        for name in ("check.md", "gate.md", "series.md"):
            (clone / "out" / name).write_text("a line\n")
    for script in scripts:
        # As both services do it.
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script],
                              cwd=clone, env=environment, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=240)
        assert done.returncode == 0, f"{script}\n{done.stdout}"
    if faults.exists():
        raise AssertionError(faults.read_text())
    return notes.read_text().splitlines(), clone


def help_of(subcommand, known={}):
    if subcommand not in known:
        done = subprocess.run([LOCKLAB, subcommand, "--help"], check=True,
                              stdout=subprocess.PIPE, text=True)
        known[subcommand] = set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    return known[subcommand]


def check_flags(calls):
    for call in calls:
        words = call.split()
        if words == ["--version"]:
            continue
        for flag in re.findall(r"--[a-z][a-z-]*", call):
            assert flag in help_of(words[0]), f"{flag} of: {call}"


def test_service(file, steps_of):
    document = yaml.safe_load((SNIPPETS / file).read_text())
    seen = set()
    for name, env, scripts, paths in steps_of(document):
        for real in (False, True):
            with tempfile.TemporaryDirectory() as scratch:
                calls, clone = run_job(env, scripts, pathlib.Path(scratch),
                                       real)
                check_flags(calls)
                seen |= {(name, call.split()[0]) for call in calls}
                if not real:
                    continue
                for path in paths:
                    found = list(clone.glob(path))
                    assert found, f"{file}, {name}: {path} is not there"
                    for each in found:
                        assert each.is_dir() or each.stat().st_size > 0, each
    want = {("locks", "check"), ("locks", "gate"), ("locks", "report"),
            ("history", "check"), ("history", "bench"), ("history", "gate"),
            ("history", "report")}
    assert want <= seen, f"{file} does not call {want - seen}"
    print(f"{file}: {len(seen)} different calls")


def main():
    files = {path.name for path in SNIPPETS.glob("*.yml")}
    assert files == set(SERVICES), files
    shutil.which("bash") or sys.exit("no bash")
    for file, steps_of in SERVICES.items():
        test_service(file, steps_of)


main()
