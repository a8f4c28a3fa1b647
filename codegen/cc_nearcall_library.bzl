"""cc_nearcall_library: nearcall's C++ stubs and services for a proto_library.

    load("//codegen:cc_nearcall_library.bzl", "cc_nearcall_library")

    proto_library(name = "greeter_proto", srcs = ["greeter.proto"])
    cc_proto_library(name = "greeter_cc_proto", deps = [":greeter_proto"])
    cc_nearcall_library(
        name = "greeter_nearcall",
        srcs = [":greeter_proto"],
        deps = [":greeter_cc_proto"],
    )

For each X.proto in `srcs` it makes X.nearcall.h and X.nearcall.cc; the header is included as the .pb.h beside it is. A
header of an import is not made here: give that file's cc_nearcall_library too if its services are used.
`options` are the plugin's, as `["namespace=rpc"]`.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("//tools/build:nearcall.bzl", "NEARCALL_COPTS")

def _import_path(file, source_root):
    """The path by which other .proto files import this one."""
    path = file.path
    root = source_root
    if root and root != "." and path.startswith(root + "/"):
        return path[len(root) + 1:]
    if file.root.path and path.startswith(file.root.path + "/"):
        path = path[len(file.root.path) + 1:]
    if path.startswith("external/"):
        path = path.split("/", 2)[2]
    return path

def _declare(ctx, stem):
    """Declares the outputs for an import path; returns them, the folder protoc writes to and whether it is virtual."""
    package = ctx.label.package
    prefix = package + "/" if package else ""
    virtual = not stem.startswith(prefix) or ctx.label.workspace_name != ""
    local = stem[len(prefix):] if not virtual else "_virtual_nearcall/%s/%s" % (ctx.label.name, stem)
    header = ctx.actions.declare_file(local + ".nearcall.h")
    source = ctx.actions.declare_file(local + ".nearcall.cc")
    return header, source, header.path[:-len(stem + ".nearcall.h") - 1], virtual

def _generate(ctx, info):
    """Runs protoc once for the direct files of one proto_library. Returns headers, sources, virtual folders."""
    headers = []
    sources = []
    folders = {}
    by_folder = {}
    for file in info.direct_sources:
        path = _import_path(file, info.proto_source_root)
        header, source, folder, virtual = _declare(ctx, path[:-len(".proto")])
        headers.append(header)
        sources.append(source)
        if virtual:
            folders[folder] = True
        by_folder.setdefault(folder, []).append((path, header, source))

    for folder, files in by_folder.items():
        args = ctx.actions.args()
        args.add(ctx.executable._plugin, format = "--plugin=protoc-gen-nearcall=%s")
        args.add("--nearcall_out=" + folder)
        for option in ctx.attr.options:
            args.add("--nearcall_opt=" + option)
        args.add_all(info.transitive_proto_path, format_each = "-I%s")
        args.add_all([path for path, _, _ in files])
        ctx.actions.run(
            executable = ctx.executable._protoc,
            tools = [ctx.executable._plugin],
            arguments = [args],
            inputs = info.transitive_sources,
            outputs = [h for _, h, _ in files] + [s for _, _, s in files],
            mnemonic = "NearcallProto",
            progress_message = "Generating nearcall services %s" % ctx.label,
            use_default_shell_env = True,
        )
    return headers, sources, folders.keys()

def _cc_nearcall_library_impl(ctx):
    headers = []
    sources = []
    folders = []
    for src in ctx.attr.srcs:
        made = _generate(ctx, src[ProtoInfo])
        headers += made[0]
        sources += made[1]
        folders += made[2]

    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    infos = [dep[CcInfo] for dep in ctx.attr.deps + ctx.attr._runtime]
    compilation, objects = cc_common.compile(
        actions = ctx.actions,
        name = ctx.label.name,
        feature_configuration = features,
        cc_toolchain = toolchain,
        srcs = sources,
        public_hdrs = headers,
        quote_includes = folders,
        system_includes = folders,
        user_compile_flags = NEARCALL_COPTS,
        compilation_contexts = [info.compilation_context for info in infos],
    )
    linking, linked = cc_common.create_linking_context_from_compilation_outputs(
        actions = ctx.actions,
        name = ctx.label.name,
        feature_configuration = features,
        cc_toolchain = toolchain,
        compilation_outputs = objects,
        linking_contexts = [info.linking_context for info in infos],
        disallow_dynamic_library = True,
    )
    files = depset(headers + sources)
    return [
        DefaultInfo(files = files),
        CcInfo(compilation_context = compilation, linking_context = linking),
        OutputGroupInfo(nearcall_headers = depset(headers), nearcall_sources = depset(sources)),
    ]

cc_nearcall_library = rule(
    implementation = _cc_nearcall_library_impl,
    attrs = {
        "deps": attr.label_list(
            providers = [CcInfo],
            doc = "The cc_proto_library of `srcs`, and of messages imported from elsewhere.",
        ),
        "options": attr.string_list(doc = "Options of the plugin, as `namespace=rpc`."),
        "srcs": attr.label_list(
            mandatory = True,
            providers = [ProtoInfo],
            doc = "proto_library targets whose services get classes.",
        ),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
        "_plugin": attr.label(default = "//codegen:protoc-gen-nearcall", executable = True, cfg = "host"),
        "_protoc": attr.label(
            default = "@com_google_protobuf//:protoc",
            executable = True,
            cfg = "host",
            allow_single_file = True,
        ),
        "_runtime": attr.label_list(default = ["//rpc:nearcall_generated"], providers = [CcInfo]),
    },
    fragments = ["cpp"],
    provides = [CcInfo],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    doc = "nearcall's C++ stubs and services for the services of a proto_library.",
)
