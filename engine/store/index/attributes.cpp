#include "engine/store/index/attributes.h"

#include <algorithm>

#include "engine/dicom/character_set.h"
#include "engine/dicom/dictionary.h"
#include "engine/dicom/element_header.h"
#include "engine/dicom/tags.h"

namespace cairn::store {
namespace {

using dicom::Encoding;
using dicom::Tag;
using dicom::VR;
namespace detail = dicom::element_detail;
namespace tags = dicom::tags;
using Level = AttributeLevel;

struct Attribute {
  Tag tag;
  VR vr;
  Level level;
};

// Ascending by tag. All have the short explicit form.
constexpr Attribute kTable[] = {
    {tags::SpecificCharacterSet, VR::CS, Level::character_set},
    {tags::ImageType, VR::CS, Level::instance},
    {tags::InstanceCreationDate, VR::DA, Level::instance},
    {tags::InstanceCreationTime, VR::TM, Level::instance},
    {tags::SOPClassUID, VR::UI, Level::instance},
    {tags::SOPInstanceUID, VR::UI, Level::instance},
    {tags::StudyDate, VR::DA, Level::study},
    {tags::SeriesDate, VR::DA, Level::series},
    {tags::AcquisitionDate, VR::DA, Level::instance},
    {tags::ContentDate, VR::DA, Level::instance},
    {tags::AcquisitionDateTime, VR::DT, Level::instance},
    {tags::StudyTime, VR::TM, Level::study},
    {tags::SeriesTime, VR::TM, Level::series},
    {tags::AcquisitionTime, VR::TM, Level::instance},
    {tags::ContentTime, VR::TM, Level::instance},
    {tags::AccessionNumber, VR::SH, Level::study},
    {tags::Modality, VR::CS, Level::series},
    {tags::Manufacturer, VR::LO, Level::series},
    {tags::InstitutionName, VR::LO, Level::series},
    {tags::ReferringPhysicianName, VR::PN, Level::study},
    {tags::TimezoneOffsetFromUTC, VR::SH, Level::study},
    {tags::StationName, VR::SH, Level::series},
    {tags::StudyDescription, VR::LO, Level::study},
    {tags::SeriesDescription, VR::LO, Level::series},
    {tags::InstitutionalDepartmentName, VR::LO, Level::series},
    {tags::PhysiciansOfRecord, VR::PN, Level::study},
    {tags::PerformingPhysicianName, VR::PN, Level::series},
    {tags::NameOfPhysiciansReadingStudy, VR::PN, Level::study},
    {tags::OperatorsName, VR::PN, Level::series},
    {tags::AdmittingDiagnosesDescription, VR::LO, Level::study},
    {tags::ManufacturerModelName, VR::LO, Level::series},
    {tags::PatientName, VR::PN, Level::patient},
    {tags::PatientID, VR::LO, Level::patient},
    {tags::IssuerOfPatientID, VR::LO, Level::patient},
    {tags::PatientBirthDate, VR::DA, Level::patient},
    {tags::PatientBirthTime, VR::TM, Level::patient},
    {tags::PatientSex, VR::CS, Level::patient},
    {tags::OtherPatientIDs, VR::LO, Level::patient},
    {tags::OtherPatientNames, VR::PN, Level::patient},
    {tags::PatientAge, VR::AS, Level::study},
    {tags::PatientSize, VR::DS, Level::study},
    {tags::PatientWeight, VR::DS, Level::study},
    {tags::EthnicGroup, VR::SH, Level::patient},
    {tags::Occupation, VR::SH, Level::study},
    {tags::AdditionalPatientHistory, VR::LT, Level::study},
    {tags::PatientComments, VR::LT, Level::patient},
    {tags::BodyPartExamined, VR::CS, Level::series},
    {tags::SliceThickness, VR::DS, Level::instance},
    {tags::ProtocolName, VR::LO, Level::series},
    {tags::PatientPosition, VR::CS, Level::series},
    {tags::StudyInstanceUID, VR::UI, Level::study},
    {tags::SeriesInstanceUID, VR::UI, Level::series},
    {tags::StudyID, VR::SH, Level::study},
    {tags::SeriesNumber, VR::IS, Level::series},
    {tags::AcquisitionNumber, VR::IS, Level::instance},
    {tags::InstanceNumber, VR::IS, Level::instance},
    {tags::ImagePositionPatient, VR::DS, Level::instance},
    {tags::ImageOrientationPatient, VR::DS, Level::instance},
    {tags::FrameOfReferenceUID, VR::UI, Level::series},
    {tags::Laterality, VR::CS, Level::series},
    {tags::SliceLocation, VR::DS, Level::instance},
    {tags::SamplesPerPixel, VR::US, Level::instance},
    {tags::PhotometricInterpretation, VR::CS, Level::instance},
    {tags::NumberOfFrames, VR::IS, Level::instance},
    {tags::Rows, VR::US, Level::instance},
    {tags::Columns, VR::US, Level::instance},
    {tags::PixelSpacing, VR::DS, Level::instance},
    {tags::BitsAllocated, VR::US, Level::instance},
    {tags::BitsStored, VR::US, Level::instance},
    {tags::PerformedProcedureStepStartDate, VR::DA, Level::series},
    {tags::PerformedProcedureStepStartTime, VR::TM, Level::series},
    {tags::PerformedProcedureStepID, VR::SH, Level::series},
    {tags::PerformedProcedureStepDescription, VR::LO, Level::series},
    {tags::CompletionFlag, VR::CS, Level::instance},
    {tags::VerificationFlag, VR::CS, Level::instance},
    {tags::ContentLabel, VR::CS, Level::instance},
};
static_assert(std::size(kTable) == kAttributes);
static_assert(std::is_sorted(std::begin(kTable), std::end(kTable),
                             [](const Attribute& a, const Attribute& b) { return a.tag < b.tag; }));

constexpr std::size_t index_of(Tag tag) noexcept {
  const auto* at =
      std::lower_bound(std::begin(kTable), std::end(kTable), tag, [](const Attribute& a, Tag t) { return a.tag < t; });
  return static_cast<std::size_t>(at - kTable);
}

// Walks the elements of a header's top level. Positions are physical (in Header::bytes) and logical (as if the holes
// were filled); lengths in element headers are logical, so only they can say where a sequence with holes ends.
class Walk {
 public:
  explicit Walk(const dicom::Header& header) : bytes_(as_bytes(header.bytes)), holes_(header.holes) {}

