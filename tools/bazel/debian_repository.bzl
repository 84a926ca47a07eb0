"""A repository made of the files of one installed Debian package."""

def _copy_tree(ctx, root):
    result = ctx.execute(["cp", "-rL", "--no-preserve=mode", root + "/.", "."])
    if result.return_code:
        fail("cannot copy {}: {}".format(root, result.stderr))

def _patch_file(ctx, file):
    text = ctx.read(file)
    for old, new in ctx.attr.patches.items():
        text = text.replace(old, new)
    ctx.file(file, text, executable = False)

def _debian_repository_impl(ctx):
    if ctx.attr.path:
        if not ctx.path(ctx.attr.path).exists:
            fail("{} is missing: it comes with the package {}; run tools/setup"
                .format(ctx.attr.path, ctx.attr.package))
        _copy_tree(ctx, ctx.attr.path)
    for file in ctx.attr.patched_files:
        _patch_file(ctx, file)
    if ctx.attr.build_file:
        ctx.file("BUILD.bazel", ctx.read(ctx.attr.build_file))
    elif ctx.attr.build_file_content:
        ctx.file("BUILD.bazel", ctx.attr.build_file_content)
    if not ctx.path("WORKSPACE").exists:
        ctx.file("WORKSPACE", "workspace(name = \"{}\")\n".format(ctx.name))

debian_repository = repository_rule(
    implementation = _debian_repository_impl,
    doc = "Copies `path`, replaces texts in some files, adds a BUILD file.",
    attrs = {
        "package": attr.string(doc = "named when `path` is missing"),
        "path": attr.string(doc = "folder to copy; none: an empty repository"),
        "patched_files": attr.string_list(doc = "where `patches` apply"),
        "patches": attr.string_dict(doc = "text to find -> text to put there"),
        "build_file": attr.label(allow_single_file = True),
        "build_file_content": attr.string(),
    },
    local = True,
)
