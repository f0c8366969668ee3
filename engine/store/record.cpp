#include "engine/store/record.h"

#include "engine/store/fields.h"

namespace cairn::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kVersionGone = 2;  // with `until` at its end

}  // namespace

std::string InstanceRecord::encode() const {
  FieldWriter w;
  w.number(until == 0 ? kVersion : kVersionGone);
  w.number(static_cast<std::uint8_t>(via));
  w.number(static_cast<std::uint8_t>(duplicate_policy));
  w.number(std::uint8_t{0});
  w.number(header_crc);
  w.number(sequence);
  w.number(instance_number);
  w.number(static_cast<std::uint64_t>(received_unix_ns));
  w.number(stream_length);
  w.number(data_set_offset);
  w.number(pixel_data.offset);
  w.number(pixel_data.length);
  w.raw(digest);
  for (const auto* text : {&sop_class_uid, &sop_instance_uid, &study_instance_uid, &series_instance_uid,
                           &transfer_syntax_uid, &calling_ae, &called_ae, &peer_address}) {
    w.text(*text);
  }
  w.number(static_cast<std::uint32_t>(header_extents.size()));
  for (const auto& extent : header_extents) {
    w.number(extent.offset);
    w.number(extent.length);
  }
  w.number(static_cast<std::uint32_t>(parts.size()));
  for (const Part& part : parts) {
    w.number(part.location.volume);
    w.number(part.location.segment);
    w.number(part.location.offset);
    w.number(part.length);
    w.number(part.crc);
  }
  if (until != 0) w.number(until);
  return w.take();
}

Result<InstanceRecord> InstanceRecord::decode(Bytes payload) {
  FieldReader r(payload);
  InstanceRecord record;
  const auto version = r.number<std::uint8_t>();
  if (!r.failed() && version != kVersion && version != kVersionGone)
    return fail(Errc::unsupported, "commit record version");
  const auto via = r.number<std::uint8_t>();
  const auto policy = r.number<std::uint8_t>();
  const auto reserved = r.number<std::uint8_t>();
  record.header_crc = r.number<std::uint32_t>();
  record.sequence = r.number<std::uint64_t>();
  record.instance_number = r.number<std::uint64_t>();
  record.received_unix_ns = static_cast<std::int64_t>(r.number<std::uint64_t>());
  record.stream_length = r.number<std::uint64_t>();
  record.data_set_offset = r.number<std::uint64_t>();
  record.pixel_data.offset = r.number<std::uint64_t>();
  record.pixel_data.length = r.number<std::uint64_t>();
  r.raw(record.digest);
  for (auto* text :
       {&record.sop_class_uid, &record.sop_instance_uid, &record.study_instance_uid, &record.series_instance_uid,
        &record.transfer_syntax_uid, &record.calling_ae, &record.called_ae, &record.peer_address}) {
    *text = r.text();
  }
  record.header_extents.resize(r.count(16));
  for (auto& extent : record.header_extents) {
    extent.offset = r.number<std::uint64_t>();
    extent.length = r.number<std::uint64_t>();
  }
  record.parts.resize(r.count(24));
  for (Part& part : record.parts) {
    part.location.volume = r.number<std::uint32_t>();
    part.location.segment = r.number<std::uint32_t>();
    part.location.offset = r.number<std::uint64_t>();
    part.length = r.number<std::uint32_t>();
    part.crc = r.number<std::uint32_t>();
  }
  if (version == kVersionGone) record.until = r.number<std::uint64_t>();
  if (r.failed()) return fail(Errc::truncated, "commit record", r.at());
  if (r.remaining() != 0) return fail(Errc::malformed, "commit record length", r.at());
  if (via < 1 || via > 3) return fail(Errc::malformed, "commit record source", 1);
  if (policy < 1 || policy > 3) return fail(Errc::malformed, "commit record policy", 2);
  if (reserved != 0) return fail(Errc::malformed, "commit record", 3);
  if (version == kVersionGone && (record.until == 0 || record.until < record.sequence)) {
    return fail(Errc::malformed, "commit record end");
  }
  for (const Part& part : record.parts) {
    if (part.is_gone() && version != kVersionGone) return fail(Errc::malformed, "commit record part");
  }
  record.via = static_cast<Via>(via);
  record.duplicate_policy = static_cast<DuplicatePolicy>(policy);
  CAIRN_TRYV(record.check());
  return record;
}

Result<> InstanceRecord::check() const {
  std::uint64_t total = 0;
  for (const Part& part : parts) total += part.length;  // at most 2^32 parts below 2^32 bytes: no overflow
  if (total != stream_length) return fail(Errc::mismatch, "commit record stream length");
  std::uint64_t end = 0;
  for (const auto& extent : header_extents) {
    if (extent.offset < end || extent.offset > stream_length || extent.length > stream_length - extent.offset) {
      return fail(Errc::malformed, "commit record header extents");
    }
    end = extent.offset + extent.length;
  }
  if (data_set_offset > stream_length) return fail(Errc::malformed, "commit record data set offset");
  for (const auto* text : {&sop_class_uid, &sop_instance_uid, &study_instance_uid, &series_instance_uid,
                           &transfer_syntax_uid, &calling_ae, &called_ae, &peer_address}) {
    if (text->size() > kMaxText) return fail(Errc::limit_exceeded, "commit record text");
  }
  return outcome::success();
}

std::size_t InstanceRecord::encoded_bytes() const {
  std::size_t bytes =
      (until != 0 ? 8 : 0) + 8 + 7 * 8 + 16 + 8 * 2 + 4 + 4 + header_extents.size() * 16 + parts.size() * 24;
  for (const auto* text : {&sop_class_uid, &sop_instance_uid, &study_instance_uid, &series_instance_uid,
                           &transfer_syntax_uid, &calling_ae, &called_ae, &peer_address}) {
    bytes += text->size();
  }
  return bytes;
}

}  // namespace cairn::store
