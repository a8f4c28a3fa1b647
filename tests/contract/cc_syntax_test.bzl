"""cc_syntax_test: sources compile with a compiler of one's choice, without a warning, against the headers of `deps`.

Each source is compiled alone with -fsyntax-only in an action, where Bazel's include folders are real; the test prints
the compiler's output and fails if there was any error. So that a broken source is a failed test and not a failed build.
"""

load("//tools/build:nearcall.bzl", "NEARCALL_COPTS")

def _cc_syntax_test_impl(ctx):
    contexts = [dep[CcInfo].compilation_context for dep in ctx.attr.deps]
    merged = cc_common.merge_cc_infos(
        cc_infos = [dep[CcInfo] for dep in ctx.attr.deps],
    ).compilation_context
    flags = ["-fsyntax-only"] + NEARCALL_COPTS
    flags += ["-D" + define for define in merged.defines.to_list()]
    for folder in merged.quote_includes.to_list():
        flags += ["-iquote", folder]
    for folder in merged.includes.to_list():
        flags += ["-I", folder]
    for folder in merged.system_includes.to_list():
        flags += ["-isystem", folder]

    log = ctx.actions.declare_file(ctx.label.name + ".log")
    args = ctx.actions.args()
    args.add(log)
    args.add(ctx.attr.compiler)
    args.add_all(ctx.files.srcs)
    args.add("--")
    args.add_all(flags)
    ctx.actions.run_shell(
        command = """
log="$1"; compiler="$2"; shift 2
sources=()
while [ "$1" != -- ]; do sources+=("$1"); shift; done
shift
: > "$log"
command -v "$compiler" >/dev/null || { echo "FAILED: $compiler is not installed" >> "$log"; exit 0; }
for source in "${sources[@]}"; do
  if "$compiler" "$@" "$source" >> "$log" 2>&1; then
    echo "passed: $compiler ${source##*/}" >> "$log"
  else
    echo "FAILED: $compiler ${source##*/}" >> "$log"
  fi
done
""",
        arguments = [args],
        inputs = depset(ctx.files.srcs, transitive = [context.headers for context in contexts]),
        outputs = [log],
        mnemonic = "CcSyntax",
        progress_message = "Checking sources of %s with %s" % (ctx.label, ctx.attr.compiler),
        use_default_shell_env = True,
    )

    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(
        script,
        "#!/usr/bin/env bash\ncat %s\n! grep -q '^FAILED' %s && [ \"$(grep -c '^passed' %s)\" -eq %d ]\n" %
        (log.short_path, log.short_path, log.short_path, len(ctx.files.srcs)),
        is_executable = True,
    )
    return [DefaultInfo(executable = script, runfiles = ctx.runfiles(files = [log]))]

cc_syntax_test = rule(
    implementation = _cc_syntax_test_impl,
    test = True,
    attrs = {
        "compiler": attr.string(mandatory = True, doc = "As the PATH has it: \"clang++\"."),
        "deps": attr.label_list(providers = [CcInfo]),
        "srcs": attr.label_list(mandatory = True, allow_files = [".cc", ".h"]),
    },
    doc = "Compiles sources with -fsyntax-only and the tree's warnings as errors.",
)
