"""Text files as part of a program: no paths at run time, no files to lose."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def embed_text(name, srcs, function, namespace = "locklab", **kwargs):
    """A cc_library with the text of files.

    Its header is NAME.h in this package, and declares

        std::span<const locklab::EmbeddedText> FUNCTION();

    which has one item a file, in the order of their names. See embed_text.h.

    Args:
      name: of the library, its header and its source.
      srcs: the files, each of a name of its own. Any bytes.
      function: what to call it from C++, "ExplainTexts".
      namespace: of the function.
      **kwargs: as for cc_library: visibility, testonly.
    """
    header = native.package_name() + "/" + name + ".h"
    testonly = kwargs.get("testonly", False)
    native.genrule(
        name = name + "_sources",
        testonly = testonly,
        srcs = srcs,
        outs = [name + ".h", name + ".cc"],
        cmd = " ".join([
            "$(execpath //tools/bazel:embed_text_writer)",
            "$(location %s.h)" % name,
            "$(location %s.cc)" % name,
            header,
            namespace,
            function,
            "$(SRCS)",
        ]),
        exec_tools = ["//tools/bazel:embed_text_writer"],
        visibility = ["//visibility:private"],
    )
    cc_library(
        name = name,
        srcs = [name + ".cc"],
        hdrs = [name + ".h"],
        deps = ["//tools/bazel:embed_text"],
        **kwargs
    )
