// Instances to send: made in memory or read from files. The bytes of an object are borrowed spans, so that a sender
// writes them with writev and touches no pixel.
//
// Generated objects are complete, valid enough to be filed, and a pure function of (seed, kind, index): a checker that
// knows these makes the same bytes again. Their UIDs lie under 2.25 and never repeat within a seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.h"
#include "engine/core/result.h"

namespace cairn::load {

enum class Kind {
  ct,     ///< 512 x 512 x 16 bit, 514 KiB, series of 400
  mr,     ///< 256 x 256 x 16 bit, 131 KiB, two series of 100 a study
  tiny,   ///< 4 KiB structured report, one-object studies
  huge,   ///< one encapsulated video of the length asked for, beyond 4 GiB too
  filed,  ///< studies as an archive holds them, without pixels: filed_corpus(), filed_study.h
};

/// One instance without preamble and File Meta Information, as C-STORE carries it.
struct Object {
  std::string sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid, transfer_syntax_uid;
  std::string header;       ///< the data set up to the pixel data's value; owned
  std::vector<Bytes> body;  ///< what follows, borrowed from the corpus
  std::uint64_t body_bytes = 0;

  std::uint64_t size_bytes() const noexcept { return header.size() + body_bytes; }
};

/// Where objects come from. Thread-safe: object() is const. A corpus outlives its objects.
class Corpus {
 public:
  virtual ~Corpus() = default;
  /// Number of objects; 0 when there is no end.
  virtual std::uint64_t size() const noexcept = 0;
  /// Makes object `index` of sender `sender` into `object`, whose memory is reused. Studies are never shared by
  /// senders.
  virtual void make(std::uint64_t sender, std::uint64_t index, Object& object) const = 0;
  /// SOP class and transfer syntax pairs that occur: what an association must propose.
  virtual std::vector<std::pair<std::string, std::string>> contexts() const = 0;
};

/// `huge_bytes` is the length of a huge object; ignored for other kinds.
std::unique_ptr<Corpus> generated_corpus(Kind kind, std::uint64_t seed, std::uint64_t huge_bytes);

/// Studies of `instances` instances each, about 0.9 KiB an instance: what is asked of an index, and nothing else.
std::unique_ptr<Corpus> filed_corpus(std::uint64_t seed, std::uint64_t instances);

/// All Part 10 files below `paths`, mapped; in the order given, those of a folder by name. Files that are none are
/// counted in `skipped`. Errors: io, not_found (no file could be used).
Result<std::unique_ptr<Corpus>> file_corpus(const std::vector<std::string>& paths, std::uint64_t& skipped);

}  // namespace cairn::load
