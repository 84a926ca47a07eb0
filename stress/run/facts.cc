#include "stress/run/facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace locklab::run {
namespace {

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1'000'000'000; }

std::string DescribeClash(const Clash& clash, int64_t start_ns) {
  return fmt::format(
      "witness: worker {} had the lock at {:+.9f} s and found worker {} in it",
      clash.intruder, Seconds(clash.time_ns - start_ns), clash.holder);
}

// Why nothing may be called correct; empty: it may.
std::string Doubt(const Facts& facts) {
  if (!facts.trouble.empty()) return facts.trouble;
  const int64_t done = facts.judgement.acquisitions;
  if (facts.hung.empty() && done < facts.floor) {
    return fmt::format("only {} acquisitions were done, {} are the least", done,
                       facts.floor);
  }
  return "";
}

// What was found stays found; only a pass needs a run without doubts.
Finding Qualify(Finding finding, const Facts& facts) {
  const std::string doubt = Doubt(facts);
  if (finding.verdict == Verdict::kPass && !doubt.empty()) {
    return Finding::Inconclusive(doubt);
  }
  if (finding.verdict == Verdict::kInconclusive && !doubt.empty()) {
    finding.reason = doubt + "; " + finding.reason;
  }
  return finding;
}

Finding Exclusion(const Facts& facts) {
  const judge::Judgement& judgement = facts.judgement;
  if (judgement.violations > 0 && facts.clashes == 0) {
    return Finding::Inconclusive(fmt::format(
        "the witnesses disagree: the history has {} overlaps, but the owner "
        "word saw none ({})",
        judgement.violations, judgement.Exclusion().reason));
  }
  if (judgement.violations == 0 && facts.clashes > 0) {
    return Finding::Inconclusive(fmt::format(
        "the witnesses disagree: the history has no overlap, but {}",
        facts.first_clashes.empty()
            ? "the owner word saw two holders"
            : DescribeClash(facts.first_clashes.front(), judgement.start_ns)));
  }
  return Qualify(judgement.Exclusion(), facts);
}

// Updates that were done and do not count; below zero: that count and were not
// done. An update that its process did not outlive may be either.
int64_t Lost(const Facts& facts) {
  const int64_t lost = facts.updates - facts.counter;
  return lost < 0 ? std::min<int64_t>(lost + facts.died_updating, 0) : lost;
}

Finding Coherence(const Facts& facts, int64_t lost) {
  if (!facts.counter_file) {
    return Finding::Unsupported("no counter file was asked for");
  }
  if (facts.counter_errno != 0) {
    return Finding::Inconclusive(fmt::format(
        "the counter file failed: {}", std::strerror(facts.counter_errno)));
  }
  if (lost != 0 || facts.stale_reads > 0) {
    return Finding::Fail(fmt::format(
        "{} of {} updates of the counter file were lost, {} reads were "
        "stale{}",
        lost, facts.updates, facts.stale_reads,
        facts.clashes > 0 ? "; two held the lock at once" : ""));
  }
  return Qualify(Finding::Pass(), facts);
}

std::string DescribeHung(const Facts& facts) {
  constexpr size_t kNamed = 4;
  const judge::Judgement& judgement = facts.judgement;
  std::string text =
      fmt::format("{} of {} workers hang", facts.hung.size(), facts.contenders);
  size_t named = 0;
  for (const judge::ActorSummary& actor : judgement.actors) {
    if (std::find(facts.hung.begin(), facts.hung.end(), actor.actor) ==
        facts.hung.end()) {
      continue;
    }
    if (named++ == kNamed) {
      return text + fmt::format("; and {} more", facts.hung.size() - kNamed);
    }
    text += fmt::format(
        "; worker {}: {} since {:.3f} s, after {} acquisitions", actor.actor,
        actor.last.phase == history::Phase::kInvoke
            ? fmt::format("in {}", OpName(actor.last.op))
            : fmt::format("after {}", OpName(actor.last.op)),
        Seconds(judgement.end_ns - actor.last.time_ns), actor.acquisitions);
  }
  return text;
}

Finding Progress(const Facts& facts) {
  if (!facts.hung.empty()) return Finding::Fail(DescribeHung(facts));
  Finding finding = facts.judgement.Progress();
  if (finding.verdict == Verdict::kFail && !facts.first_error.empty()) {
    finding.reason += ": " + facts.first_error;
  }
  return Qualify(std::move(finding), facts);
}

// What the lock made of the faults; empty: nothing is wrong with that.
std::string Wound(const FaultReport& faults) {
  if (faults.untold > 0) {
    return fmt::format(
        "{} holders whose lock had been broken were not told by their release",
        faults.untold);
  }
  if (!faults.aftermath.empty()) {
    return "when all was over, " + faults.aftermath;
  }
  if (!faults.litter.empty()) {
    return fmt::format("left when all was over: {}",
                       fmt::join(faults.litter, ", "));
  }
  return "";
}

Finding Survival(const Facts& facts) {
  return Qualify(SurvivalOf(facts.faults), facts);
}

Finding Fairness(const Facts& facts) {
  if (!facts.faults.kinds.empty()) {
    return Finding::Unsupported(
        "who is killed or stopped has no share to be judged by");
  }
  return Qualify(FairnessOf(facts.judgement, facts.processes, facts.contenders),
                 facts);
}

std::vector<std::string> Evidence(const Facts& facts) {
  std::vector<std::string> lines;
  const int64_t start_ns = facts.judgement.start_ns;
  for (const judge::Violation& violation : facts.judgement.evidence) {
    lines.push_back("history: " + violation.Describe(start_ns));
    for (const history::Event& event : violation.around) {
      lines.push_back("  " + Describe(event, start_ns));
    }
  }
  for (const Clash& clash : facts.first_clashes) {
    lines.push_back(DescribeClash(clash, start_ns));
  }
  if (!facts.first_error.empty()) lines.push_back(facts.first_error);
  return lines;
}

}  // namespace