  struct Top {
    Tag tag;
    std::string_view value;
  };

  // False at the end, or at a tag beyond `last`. Errors: corrupt.
  Result<bool> next(Encoding encoding, Tag last, Top& top) {
    if (remaining() == 0) return false;
    CAIRN_TRY(Element e, header(encoding));
    if (last < e.tag) return false;
    const std::size_t begin = at_;
    CAIRN_TRYV(pass(e, encoding, 0));
    top = {e.tag,
           e.length == detail::kUndefinedLength ? std::string_view() : as_text(bytes_.subspan(begin, at_ - begin))};
    return true;
  }

 private:
  struct Element {
    Tag tag;
    VR vr = VR::none;
    std::uint32_t length = 0;
  };

  std::size_t remaining() const { return bytes_.size() - at_; }
  static Error corrupt() { return fail(Errc::corrupt, "header in the index"); }

  Result<Element> header(Encoding encoding) {
    if (remaining() < detail::kShortHeader) return corrupt();
    const std::byte* p = bytes_.data() + at_;
    const std::size_t size = detail::header_size(p, encoding);
    if (remaining() < size) return corrupt();
    Element e{detail::load_tag(p, encoding.big_endian), VR::none, 0};
    if (size == detail::kLongHeader) {
      e.length = detail::load<std::uint32_t>(p + 8, encoding.big_endian);
    } else if (encoding.explicit_vr && e.tag.group != 0xfffe) {
      e.length = detail::load<std::uint16_t>(p + 6, encoding.big_endian);
    } else {
      e.length = detail::load<std::uint32_t>(p + 4, encoding.big_endian);
    }
    if (encoding.explicit_vr) e.vr = detail::load_vr(p + 4);
    at_ += size;
    return e;
  }

