#include "conformance/report/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "conformance/report/cases.h"
#include "conformance/report/plain.h"

namespace locklab::report {
namespace {

struct Counts {
  size_t tests = 0;
  size_t failures = 0;
  size_t errors = 0;
  size_t skipped = 0;
  double seconds = 0;

  void Add(const Counts& other) {
    tests += other.tests;
    failures += other.failures;
    errors += other.errors;
    skipped += other.skipped;
    seconds += other.seconds;
  }
};

Counts Count(const Suite& suite) {
  Counts counts;
  for (const Case& item : suite.cases) {
    ++counts.tests;
    counts.seconds += item.duration_s;
    switch (item.outcome) {
      case Outcome::kPassed:
      case Outcome::kNoted:
        break;
      case Outcome::kFailed:
        ++counts.failures;
        break;
      case Outcome::kError:
        ++counts.errors;
        break;
      case Outcome::kSkipped:
      case Outcome::kExpected:
        ++counts.skipped;
        break;
    }
  }
  return counts;
}

std::string Attribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, Entities(OneLine(value)));
}

std::string Totals(const Counts& counts) {
  return fmt::format(
      " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
      "time=\"{:.3f}\"",
      counts.tests, counts.failures, counts.errors, counts.skipped,
      counts.seconds);
}

std::string Property(std::string_view name, std::string_view value) {
  return fmt::format("      <property{}{}/>\n", Attribute("name", name),
                     Attribute("value", value));
}

std::string Properties(const Context& context) {
  std::string out = "    <properties>\n";
  out += Property("run_id", context.run_id);
  out += Property("suite_version", context.suite_version);
  out += Property("seed", std::to_string(context.seed));
  out += Property("command_line", context.command_line);
  out += Property("dir", context.dir);
  out += Property("other_mount", context.other_mount);
  out += Property("variant", context.variant);
  out += Property("profile", context.profile);
  out += Property("partial", context.partial() ? "true" : "false");
  out += Property("filesystem.type", context.filesystem.type);
  out += Property("filesystem.source", context.filesystem.source);
  out += Property("filesystem.options", context.filesystem.options);
  out += Property("kernel", context.kernel);
  out += Property("processors", std::to_string(context.processors));
  for (const std::string& file : context.expectations) {
    out += Property("expectations", file);
  }
  for (const auto& [name, version] : context.versions) {
    out += Property("version." + name, version);
  }
  return out + "    </properties>\n";
}

// The evidence and the command that shows it again.
std::string Body(const Case& item) {
  std::string out;
  if (!item.message.empty()) out += item.message + "\n";
  for (const std::string& line : item.evidence) out += line + "\n";
  if (!item.replay.empty()) out += "replay: " + item.replay + "\n";
  return Entities(out);
}

std::string Element(std::string_view name, const Case& item) {
  return fmt::format("      <{}{}{}>{}</{}>\n", name,
                     Attribute("message", item.message),
                     Attribute("type", item.type), Body(item), name);
}

// What a case holds; empty: it passed, and there is nothing to say.
std::string Inside(const Case& item) {
  switch (item.outcome) {
    case Outcome::kFailed:
      return Element("failure", item);
    case Outcome::kError:
      return Element("error", item);
    case Outcome::kSkipped:
    case Outcome::kExpected:
      return fmt::format(
          "      <skipped{}/>\n",
          Attribute("message", fmt::format("{}: {}", item.type, item.message)));
    case Outcome::kPassed:
    case Outcome::kNoted:
      break;
  }
  const std::string body = Body(item);
  if (body.empty()) return "";
  const bool noted = item.outcome == Outcome::kNoted;
  return fmt::format("      <system-out>{}{}</system-out>\n",
                     noted ? item.type + ", which does not count: " : "", body);
}

std::string Xml(const Case& item, std::string_view suite) {
  const std::string inside = Inside(item);
  const std::string start =
      fmt::format("    <testcase{}{} time=\"{:.3f}\"",
                  Attribute("classname", fmt::format("locklab.{}", suite)),
                  Attribute("name", item.name), item.duration_s);
  if (inside.empty()) return start + "/>\n";
  return start + ">\n" + inside + "    </testcase>\n";
}

// The dialect has no time zone: it is UTC.
std::string Timestamp(std::string started) {
  if (started.ends_with('Z')) started.pop_back();
  return started;
}

}  // namespace

std::string ToJunit(const RunReport& report) {
  const std::vector<Suite> suites = SuitesOf(report);
  Counts all;
  for (const Suite& suite : suites) all.Add(Count(suite));
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"locklab\"{}>\n",
      Totals(all));
  const std::string started = Timestamp(report.context.started);
  for (const Suite& suite : suites) {
    out += fmt::format("  <testsuite{}{}{}{}>\n",
                       Attribute("name", "locklab." + suite.name),
                       Totals(Count(suite)),
                       started.empty() ? "" : Attribute("timestamp", started),
                       Attribute("hostname", report.context.host));
    out += Properties(report.context);
    for (const Case& item : suite.cases) out += Xml(item, suite.name);
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace locklab::report
