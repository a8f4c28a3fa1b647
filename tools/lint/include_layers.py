# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom (CONTRIBUTING.md, "Layers"): the arrows run one way, and there are no cycles."""

import re

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]nearcall/([^">]+)[">]', re.M)

# The longest matching folder decides. What a folder may include of ours; itself always.
ALLOWED = {
    "codegen": [],
    "transports/api": [],
    # Besides the api a transport may use what transports share; never another scheme (SCHEMES), but for those that choose.
    "transports": ["transports"],
    "rpc": ["rpc", "transports/api"],
    # The plugin's output and the public headers, those that a transport of one's own needs among them.
    "examples": ["examples", "rpc", "transports/api", "transports/byte_stream", "transports/datagram", "nearcall.h"],
    "tools": ["tools", "rpc", "transports", "nearcall.h"],
    # Above rpc.
    "rpc/registry": ["rpc", "transports/api"],
    "rpc/grpc": ["rpc", "transports/api"],
    "tests": [""],
    # Files of the root: //:nearcall, which knows all built-in transports.
    "": ["rpc", "transports"],
}
SCHEMES = ["fifo", "in_process", "inherited", "local", "mapped_file", "message_queue", "pipe", "shm_ring", "tcp_socket", "unix_socket"]
CHOOSERS = ["inherited", "local"]  # those that choose among the others
ABOVE_RPC = ["rpc/registry", "rpc/grpc"]


def _inside(path, folder):
    return folder == "" or path == folder or path.startswith(folder + "/")


def _layer(path):
    folders = [f for f in ALLOWED if f and path.startswith(f + "/")]
    return max(folders, key=len) if folders else ""


def _scheme(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "transports" and parts[1] in SCHEMES else None


def _why_not(path, target):
    """Why `path` may not include `target`; None if it may."""
    layer = _layer(path)
    if layer != "" and _inside(target, layer) and not (layer == "rpc" and any(_inside(target, f) for f in ABOVE_RPC)):
        if layer != "transports":
            return None
    if not any(_inside(target, folder) for folder in ALLOWED[layer]):
        return "%s/ may include only: %s" % (layer or "the root", ", ".join(ALLOWED[layer]) or "its own files")
    if layer == "rpc" and any(_inside(target, folder) for folder in ABOVE_RPC):
        return "rpc/registry and rpc/grpc are above rpc/"
    if layer == "transports" and _scheme(target) and _scheme(target) != _scheme(path) and _scheme(path) not in CHOOSERS:
        return "a transport's folder is included by no other transport"
    return None


def _includes(tree, path):
    text = tree.text(path)
    for match in INCLUDE.finditer(text):
        yield match.group(1), text.count("\n", 0, match.start(1)) + 1


def check_layers(tree):
    findings = []
    for path in tree.cc_files():
        for target, line in _includes(tree, path):
            why = _why_not(path, target)
            if why:
                findings.append("%s:%d: includes nearcall/%s: %s" % (path, line, target, why))
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', tree.text(path), re.M):
            if not match.group(1).startswith("nearcall/") and match.group(1) in tree.files:
                findings.append('%s: includes "%s": write "nearcall/%s"' % (path, match.group(1), match.group(1)))
    return findings


def check_build_files(tree):
    """The same rule for what targets depend on."""
    findings = []
    for path in tree.files:
        if path.split("/")[-1] != "BUILD.bazel":
            continue
        text = re.sub(r"#[^\n]*", "", tree.text(path))
        text = re.sub(r"\bload\([^)]*\)|\b(?:default_)?visibility\s*=\s*\[[^\]]*\]", lambda m: "\n" * m.group(0).count("\n"), text)
        for match in re.finditer(r'"//([\w/.-]*)(?::([\w/.-]+))?"', text):
            # A folder, in the form of a file in it; the root's target is what nearcall.h declares.
            target = match.group(1) + "/BUILD.bazel" if match.group(1) else "nearcall.h"
            why = _why_not(path, target)
            if why:
                line = text.count("\n", 0, match.start()) + 1
                findings.append("%s:%d: depends on %s: %s" % (path, line, match.group(0), why))
    return findings


def check_cycles(tree):
    graph = {path: [t for t, _ in _includes(tree, path) if t in tree.files] for path in tree.cc_files()}
    findings, done, trail = [], set(), []

    def visit(path):
        if path in trail:
            findings.append("includes itself: " + " -> ".join(trail[trail.index(path):] + [path]))
            return
        if path in done:
            return
        trail.append(path)
        for target in graph.get(path, []):
            visit(target)
        trail.pop()
        done.add(path)

    for path in sorted(graph):
        visit(path)
    return findings
