"""Runs `hiprope verify` on a library that writes nothing: usage: check_verify_fails.py HIPROPE IDLE_LIBRARY."""
import json
import os
import subprocess
import sys

command, idle_library = sys.argv[1:]
run = subprocess.run(
    [command, "verify", "--model", "Phi-2", "--tokens", "3", "--device", "cpu", "--json"],
    env={**os.environ, "LD_PRELOAD": idle_library}, capture_output=True, text=True, check=False)
assert run.returncode == 1, (run.returncode, run.stderr)
report = json.loads(run.stdout)
assert report["passed"] is False
for result in report["results"]:
    idle = result["function"].startswith("apply_rope_device")
    assert result["passed"] is not idle, result
    assert bool(result["failure"]) is idle, result
