#include "recon/phases.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <tuple>

#include "recon/assemble.h"
#include "recon/text.h"

namespace cairn::recon {
namespace {

struct Placed {
  std::size_t position;  // rank along the normal
  std::int64_t order;
  std::size_t frame;
};
using Set = std::vector<Placed>;  // sorted by position, then order, then frame

// Frames no further than kSamePositionMm from the first of a position belong to it.
Set rank_positions(std::vector<PhaseInput> input) {
  std::sort(input.begin(), input.end(),
            [](const PhaseInput& a, const PhaseInput& b) { return a.depth_mm < b.depth_mm; });
  Set set;
  double start = 0;
  std::size_t position = 0;
  for (const PhaseInput& i : input) {
    if (set.empty()) {
      start = i.depth_mm;
    } else if (i.depth_mm - start > kSamePositionMm) {
      start = i.depth_mm;
      ++position;
    }
    set.push_back({position, i.order, i.frame});
  }
  std::sort(set.begin(), set.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.position, a.order, a.frame) < std::tie(b.position, b.order, b.frame);
  });
  return set;
}

std::size_t most_at_one(const Set& set) {
  std::size_t most = 0, run = 0;
  for (std::size_t i = 0; i < set.size(); ++i) {
    run = i > 0 && set[i].position == set[i - 1].position ? run + 1 : 1;
    most = std::max(most, run);
  }
  return most;
}

bool same_positions(const Set& a, const Set& b) {
  auto next = [](const Set& s, std::size_t i) {
    while (i + 1 < s.size() && s[i + 1].position == s[i].position) ++i;
    return i + 1;
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (a[i].position != b[j].position) return false;
    i = next(a, i);
    j = next(b, j);
  }
  return i == a.size() && j == b.size();
}

class Splitter {
 public:
  Splitter(std::span<const SliceGeometry> frames, PhaseSplit& out) : frames_(frames), out_(out) {}

  void split(const Set& set, const std::string& name) {
    if (most_at_one(set) <= 1) return add(set, name);
    if (by_key(set, name, true) || by_key(set, name, false)) return;
    by_order(set, name);
  }

 private:
  // A numeric key sorts as a number: phase 10 comes after phase 9.
  struct KeyLess {
    bool operator()(const std::string& a, const std::string& b) const {
      char *a_end = nullptr, *b_end = nullptr;
      const double x = std::strtod(a.c_str(), &a_end), y = std::strtod(b.c_str(), &b_end);
      const bool numbers =
          a_end != a.c_str() && *a_end == 0 && b_end != b.c_str() && *b_end == 0 && !(x != x) && !(y != y);
      if (numbers && x != y) return x < y;
      if (numbers) return a < b;
      const bool a_number = a_end != a.c_str() && *a_end == 0, b_number = b_end != b.c_str() && *b_end == 0;
      if (a_number != b_number) return a_number;
      return a < b;
    }
  };

  bool by_key(const Set& set, const std::string& name, bool complete) {
    const std::size_t keys = frames_[set.front().frame].phase_keys.size();
    for (std::size_t k = 0; k < keys; ++k) {
      std::map<std::string, Set, KeyLess> parts;
      for (const Placed& p : set) {
        const auto& values = frames_[p.frame].phase_keys;
        parts[k < values.size() ? values[k] : std::string()].push_back(p);
      }
      if (parts.size() < 2 || parts.size() == set.size()) continue;
      const bool fits = std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
        return complete ? same_positions(part.second, parts.begin()->second) : most_at_one(part.second) == 1;
      });
      if (!fits) continue;
      say("by a temporal, echo or similar attribute");
      for (const auto& [value, part] : parts) {
        split(part, name.empty() ? "phase " + value : name + ", " + value);
      }
      return true;
    }
    return false;
  }

  void by_order(const Set& set, const std::string& name) {
    std::vector<Set> parts(most_at_one(set));
    std::size_t rank = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
      rank = i > 0 && set[i].position == set[i - 1].position ? rank + 1 : 0;
      parts[rank].push_back(set[i]);
    }
    if (parts.back().size() != parts.front().size()) out_.ambiguous = true;
    say("by Instance Number at each position");
    for (std::size_t n = 0; n < parts.size(); ++n) {
      add(parts[n], format("%s%simage %zu at its position", name.c_str(), name.empty() ? "" : ", ", n + 1));
    }
  }

  void add(const Set& set, const std::string& name) {
    Phase phase;
    phase.name = name;
    for (const Placed& p : set) phase.frames.push_back(p.frame);
    out_.phases.push_back(std::move(phase));
  }

  void say(const char* how) {
    if (out_.how.find(how) == std::string::npos) out_.how += out_.how.empty() ? how : std::string(", then ") + how;
  }

  std::span<const SliceGeometry> frames_;
  PhaseSplit& out_;
};

}  // namespace

PhaseSplit split_phases(std::vector<PhaseInput> input, std::span<const SliceGeometry> frames) {
  PhaseSplit out;
  const Set set = rank_positions(std::move(input));
  out.most_at_one_position = most_at_one(set);
  Splitter(frames, out).split(set, {});
  return out;
}

}  // namespace cairn::recon