  // Goes to the end of `length` logical bytes, over the holes among them.
  Result<> jump(std::uint64_t length) {
    const std::uint64_t end = at_ + removed_ + length;
    while (hole_ < holes_.size() && holes_[hole_].at + removed_ < end) removed_ += holes_[hole_++].length;
    if (end < removed_ + at_ || end - removed_ > bytes_.size()) return corrupt();
    at_ = static_cast<std::size_t>(end - removed_);
    return outcome::success();
  }

  Result<> pass(const Element& e, Encoding encoding, int depth) {
    if (e.length != detail::kUndefinedLength) return jump(e.length);
    while (hole_ < holes_.size() && holes_[hole_].at <= at_ && holes_[hole_].length == 0) ++hole_;
    if (hole_ < holes_.size() && holes_[hole_].at == at_) {  // encapsulated: its items and delimiter are in the hole
      removed_ += holes_[hole_++].length;
      return outcome::success();
    }
    const bool unknown = encoding.explicit_vr && (e.vr == VR::UN || !dicom::properties(e.vr).known);
    return sequence(unknown ? Encoding{false, false, false} : encoding, depth + 1);
  }

  Result<> sequence(Encoding encoding, int depth) {
    if (depth > dicom::kMaxNesting + 1) return corrupt();
    for (;;) {
      CAIRN_TRY(Element item, header(encoding));
      if (item.tag == tags::SequenceDelimitationItem) return outcome::success();
      if (item.tag != tags::Item) return corrupt();
      if (item.length != detail::kUndefinedLength) {
        CAIRN_TRYV(jump(item.length));
        continue;
      }
      if (remaining() < detail::kShortHeader) return corrupt();
      const Encoding inner = detail::probe(bytes_.data() + at_, encoding);
      for (;;) {
        CAIRN_TRY(Element e, header(inner));
        if (e.tag == tags::ItemDelimitationItem) break;
        CAIRN_TRYV(pass(e, inner, depth));
      }
    }
  }

  Bytes bytes_;
  const std::vector<dicom::Hole>& holes_;
  std::size_t at_ = 0;
  std::size_t hole_ = 0;
  std::uint64_t removed_ = 0;
};

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

// True when every character repertoire reads these bytes as ASCII does.
bool plain(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '~' && c != '\\'; });
}

void append_element(Tag tag, VR vr, std::string_view value, bool swap16, std::string& out) {
  std::byte head[8];
  store_le<std::uint16_t>(head, tag.group);
  store_le<std::uint16_t>(head + 2, tag.element);
  store_be<std::uint16_t>(head + 4, static_cast<std::uint16_t>(vr));
  store_le<std::uint16_t>(head + 6, static_cast<std::uint16_t>(value.size() + (value.size() & 1)));
  out.append(reinterpret_cast<const char*>(head), sizeof head);
  const std::size_t begin = out.size();
  out.append(value);
  if ((value.size() & 1) != 0) out.push_back(vr == VR::UI || vr == VR::US ? '\0' : ' ');
  if (swap16) {
    for (std::size_t i = begin; i + 1 < out.size(); i += 2) std::swap(out[i], out[i + 1]);
  }
}

}  // namespace

Result<AttributeValues> AttributeValues::of(const dicom::Header& header) {
  AttributeValues out;
  out.big_endian_ = header.encoding.big_endian;
  Walk walk(header);
  constexpr Tag kLast = kTable[kAttributes - 1].tag;
  std::size_t cursor = 0;
  Walk::Top top;
  for (;;) {
    CAIRN_TRY(const bool more, walk.next(header.encoding, kLast, top));
    if (!more) return out;
    if (cursor > 0 && top.tag <= kTable[cursor - 1].tag) cursor = index_of(top.tag);
    while (cursor < kAttributes && kTable[cursor].tag < top.tag) ++cursor;
    if (cursor == kAttributes || kTable[cursor].tag != top.tag || out.present_[cursor]) continue;
    if (top.value.size() > kMaxAttributeBytes) continue;
    out.values_[cursor] = top.value;
    out.present_[cursor] = true;
    ++cursor;
  }
}

std::string_view AttributeValues::raw(Tag tag) const noexcept {
  return values_[index_of(tag)];
}

