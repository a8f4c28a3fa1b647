"""Repositories for the libraries of the system.

Nothing is downloaded: each repository is a folder of links into /usr and a BUILD file from this package. Compilers
search /usr/include on their own, and as system headers, so warnings in them stay quiet.
"""

def _system_repository_impl(ctx):
    for target in ctx.attr.links.values():
        if not ctx.path(target).exists:
            fail("%s is missing: %s. Run ./dev test, which installs what is needed." % (target, ctx.attr.package_hint))
    for name, target in ctx.attr.links.items():
        ctx.symlink(ctx.path(target), name)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    if ctx.attr.build_file:
        ctx.symlink(ctx.attr.build_file, "BUILD.bazel")
    else:
        ctx.file("BUILD.bazel", ctx.attr.build_file_content)
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)

system_repository = repository_rule(
    implementation = _system_repository_impl,
    local = True,
    attrs = {
        "build_file": attr.label(allow_single_file = True),
        "build_file_content": attr.string(),
        "files": attr.string_dict(doc = "Further small files: path to content."),
        "links": attr.string_dict(doc = "Name in the repository to path on the system."),
        "package_hint": attr.string(default = "a Debian package is not installed"),
    },
)

# Debian's rules_cc is too new for its bazel-bootstrap, which needs only the names.
_RULES_CC_DEFS = """
cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
objc_library = native.objc_library
"""

def nearcall_system_repositories():
    """Defines every repository that this workspace uses, and those that Bazel itself asks for."""

    # What Bazel asks for by name. Without these it would try to download them.
    system_repository(
        name = "rules_cc",
        build_file_content = "",
        files = {
            "cc/BUILD.bazel": "exports_files([\"defs.bzl\"])\n",
            "cc/defs.bzl": _RULES_CC_DEFS,
        },
    )
    system_repository(
        name = "remote_coverage_tools",
        build_file_content = "filegroup(name = \"coverage_report_generator\", visibility = [\"//visibility:public\"])\n",
    )
    native.local_repository(name = "platforms", path = "/usr/share/bazel/tools/platforms")
    native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")
    native.local_repository(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")

    # Libraries.
    system_repository(
        name = "absl",
        build_file = "//tools/build:absl.BUILD",
    )
    system_repository(
        name = "com_google_protobuf",
        build_file = "//tools/build:protobuf.BUILD",
        links = {
            "google": "/usr/include/google",
            "protoc_binary": "/usr/bin/protoc",
        },
        package_hint = "install libprotobuf-dev, libprotoc-dev and protobuf-compiler",
    )
    system_repository(
        name = "gtest",
        build_file = "//tools/build:gtest.BUILD",
    )
    system_repository(
        name = "benchmark",
        build_file = "//tools/build:benchmark.BUILD",
    )
    system_repository(
        name = "grpc_proto",
        build_file = "//tools/build:grpc_proto.BUILD",
        links = {"grpc": "/usr/share/grpc-proto/grpc"},
        package_hint = "install grpc-proto",
    )
