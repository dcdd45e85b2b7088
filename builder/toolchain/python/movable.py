# Owns what makes a virtual environment movable: nothing in it names the place where it was made. Runs in the build, where
# the environment is; `.venv` in the current folder, and what serves an app without a start command, if that is needed.
import glob
import os
import re
import shutil
import sys

VENV = ".venv"
BIN = os.path.join(VENV, "bin")

for name in sorted(os.listdir(BIN)):
    path = os.path.join(BIN, name)
    if re.match("activate|Activate|pip", name):
        os.remove(path)
    elif name != "python3" and re.fullmatch(r"python[0-9.]*", name):
        # One copy of the interpreter is enough.
        os.remove(path)
        os.symlink("python3", path)
    elif os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            first, rest = file.readline(), file.read()
        if first.startswith(b"#!") and b"python" in first:
            with open(path, "wb") as file:
                file.write(b"#!/usr/bin/env python3\n" + rest)
# What is recorded of these programs is what they were before.
for record in glob.glob(os.path.join(VENV, "lib", "*", "site-packages", "*.dist-info", "RECORD")):
    with open(record) as file:
        lines = [re.sub(r"^(\.\./.*),sha256=.*,\d+$", r"\1,,", line) for line in file]
    with open(record, "w") as file:
        file.writelines(lines)
shutil.rmtree(os.path.join(VENV, "include"), ignore_errors=True)
with open(os.path.join(VENV, "pyvenv.cfg")) as file:
    kept = [line for line in file if re.match(r"(home|include-system-site-packages|version) = ", line)]
with open(os.path.join(VENV, "pyvenv.cfg"), "w") as file:
    file.writelines(kept)
if sys.argv[1] != "":
    with open(os.path.join(VENV, "serve.py"), "w") as file:
        file.write(sys.argv[1])