std::string AttributeValues::text(Tag tag) const {
  const std::size_t i = index_of(tag);
  const std::string_view value = trimmed(values_[i]);
  if (plain(value)) return std::string(value);
  std::string encoded;
  if (present_[0]) append_element(kTable[0].tag, kTable[0].vr, values_[0], false, encoded);
  append_element(tag, kTable[i].vr, values_[i], false, encoded);
  auto parsed = decode_attributes(encoded);
  return std::string(trimmed(parsed ? parsed.value().text(tag) : std::string(value)));
}

bool AttributeValues::integer(Tag tag, std::int64_t& value) const noexcept {
  std::string_view text = trimmed(raw(tag));
  text = text.substr(0, text.find('\\'));
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  text = trimmed(text);
  if (text.empty() || text.size() > 18) return false;
  std::int64_t v = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    v = v * 10 + (c - '0');
  }
  value = negative ? -v : v;
  return true;
}

void AttributeValues::encode(unsigned levels, std::string& out) const {
  levels |= static_cast<unsigned>(Level::character_set);
  for (std::size_t i = 0; i < kAttributes; ++i) {
    if (!present_[i] || (levels & static_cast<unsigned>(kTable[i].level)) == 0) continue;
    append_element(kTable[i].tag, kTable[i].vr, values_[i], big_endian_ && kTable[i].vr == VR::US, out);
  }
}

std::vector<std::pair<Tag, AttributeLevel>> kept_attributes() {
  std::vector<std::pair<Tag, AttributeLevel>> all;
  for (const Attribute& a : kTable) {
    if (a.level != Level::character_set) all.emplace_back(a.tag, a.level);
  }
  return all;
}

std::optional<AttributeLevel> attribute_level(Tag tag) noexcept {
  const std::size_t i = index_of(tag);
  if (i == kAttributes || kTable[i].tag != tag) return std::nullopt;
  return kTable[i].level;
}

std::string attribute_text(std::string_view encoded, Tag tag) {
  std::string_view charset, value;
  while (encoded.size() >= detail::kShortHeader) {
    const std::byte* p = as_bytes(encoded).data();
    const Tag at = detail::load_tag(p, false);
    const std::size_t length = detail::load<std::uint16_t>(p + 6, false);
    if (tag < at || length > encoded.size() - detail::kShortHeader) break;
    const std::string_view v = encoded.substr(detail::kShortHeader, length);
    if (at == tags::SpecificCharacterSet) charset = v;
    if (at == tag) value = v;
    encoded.remove_prefix(detail::kShortHeader + length);
  }
  value = trimmed(value);
  if (plain(value)) return std::string(value);
  return std::string(trimmed(dicom::decode_text(value, trimmed(charset), dicom::vr_of(tag))));
}

Result<dicom::DataSet> decode_attributes(std::string_view encoded) {
  auto parsed = dicom::DataSet::parse(as_bytes(encoded), Encoding{true, false, false});
  if (!parsed) return fail(Errc::corrupt, "attributes of an index row", parsed.error().offset);
  return parsed;
}

void merge_attributes(dicom::DataSet& into, const dicom::DataSet& from) {
  if (into.empty()) {
    into = from;
    return;
  }
  const bool same = into.character_set() == from.character_set();
  if (!same) {
    // Two repertoires cannot share one data set: both sides become UTF-8.
    dicom::DataSet converted;
    converted.set_text(tags::SpecificCharacterSet, VR::CS, "ISO_IR 192");
    converted.set_character_set("ISO_IR 192");
    for (const dicom::Element& e : into.elements()) {
      if (e.tag == tags::SpecificCharacterSet) continue;
      if (dicom::properties(e.vr).charset) {
        converted.set_text(e.tag, e.vr, into.text(e.tag));
      } else {
        converted.set(e);
      }
    }
    into = std::move(converted);
  }
  for (const dicom::Element& e : from.elements()) {
    if (e.tag == tags::SpecificCharacterSet) continue;
    if (!same && dicom::properties(e.vr).charset) {
      into.set_text(e.tag, e.vr, from.text(e.tag));
    } else {
      into.set(e);
    }
  }
}

}  // namespace cairn::store
