#!/usr/bin/env python3
"""Holds instruction counts of the CPU path and of the GPU kernels to stored ones; --update stores those of this build."""

import argparse
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


class Skip(Exception):
    pass


def output_of(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode == SKIPPED:
        raise Skip(result.stderr.strip())
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed with {result.returncode}:\n{result.stderr}")
    return result.stdout


def count_cpu(args):
    """Instructions of each case of the program, which has callgrind write one file a case."""
    if shutil.which("valgrind") is None:
        raise Skip("valgrind is not installed (apt install valgrind)")
    pattern = r"^desc: Trigger: Client Request: (\S+)$.*^summary: (\d+)$"
    with tempfile.TemporaryDirectory() as directory:
        output_of("valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", args.program)
        dumps = [path.read_text() for path in pathlib.Path(directory).iterdir()]
    cases = [match for dump in dumps if (match := re.search(pattern, dump, re.MULTILINE | re.DOTALL))]
    if not cases:
        sys.exit(f"callgrind wrote no counts of {args.program}")
    return {args.key: {case[1]: int(case[2]) for case in cases}}


def count_kernels(args):
    """Instructions of a kernel in the geometric mean, by architecture and the compiler that made it."""
    found = {}
    for path in sorted(pathlib.Path(args.directory).glob("*_kernel.*.hsaco")):
        comment = output_of(args.readelf, "-p", ".comment", str(path))
        compiler = re.search(r"clang version (\d+)", comment)
        architecture = path.name.split(".")[1]
        counts = found.setdefault(f"{architecture}, clang {compiler[1] if compiler else 'unknown'}", {})
        name = ""
        for line in output_of(args.objdump, "-d", str(path)).splitlines():
            if label := re.match(r"^[0-9a-f]+ <(\w+)>:", line):
                name = label[1]
                counts[name] = 0
            elif name and re.match(r"^\s+\w+.*//", line) and not re.match(r"^\s+(s_code_end|s_nop 0)\b", line):
                counts[name] += 1
    if not found:
        raise Skip(f"{args.directory} holds no code object")
    return {group: {"mean kernel": round(math.exp(sum(map(math.log, counts.values())) / len(counts)), 1)}
            for group, counts in found.items()}


def compare(stored, found, allowed_rise):
    """Sentences for what is wrong in one group of counts."""
    problems = [f"{name} is new; store it with --update" for name in found.keys() - stored.keys()]
    problems += [f"{name} is gone; forget it with --update" for name in stored.keys() - found.keys()]
    for name in found.keys() & stored.keys():
        rise = found[name] / stored[name] - 1
        if rise > allowed_rise:
            problems.append(f"{name} takes {found[name]} instructions, {stored[name]} were stored: {rise:+.1%}")
    return sorted(problems)


def update(path, stored, found):
    stored.update(found)
    path.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
    print(f"stored {sum(map(len, found.values()))} counts in {path}")


def check(stored, found, allowed_rise):
    known = found.keys() & stored.keys()
    for group in sorted(found.keys() - known):
        print(f"NOT COMPARED: nothing is stored for {group}; --update stores it")
    problems = [f"{group}: {problem}"
                for group in sorted(known) for problem in compare(stored[group], found[group], allowed_rise)]
    print("\n".join(problems))
    compared = sum(len(found[group]) for group in known)
    print(f"{compared} counts compared, {len(problems)} problems")
    if not known:
        raise Skip("nothing was compared")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    what = parser.add_subparsers(required=True)
    cpu = what.add_parser("cpu")
    cpu.add_argument("--program", required=True)
    cpu.add_argument("--key", required=True, help="compiler and build type, which counts depend on")
    cpu.set_defaults(count=count_cpu, allowed_rise=0.05)
    kernels = what.add_parser("kernels")
    kernels.add_argument("--directory", required=True)
    kernels.add_argument("--objdump", required=True)
    kernels.add_argument("--readelf", required=True)
    kernels.set_defaults(count=count_kernels, allowed_rise=0.01)
    args = parser.parse_args()
    try:
        stored = json.loads(args.stored.read_text()) if args.stored.exists() else {}
        found = args.count(args)
        return update(args.stored, stored, found) if args.update else check(stored, found, args.allowed_rise)
    except Skip as reason:
        print(f"SKIPPED: {reason}")
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
