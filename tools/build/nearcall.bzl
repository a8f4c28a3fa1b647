"""Macros for the C++ of this tree: one set of warnings, and includes written "nearcall/FOLDER/FILE.h"."""

NEARCALL_COPTS = [
    "-std=c++20",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
]

_HEADER_ENDS = (".h", ".inc")

def _is_header(src):
    return type(src) == "string" and src.endswith(_HEADER_ENDS)

def _split_headers(name, srcs, deps, kwargs):
    """Moves headers among `srcs` into a hidden library, so that they too are included by their full path."""
    if type(srcs) != "list":
        return srcs, deps
    headers = [s for s in srcs if _is_header(s)]
    if not headers:
        return srcs, deps
    hidden = name + "_internal_headers"
    native.cc_library(
        name = hidden,
        hdrs = headers,
        copts = NEARCALL_COPTS,
        include_prefix = "nearcall",
        strip_include_prefix = "/",
        tags = ["manual"],
        testonly = kwargs.get("testonly", False),
        visibility = ["//visibility:private"],
        deps = deps,
    )
    return [s for s in srcs if not _is_header(s)], deps + [":" + hidden]

def nearcall_cc_library(name, srcs = [], hdrs = [], deps = [], copts = [], **kwargs):
    """cc_library whose headers are included as "nearcall/FOLDER/FILE.h"."""
    srcs, deps = _split_headers(name, srcs, deps, kwargs)
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = NEARCALL_COPTS + copts,
        include_prefix = "nearcall",
        strip_include_prefix = "/",
        deps = deps,
        **kwargs
    )

def nearcall_cc_binary(name, srcs = [], deps = [], copts = [], **kwargs):
    """cc_binary with the tree's warnings."""
    srcs, deps = _split_headers(name, srcs, deps, kwargs)
    native.cc_binary(
        name = name,
        srcs = srcs,
        copts = NEARCALL_COPTS + copts,
        deps = deps,
        **kwargs
    )

def nearcall_cc_test(name, srcs = [], deps = [], copts = [], size = "small", main = False, **kwargs):
    """cc_test on GoogleTest. `main = True`: the test brings its own main()."""
    kwargs["testonly"] = True
    srcs, deps = _split_headers(name, srcs, deps, kwargs)
    native.cc_test(
        name = name,
        size = size,
        srcs = srcs,
        copts = NEARCALL_COPTS + copts,
        deps = deps + ["@gtest//:gtest" if main else "@gtest//:gtest_main"],
        **kwargs
    )

def nearcall_cc_fuzzer(name, srcs = [], deps = [], **kwargs):
    """A libFuzzer program; built by --config=fuzz and fuzz-plain only (./dev soak does so)."""
    kwargs["testonly"] = True
    nearcall_cc_binary(
        name = name,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["fuzzer"],
        deps = deps,
        **kwargs
    )
