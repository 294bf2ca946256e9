"""The offline verifier as one file: its modules one after another, in the order in which they need each other."""

from __future__ import annotations

import re
from pathlib import Path

MODULES = ("spelling", "tree", "ed25519", "notes", "lines", "proof_file", "shapes", "walk", "signed", "files", "cli")
_OWN_IMPORT = re.compile(r"^from audit\.verifier\.\w+ import (?:\([^)]*\)|[^\n]*)\n", re.MULTILINE)
_IMPORT = re.compile(r"^(?:from (?!audit)[\w.]+ import [^\n(]+|import [^\n]+)\n", re.MULTILINE)
_HEADER = '''#!/usr/bin/env python3
"""Checks a Slackwater decision log offline: one file, standard library only, for any Python from 3.11.

    python verifier.py decisions.jsonl --key VKEY [--checkpoint FILE] [--proof FILE]

Every line must be spelled as RFC 8785 spells it, be a record of a known schema, have the next number and link to the
line before; sealed segments must be those that the next file names; the Merkle tree over all lines (RFC 9162) must have
the roots that the signed checkpoints state: those beside the log, and those that you kept elsewhere. What a record
refers to must be as it was named. A key given counts, and those that the log's changes of key lead to from it.
Exit status 0: all holds. 1: something does not, and it is named. 2: something cannot be read.

Made of the modules of audit/verifier by `python app.py audit verifier`.
"""

from __future__ import annotations

'''
_FOOTER = '\n\nif __name__ == "__main__":\n    sys.exit(main())\n'


def verifier_source() -> str:
    """The text of the file."""
    folder = Path(__file__).with_name("verifier")
    texts = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in MODULES]
    imports = _imports("".join(line for text in texts for line in _IMPORT.findall(text)))
    return _HEADER + imports + "".join(map(_section, texts)) + _FOOTER


def _imports(lines: str) -> str:
    """Import statements, each module named once."""
    names: dict[str, set[str]] = {}
    for module, told in re.findall(r"^from (\S+) import (.+)$", lines, re.MULTILINE):
        names.setdefault(module, set()).update(told.split(", "))
    del names["__future__"]
    whole = sorted(set(re.findall(r"^import \S+$", lines, re.MULTILINE)))
    parts = [f"from {module} import {', '.join(sorted(told))}" for module, told in sorted(names.items())]
    return "\n".join([*whole, *parts])


def _section(text: str) -> str:
    """A module without its imports; its docstring becomes a heading."""
    docstring, _, rest = text.partition('"""\n')
    body = _IMPORT.sub("", _OWN_IMPORT.sub("", rest)).strip()
    heading = "\n".join(f"# {line}".rstrip() for line in docstring.strip('"\n').split("\n"))
    return f"\n\n\n{heading}\n\n\n{body}\n"
