#include "engine/store/compacted_writer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/core/checksum.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

constexpr std::size_t kStagingBytes = 1u << 20;

}  // namespace

CompactedWriter::CompactedWriter(Volume& volume) : volume_(volume) {}

CompactedWriter::~CompactedWriter() {
  file_.reset();
  if (!name_.empty()) volume_.drop_temporary(name_);
}

Result<> CompactedWriter::open() {
  header_ = volume_.compacted_header();
  CAIRN_TRY(file_, volume_.create_temporary(name_));
  staging_ = io::AlignedBytes(kStagingBytes);
  return outcome::success();
}

std::uint64_t CompactedWriter::size() const noexcept {
  return io::block_up(tail_) + footer_bytes(commits_.size());
}

Result<std::uint64_t> CompactedWriter::append(RecordHeader header, Bytes payload, Sequence sequence) {
  header.payload_length = static_cast<std::uint32_t>(payload.size());
  header.payload_crc = crc32c(payload);
  header.offset = tail_;
  header.durable_below = 0;
  std::array<std::byte, kRecordHeaderBytes> head;
  header.encode(head.data(), header_.identity);
  CAIRN_TRYV(put(head));
  CAIRN_TRYV(put(payload));
  static constexpr std::array<std::byte, 8> kZeros{};
  CAIRN_TRYV(put(Bytes(kZeros).first(header.record_bytes() - kRecordHeaderBytes - payload.size())));
  ++records_;
  if (sequence != 0) {
    commits_.push_back({header.offset, header.payload_length});
    if (header_.first_sequence == 0) header_.first_sequence = sequence;
    last_ = sequence;
  }
  return header.offset;
}

Result<> CompactedWriter::put(Bytes bytes) {
  tail_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t length = std::min(bytes.size(), staging_.size() - staged_);
    std::memcpy(staging_.data() + staged_, bytes.data(), length);
    staged_ += length;
    bytes = bytes.subspan(length);
    if (staged_ == staging_.size()) {
      CAIRN_TRYV(write_staged());
    }
  }
  return outcome::success();
}

Result<> CompactedWriter::write_staged() {
  const auto whole = static_cast<std::size_t>(io::block_up(staged_));
  std::memset(staging_.data() + staged_, 0, whole - staged_);
  if (whole > 0) {
    CAIRN_TRYV(file_->write(written_, staging_.first(whole)));
  }
  written_ += whole;
  staged_ = 0;
  return outcome::success();
}

Result<> CompactedWriter::finish(std::vector<std::uint32_t> sources, std::vector<Sequence> moved,
                                 const std::function<bool(std::uint64_t)>& spend) {
  CAIRN_TRYV(write_staged());
  const Trailer trailer{io::block_up(tail_), tail_, static_cast<std::uint32_t>(commits_.size()), last_};
  const io::AlignedBytes footer = encode_footer(commits_, header_.identity, trailer);
  CAIRN_TRYV(file_->write(trailer.footer_offset, footer.bytes()));
  CAIRN_TRYV(file_->flush());
  header_.size = trailer.footer_offset + footer.size();
  header_.sources = std::move(sources);
  header_.moved = std::move(moved);
  CAIRN_TRYV(file_->write(0, header_.encode().bytes()));
  CAIRN_TRYV(file_->flush());
  CAIRN_TRYV(read_back(spend));
  file_.reset();
  const std::string name = std::move(name_);
  name_.clear();
  return volume_.add_compacted(name, header_, trailer);
}

// What this was copied from goes once it is here: so it is here for certain.
Result<> CompactedWriter::read_back(const std::function<bool(std::uint64_t)>& spend) {
  Window window(*file_, header_.size);
  CAIRN_TRY(const Bytes block, window.at(0, kSegmentHeaderBytes));
  const auto header = SegmentHeader::decode(block);
  if (!header || header.value().identity != header_.identity) return fail(Errc::corrupt, "compacted segment", 0);
  RecordWalk walk(window, header_.identity, kSegmentHeaderBytes);
  for (std::uint64_t i = 0; i < records_; ++i) {
    CAIRN_TRY(const auto record, walk.next());
    if (!record) return fail(Errc::corrupt, "compacted segment", walk.position());
    if (!spend(record->record_bytes())) return fail(Errc::cancelled, "compaction");
    CAIRN_TRY(const std::uint32_t crc, payload_crc(window, *record));
    if (crc != record->payload_crc) return fail(Errc::corrupt, "compacted segment", record->offset);
  }
  if (walk.position() != tail_ || !window.unreadable().empty()) {
    return fail(Errc::corrupt, "compacted segment", walk.position());
  }
  return outcome::success();
}

}  // namespace cairn::store
