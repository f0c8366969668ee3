#include "engine/dicom/part10.h"

#include <algorithm>
#include <optional>

#include "engine/core/uid.h"
#include "engine/dicom/element_header.h"

namespace cairn::dicom {
namespace {

using namespace element_detail;

constexpr std::size_t kPreamble = 128;
constexpr std::string_view kImplicitLittle = "1.2.840.10008.1.2";
constexpr std::string_view kExplicitLittle = "1.2.840.10008.1.2.1";
constexpr std::string_view kExplicitBig = "1.2.840.10008.1.2.2";
constexpr std::string_view kDirectoryStorage = "1.2.840.10008.1.3.10";

bool is_dicm(Bytes b, std::size_t at) {
  return b.size() >= at + 4 && as_text(b.subspan(at, 4)) == "DICM";
}

bool is_group_2(Bytes b, std::size_t at) {
  return b.size() >= at + 2 && load_le<std::uint16_t>(&b[at]) == 2;
}

// The transfer syntax that the first element of a data set speaks for; empty when it is none.
std::string_view guess(Bytes b) {
  if (b.size() < kShortHeader) return {};
  const Tag little = load_tag(b.data(), false), big = load_tag(b.data(), true);
  if (properties(load_vr(&b[4])).known) {
    if (little.group == 0 || little.group == 0xfffe) return {};
    return little.group <= big.group ? kExplicitLittle : kExplicitBig;
  }
  if (little.group < 4 || load_le<std::uint32_t>(&b[4]) >= 0x80000000u) return {};
  const bool known = little.is_private() ? little.element >= 0x10 && little.element <= 0xff : vr_of(little) != VR::UN;
  // A private sequence may be all that a (test) data set has: undefined length does not reach here.
  return known && vr_of(little) != VR::none ? kImplicitLittle : std::string_view();
}

// As guess(), for what stands behind a File Meta Information without transfer syntax: DICOM without doubt, so that
// the default transfer syntax is the last resort.
std::string_view guess_or_default(Bytes b) {
  const std::string_view found = guess(b);
  return found.empty() ? kImplicitLittle : found;
}

struct Meta {
  bool complete = false;
  std::size_t end = 0;
};

// Reads group 0002 from prefix.meta_offset on, in explicit or (against the standard) implicit VR.
Result<Meta> read_meta(Bytes b, bool at_end, Part10Prefix& prefix) {
  std::size_t at = static_cast<std::size_t>(prefix.meta_offset);
  std::optional<std::size_t> announced_end;
  for (std::size_t count = 0;; ++count) {
    if (count > kMaxMetaElements) return fail(Errc::limit_exceeded, "File Meta Information elements", at);
    // A raw DEFLATE stream may begin with any bytes: only there the announced length decides.
    if (announced_end && *announced_end == at && encoding_of(prefix.transfer_syntax_uid).deflated) break;
    if (b.size() - at < kShortHeader) {
      if (!at_end) return Meta{};
      if (is_group_2(b, at)) return fail(Errc::truncated, "inside the File Meta Information", b.size());
      break;
    }
    if (!is_group_2(b, at)) break;
    prefix.has_meta = true;
    const bool explicit_vr = is_vr_spelling(load_vr(&b[at + 4]));
    const Encoding encoding{explicit_vr, false, false};
    const std::size_t size = header_size(&b[at], encoding);
    if (b.size() - at < size) {
      if (at_end) return fail(Errc::truncated, "inside the File Meta Information", b.size());
      return Meta{};
    }
    const ElementHeader h = decode_header(&b[at], encoding);
    const std::uint64_t end = std::uint64_t{at} + size + h.length;
    if (h.length == kUndefinedLength) return fail(Errc::malformed, "File Meta Information", at);
    if (end > prefix.meta_offset + kMaxMetaBytes) return fail(Errc::limit_exceeded, "File Meta Information", at);
    if (end > b.size()) {
      if (at_end) return fail(Errc::truncated, "inside the File Meta Information", b.size());
      return Meta{};
    }
    const Bytes value = b.subspan(at + size, h.length);
    at = static_cast<std::size_t>(end);
    const auto uid = [&value] { return std::string(trim_uid(as_text(value))); };
    if (h.tag == tags::FileMetaInformationGroupLength && value.size() == 4) {
      announced_end = at + load_le<std::uint32_t>(value.data());
    } else if (h.tag == tags::TransferSyntaxUID) {
      prefix.transfer_syntax_uid = uid();
    } else if (h.tag == tags::MediaStorageSOPClassUID) {
      prefix.media_storage_sop_class_uid = uid();
    } else if (h.tag == tags::MediaStorageSOPInstanceUID) {
      prefix.media_storage_sop_instance_uid = uid();
    } else if (h.tag == tags::SourceApplicationEntityTitle) {
      prefix.source_ae = uid();
    }
  }
  return Meta{true, at};
}

// Where group 0002 or the data set begins. An empty optional: more bytes are needed.
Result<std::optional<std::size_t>> find_beginning(Bytes b, bool at_end, Part10Prefix& prefix) {
  if (is_dicm(b, 0) && is_group_2(b, 4)) {
    prefix.has_dicm = true;
    return std::optional<std::size_t>(4);
  }
  if (b.size() >= kShortHeader && is_group_2(b, 0) && properties(load_vr(&b[4])).known) {
    return std::optional<std::size_t>(0);
  }
  if (b.size() < kPreamble + 4 + kShortHeader && !at_end) return std::optional<std::size_t>();
  const bool dicm = is_dicm(b, kPreamble);
  const bool data_set_at_0 = !guess(b).empty();
  if (dicm && (is_group_2(b, kPreamble + 4) || !data_set_at_0)) {
    prefix.has_preamble = prefix.has_dicm = true;
    return std::optional<std::size_t>(kPreamble + 4);
  }
  if (data_set_at_0) return std::optional<std::size_t>(0);
  return fail(Errc::malformed, "no DICOM file: no DICM prefix and no data set");
}

}  // namespace

Result<PrefixProgress> try_read_prefix(Bytes so_far, bool at_end) {
  PrefixProgress progress;
  Part10Prefix& prefix = progress.prefix;
  CAIRN_TRY(const std::optional<std::size_t> begin, find_beginning(so_far, at_end, prefix));
  if (!begin) return PrefixProgress{};
  prefix.meta_offset = *begin;
  CAIRN_TRY(const Meta meta, read_meta(so_far, at_end, prefix));
  if (!meta.complete) return PrefixProgress{};
  prefix.data_set_offset = meta.end;
  prefix.transfer_syntax_stated = !prefix.transfer_syntax_uid.empty();

  const Bytes data_set = so_far.subspan(meta.end);
  if (!prefix.transfer_syntax_stated) {
    const std::string_view guessed = prefix.has_dicm || prefix.has_meta ? guess_or_default(data_set) : guess(data_set);
    prefix.transfer_syntax_uid = guessed;
  }
  prefix.encoding = encoding_of(prefix.transfer_syntax_uid);
  if (!prefix.encoding.deflated && data_set.size() >= kShortHeader) {
    prefix.encoding = probe(data_set.data(), prefix.encoding);
  }
  prefix.is_dicomdir = prefix.media_storage_sop_class_uid == kDirectoryStorage ||
                       (!prefix.encoding.deflated && data_set.size() >= 2 &&
                        load<std::uint16_t>(data_set.data(), prefix.encoding.big_endian) == 4);
  progress.complete = true;
  return progress;
}

Result<Part10Prefix> read_prefix(Bytes first_bytes) {
  CAIRN_TRY(PrefixProgress progress, try_read_prefix(first_bytes, true));
  return std::move(progress.prefix);
}

}  // namespace cairn::dicom