Finding FairnessOf(const judge::Judgement& judgement, int processes,
                   int contenders) {
  if (contenders == 0 || judgement.acquisitions == 0) {
    return Finding::Inconclusive("nobody got it");
  }
  int64_t slowest = judgement.acquisitions;
  int seen = 0;
  for (const judge::ActorSummary& actor : judgement.actors) {
    if (actor.actor == history::kSupervisor) continue;
    slowest = std::min(slowest, actor.acquisitions);
    ++seen;
  }
  if (seen < contenders) slowest = 0;
  const double mean = static_cast<double>(judgement.acquisitions) / contenders;
  std::string text = fmt::format(
      "the slowest of {} {} got it {} times, {:.0f} % of the mean (Jain index "
      "{:.3f})",
      contenders, contenders == processes ? "processes" : "contenders", slowest,
      100 * static_cast<double>(slowest) / mean, judgement.jain);
  return 2 * static_cast<double>(slowest) >= mean
             ? Finding::Pass(std::move(text))
             : Finding::Fail(std::move(text));
}

Finding SurvivalOf(const FaultReport& faults) {
  if (faults.kinds.empty()) {
    return Finding::Unsupported("no faults were asked for");
  }
  const std::string wound = Wound(faults);
  if (!wound.empty()) return Finding::Fail(wound);
  size_t spared = 0;
  for (const FaultCount& count : faults.kinds) {
    if (!count.excuse.empty()) {
      ++spared;
    } else if (count.done == 0) {
      return Finding::Inconclusive(fmt::format(
          "of {} faults '{}' none was proven to be done: a run with more "
          "grants, or with fewer of them between faults, may tell",
          count.due, RowOf(count.kind).name));
    }
  }
  return spared < faults.kinds.size()
             ? Finding::Pass()
             : Finding::Unsupported(faults.kinds.front().excuse);
}

ContentionResult Conclude(Facts facts) {
  ContentionResult result;
  const bool counted = facts.counter_file && facts.counter_errno == 0;
  if (counted) result.lost_updates = Lost(facts);
  result.exclusion = Exclusion(facts);
  result.coherence = Coherence(facts, result.lost_updates);
  result.progress = Progress(facts);
  result.fairness = Fairness(facts);
  result.survival = Survival(facts);
  result.evidence = Evidence(facts);
  for (Finding* finding : {&result.exclusion, &result.coherence,
                           &result.progress, &result.survival}) {
    if (finding->verdict == Verdict::kPass) continue;
    for (const std::string& line : result.evidence) {
      finding->evidence += line + "\n";
    }
  }
  result.processes = facts.processes;
  result.contenders = facts.contenders;
  result.usage = facts.usage;
  result.response = std::move(facts.response);
  result.backlog = facts.backlog;
  result.acquisitions = facts.judgement.acquisitions;
  result.violations = facts.judgement.violations;
  result.witness_violations = facts.clashes;
  result.updates = facts.updates;
  result.stale_reads = facts.stale_reads;
  result.judgement = std::move(facts.judgement);
  result.faults = std::move(facts.faults);
  return result;
}

}  // namespace locklab::run
