#include "engine/store/record_copy.h"

#include <algorithm>

#include "engine/core/checksum.h"

namespace cairn::store {
namespace {

constexpr std::uint64_t kLongestPart = 1u << 20;
constexpr std::uint64_t kLongestGone = 1u << 30;
// Replay scans a longer one part by part, and needs them all.
constexpr std::uint64_t kLongestHeader = 4u << 20;

std::uint64_t header_bytes(const InstanceRecord& record) {
  std::uint64_t bytes = 0;
  for (const auto& extent : record.header_extents) bytes += extent.length;
  return bytes;
}

}  // namespace

bool RecordCopy::worth_cutting(const InstanceRecord& record) {
  const std::uint64_t bytes = header_bytes(record);
  return record.until == 0 && bytes < kLongestHeader && bytes < record.stream_length / 2;
}

Result<Bytes> RecordCopy::read(const Part& part) {
  if (!spend_(record_bytes(part.length))) return fail(Errc::cancelled, "compaction");
  Bytes payload;
  source_failed_ = true;
  CAIRN_TRY(const RecordHeader header, reader_.read_record(part.location, part.length, memory_, payload));
  if (header.type != RecordType::part || header.payload_length != part.length || header.payload_crc != part.crc) {
    return fail(Errc::corrupt, "part is another", part.location.offset);
  }
  source_failed_ = false;
  return payload;
}

Result<> RecordCopy::add_part(InstanceRecord& record, Bytes payload, std::uint64_t stream_offset) {
  if (!spend_(record_bytes(payload.size()))) return fail(Errc::cancelled, "compaction");
  RecordHeader header;
  header.type = RecordType::part;
  header.part_index = static_cast<std::uint32_t>(record.parts.size());
  header.instance_number = record.instance_number;
  header.stream_offset = stream_offset;
  CAIRN_TRY(const std::uint64_t offset, writer_.append(header, payload, 0));
  record.parts.push_back(
      {{writer_.volume(), writer_.number(), offset}, static_cast<std::uint32_t>(payload.size()), crc32c(payload)});
  return outcome::success();
}

void RecordCopy::add_gone(InstanceRecord& record, std::uint64_t length) {
  while (length > 0) {
    const std::uint64_t piece = std::min(length, kLongestGone);
    record.parts.push_back({{}, static_cast<std::uint32_t>(piece), 0});
    length -= piece;
  }
}

Result<> RecordCopy::add_commit(const InstanceRecord& record) {
  CAIRN_TRYV(record.check());
  RecordHeader header;
  header.type = RecordType::commit;
  header.part_index = static_cast<std::uint32_t>(record.parts.size());
  header.instance_number = record.instance_number;
  header.stream_offset = record.stream_length;
  const std::string payload = record.encode();
  CAIRN_TRYV(writer_.append(header, as_bytes(payload), record.sequence));
  return outcome::success();
}

Result<> RecordCopy::whole(const CommitAt& commit) {
  if (commit.event) {
    CAIRN_TRYV(writer_.append(commit.header, as_bytes(commit.event_payload), commit.event->sequence));
    return outcome::success();
  }
  sop_instance_uid_ = commit.record->sop_instance_uid;
  InstanceRecord record = *commit.record;
  record.parts.clear();
  std::uint64_t at = 0;
  for (const Part& part : commit.record->parts) {
    if (part.is_gone()) {
      record.parts.push_back(part);
    } else {
      CAIRN_TRY(const Bytes payload, read(part));
      CAIRN_TRYV(add_part(record, payload, at));
    }
    at += part.length;
  }
  return add_commit(record);
}

Result<> RecordCopy::header_only(const CommitAt& commit, Sequence until) {
  sop_instance_uid_ = commit.record->sop_instance_uid;
  InstanceRecord record = *commit.record;
  record.parts.clear();
  record.until = until;
  auto part = commit.record->parts.begin();
  std::uint64_t part_start = 0, at = 0;
  Bytes payload;
  bool have = false;
  for (const auto& extent : commit.record->header_extents) {
    add_gone(record, extent.offset - at);
    for (at = extent.offset; at < extent.offset + extent.length;) {
      while (part_start + part->length <= at) {
        part_start += (part++)->length;
        have = false;
      }
      if (!have) {
        CAIRN_TRY(payload, read(*part));
        have = true;
      }
      const std::uint64_t from = at - part_start;
      const std::uint64_t length = std::min({extent.offset + extent.length - at, part->length - from, kLongestPart});
      const Bytes bytes = payload.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(length));
      CAIRN_TRYV(add_part(record, bytes, at));
      at += length;
    }
  }
  add_gone(record, record.stream_length - at);
  return add_commit(record);
}

}  // namespace cairn::store
