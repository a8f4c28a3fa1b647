# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Each check against good and bad text."""

import unittest

import coroutine_shapes
import include_layers
import source_texts
import tree


def shapes(text):
    return [what for _, what in coroutine_shapes.findings_in(tree.strip_comments_and_strings(text))]


class CoroutineShapes(unittest.TestCase):
    GOOD = [
        "while (auto m = co_await s.Next()) { Use(*m); }",
        "while (std::optional<Reply> m = co_await stream->Next()) Use(*m);",
        "if (auto status = co_await f(); !status.ok()) return;",
        "if (const bool b = co_await f()) g();",
        "bool b = co_await f(); if (b) g();",
        "absl::StatusOr<Reply> r = co_await stub.SayHello(request);",
        "co_return co_await f(std::move(request), options);",
        "co_await all[i].Next();",
        "x = ready ? 1 : 2; co_await f();",
        "co_await f(std::vector<int>{});",
        "// if (co_await f()) is miscompiled\nint x = 0;",
        'Log("if (co_await f())");',
        "auto l = [copy] { return copy; }; co_await Run(l);",
        "co_await Run([&] { return 1; });",
        "for (auto& x : xs) { co_await x.Next(); }",
    ]
    BAD = [
        ("if (co_await f()) g();", "condition of if"),
        ("if (!co_await f()) g();", "condition of if"),
        ("if (a && (co_await f()).ok()) g();", "condition of if"),
        ("while (co_await s.Read(&m)) g();", "condition of while"),
        ("for (; co_await s.Read(&m);) g();", "condition of for"),
        ("x = c ? co_await f() : 0;", "inside ?:"),
        ("x = c ? 0 : co_await f();", "inside ?:"),
        ("x = co_await f() ? 1 : 0;", "inside ?:"),
        ("co_await Run([copy] { return copy; });", "captures by value"),
        ("co_await Run([=]() mutable { return copy; });", "captures by value"),
        ("co_await Run([&a, b = std::move(c)] { return b; });", "captures by value"),
        ("co_await f({.name = n});", "aggregate"),
        ("co_await f(Options{1, name});", "aggregate"),
    ]

    def test_good(self):
        for text in self.GOOD:
            self.assertEqual(shapes(text), [], text)

    def test_bad(self):
        for text, expected in self.BAD:
            self.assertTrue(any(expected in what for what in shapes(text)), text)


class Layers(unittest.TestCase):
    GOOD = [
        ("transports/api/a.cc", "transports/api/b.h"),
        ("transports/unix_socket/a.cc", "transports/rendezvous/b.h"),
        ("transports/unix_socket/a.cc", "transports/api/b.h"),
        ("rpc/a.cc", "rpc/session/b.h"),
        ("rpc/a.cc", "transports/api/b.h"),
        ("rpc/registry/a.cc", "rpc/b.h"),
        ("examples/greeter/a.cc", "rpc/server.h"),
        ("builtin_transports.cc", "transports/unix_socket/b.h"),
        ("transports/local/a.cc", "transports/shm_ring/b.h"),
        ("transports/inherited/a.cc", "transports/shm_ring/b.h"),
        ("tests/rpc/a.cc", "transports/unix_socket/b.h"),
        ("codegen/a.cc", "codegen/model/b.h"),
    ]
    BAD = [
        ("transports/api/a.h", "rpc/b.h"),
        ("transports/api/a.h", "transports/rendezvous/b.h"),
        ("transports/unix_socket/a.cc", "transports/shm_ring/b.h"),
        ("transports/unix_socket/a.cc", "transports/local/b.h"),
        ("transports/shm_ring/a.cc", "transports/inherited/b.h"),
        ("transports/rendezvous/a.cc", "transports/unix_socket/b.h"),
        ("transports/unix_socket/a.cc", "rpc/b.h"),
        ("rpc/a.cc", "transports/unix_socket/b.h"),
        ("rpc/a.cc", "rpc/registry/b.h"),
        ("rpc/a.cc", "codegen/b.h"),
        ("rpc/a.cc", "tests/b.h"),
        ("codegen/a.cc", "rpc/b.h"),
        ("codegen/a.cc", "transports/api/b.h"),
        ("examples/greeter/a.cc", "tests/b.h"),
    ]

    def test_good(self):
        for path, target in self.GOOD:
            self.assertIsNone(include_layers._why_not(path, target), (path, target))

    def test_bad(self):
        for path, target in self.BAD:
            self.assertIsNotNone(include_layers._why_not(path, target), (path, target))


class MachinePaths(unittest.TestCase):
    def found(self, line):
        return any(pattern.search(line) for pattern in source_texts.MACHINE_PATHS)

    def test_both(self):
        self.assertTrue(self.found("see " + "/ro" + "ot/x"))
        self.assertTrue(self.found('"/wo' + 'rk/main"'))
        self.assertFalse(self.found("docs/wo" + "rk/x and homework/y, root/x, the /run folder"))


if __name__ == "__main__":
    unittest.main()
