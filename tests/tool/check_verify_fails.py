"""Runs `hiprope verify` and `hiprope bench` on a library that writes nothing: usage: check_verify_fails.py HIPROPE IDLE_LIBRARY."""
import json
import os
import subprocess
import sys

command, idle_library = sys.argv[1:]


def idle(*arguments):
    return subprocess.run([command, *arguments, "--model", "Phi-2", "--tokens", "3", "--device", "cpu", "--json"],
                          env={**os.environ, "LD_PRELOAD": idle_library}, capture_output=True, text=True, check=False)


run = idle("verify")
assert run.returncode == 1, (run.returncode, run.stderr)
report = json.loads(run.stdout)
assert report["passed"] is False
for result in report["results"]:
    fails = result["function"].startswith("apply_rope_device")
    assert result["passed"] is not fails, result
    assert bool(result["failure"]) is fails, result
run = idle("bench")
assert run.returncode == 2 and run.stdout == "" and "the CPU path is wrong" in run.stderr, run
