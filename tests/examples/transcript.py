#!/usr/bin/env python3
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the ```console blocks of a Markdown file in one shell and compares what comes out with what stands there.

    transcript.py FILE.md PROGRAMS            the commands (lines after "$ ") run in the folder PROGRAMS
    transcript.py --update FILE.md PROGRAMS   writes what came out into FILE.md

Times, process ids, user ids and the like (MASKS) are masked on both sides. Each command has 20 s.
"""

import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time

MASKS = [
    (re.compile(r"\b\d+\.\d+ ms\b"), "T ms"),
    (re.compile(r"\bpid \d+"), "pid N"),
    (re.compile(r"\buid \d+( \([^)]*\))?"), "uid N"),
    # The client's own word or the server's: they are equally fast.
    (re.compile(r" at \S+ has passed"), " has passed"),
]
LIMIT_S = 20


def mask(text):
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def parse(text):
    """[(line number, command, [output line, ...]), ...]"""
    commands, inside = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            commands.append((number, line[2:], []))
        elif inside:
            commands[-1][2].append(line)
    return commands


class Shell:
    """A bash that is given one command at a time; its descendants end with it."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile"], cwd=folder, env=environment, text=False,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.unread = b""

    def run(self, command):
        """The command's output lines; None if it takes too long."""
        mark = b"--end of command %d--\n" % time.monotonic_ns()
        self.process.stdin.write(command.encode() + b"\nprintf %s '" + mark[:-1] + b"'; echo\n")
        self.process.stdin.flush()
        end = time.monotonic() + LIMIT_S
        while mark not in self.unread:
            if not self.selector.select(max(0, end - time.monotonic())):
                return None
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                return None
            self.unread += more
        output, _, self.unread = self.unread.partition(mark)
        return output.decode().rstrip("\n").split("\n") if output.strip() else []

    def close(self):
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass
        self.process.wait()


def run_all(commands, programs):
    """What each command printed; the programs are linked into a folder of their own, so that files land there."""
    folder = tempfile.mkdtemp(prefix="nearcall-transcript.", dir="/tmp")
    try:
        for name in os.listdir(programs):
            path = os.path.join(programs, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                os.symlink(os.path.abspath(path), os.path.join(folder, name))
        runtime = os.path.join(folder, "run")
        os.mkdir(runtime, 0o700)
        environment = dict(os.environ, XDG_RUNTIME_DIR=runtime, LC_ALL="C.UTF-8")
        shell = Shell(folder, environment)
        outputs = []
        try:
            for _, command, _ in commands:
                outputs.append(shell.run(command))
                if outputs[-1] is None:
                    break
        finally:
            shell.close()
        # A name of local: lives in the folder of this run; a reader's is elsewhere.
        return [o and [line.replace(runtime, "/run/user/1000") for line in o] for o in outputs]
    finally:
        shutil.rmtree(folder)


def update(path, text, commands, outputs):
    lines = text.split("\n")
    for (number, _, old), new in sorted(zip(commands, outputs), key=lambda pair: -pair[0][0]):
        lines[number:number + len(old)] = new
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def main():
    arguments = sys.argv[1:]
    updating = arguments[:1] == ["--update"]
    path, programs = arguments[-2:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    commands = parse(text)
    if not commands:
        sys.exit("%s: no ```console block with a command" % path)
    outputs = run_all(commands, programs)
    wrong = 0
    for (number, command, expected), output in zip(commands, outputs):
        if output is None:
            sys.exit("%s:%d: $ %s\n  took over %d s" % (path, number, command, LIMIT_S))
        if not updating and [mask(line) for line in output] != [mask(line) for line in expected]:
            wrong += 1
            print("%s:%d: $ %s\n  expected:\n    %s\n  got:\n    %s" %
                  (path, number, command, "\n    ".join(expected), "\n    ".join(output)))
    if updating:
        update(path, text, commands, outputs)
    print("%s: %d commands, %d not as they stand there" % (path, len(commands), wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
