"""Holds the README's code blocks to files that are built and run: each must stand in one of them, line for line.

Usage: check_readme.py README LANGUAGE=FILE...   as in check_readme.py README.md cpp=examples/engine_layer.cpp
"""

import re
import sys
from pathlib import Path


def main() -> int:
    readme, *pairs = sys.argv[1:]
    files = {}
    for pair in pairs:
        language, path = pair.split("=", 1)
        files.setdefault(language, []).append(path)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", Path(readme).read_text(), re.M | re.S)
    failures = []
    for language, paths in files.items():
        found = [block for name, block in blocks if name == language]
        if not found:
            failures.append(f"{readme} has no block of {language}")
        for block in found:
            if not any(block in Path(path).read_text() for path in paths):
                failures.append(f"{readme} has a block of {language} that is not part of {' or '.join(paths)}:\n{block}")
    print("\n".join(failures) or f"{len(blocks)} blocks, those of {', '.join(files)} are parts of their files")
    return len(failures) > 0


sys.exit(main())
