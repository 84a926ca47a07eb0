"""External repositories, all made from Debian's packages: no downloads.

Every rule here reads files that tools/setup installs (tools/packages.txt).
Targets elsewhere name third-party code by the aliases in
//tools/bazel/third_party, never by these repositories.
"""

load("//tools/bazel:debian_repository.bzl", "debian_repository")

# Bazel resolves this repository before any `bazel test`, coverage or not.
_COVERAGE_STUB = """
filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)
"""

_EXPORT_ALL = """
exports_files(glob(["**"]))
"""

# rules_cc 0.0.4 loads a function that Bazel 4.2.3 does not have yet.
_RULES_CC_PATCHES = {
    'load("@bazel_tools//tools/cpp:toolchain_utils.bzl", ' +
    '"find_cpp_toolchain", "use_cpp_toolchain")': 'load("@bazel_tools//tools/cpp:toolchain_utils.bzl", ' +
                                                  '"find_cpp_toolchain")',
    "use_cpp_toolchain()": '["@bazel_tools//tools/cpp:toolchain_type"]',
}

def locklab_repositories():
    """Declares every external repository of the workspace."""
    debian_repository(
        name = "rules_cc",
        package = "bazel-rules-cc",
        path = "/usr/share/bazel/rules/cc",
        patched_files = [
            "cc/private/rules_impl/cc_flags_supplier.bzl",
            "cc/private/rules_impl/compiler_flag.bzl",
        ],
        patches = _RULES_CC_PATCHES,
    )
    debian_repository(
        name = "rules_java",
        package = "bazel-rules-java",
        path = "/usr/share/bazel/rules/java",
    )
    debian_repository(
        name = "platforms",
        package = "bazel-platforms",
        path = "/usr/share/bazel/tools/platforms",
    )
    debian_repository(
        name = "remote_coverage_tools",
        build_file_content = _COVERAGE_STUB,
    )
    debian_repository(
        name = "googletest",
        package = "googletest",
        path = "/usr/src/googletest",
        build_file = "//tools/bazel:googletest.BUILD",
    )
    debian_repository(
        name = "chart_js",
        package = "libjs-chart.js",
        path = "/usr/share/javascript/chart.js",
        build_file_content = _EXPORT_ALL,
    )
    debian_repository(
        name = "chart_js_licence",
        package = "libjs-chart.js",
        path = "/usr/share/doc/libjs-chart.js",
        build_file_content = _EXPORT_ALL,
    )
