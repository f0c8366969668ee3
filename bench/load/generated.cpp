#include <array>
#include <cstdio>

#include "bench/load/element_writer.h"
#include "bench/load/object.h"

namespace cairn::load {
namespace {

struct Shape {
  const char* sop_class;
  const char* modality;
  unsigned edge;                // rows and columns
  std::uint64_t series_length;  // instances
  std::uint64_t series_per_study;
};

Shape shape_of(Kind kind) {
  switch (kind) {
    case Kind::ct:
      return {"1.2.840.10008.5.1.4.1.1.2", "CT", 512, 400, 1};
    case Kind::mr:
      return {"1.2.840.10008.5.1.4.1.1.4", "MR", 256, 100, 2};
    case Kind::tiny:
      return {"1.2.840.10008.5.1.4.1.1.88.11", "SR", 0, 1, 1};
    case Kind::huge:
      return {"1.2.840.10008.5.1.4.1.1.77.1.4.1", "XC", 0, 1, 1};
    case Kind::filed:
      break;  // filed_corpus()
  }
  __builtin_unreachable();
}

constexpr std::size_t kPoolBytes = 4u << 20;
constexpr std::uint32_t kFragmentBytes = 1u << 20;
constexpr std::size_t kTinyTextBytes = 3300;
constexpr std::size_t kTextBytes = 64u << 10;

class GeneratedCorpus final : public Corpus {
 public:
  GeneratedCorpus(Kind kind, std::uint64_t seed, std::uint64_t huge_bytes)
      : kind_(kind), shape_(shape_of(kind)), seed_(seed), pool_(kPoolBytes) {
    // 12-bit samples: a smooth ramp and some noise, so that a compressing peer sees something like a picture.
    std::uint64_t state = seed;
    for (std::size_t i = 0; i + 8 <= pool_.size(); i += 8) {
      const std::uint64_t r = state = mix(state);
      for (std::size_t k = 0; k < 4; ++k) {
        const auto ramp = static_cast<std::uint16_t>((i / 2 + k) / 700 % 2000);
        const auto noise = static_cast<std::uint16_t>((r >> (16 * k)) & 63);
        store_le(&pool_[i + 2 * k], static_cast<std::uint16_t>(1000 + ramp + noise));
      }
    }
    for (std::size_t i = 0; text_.size() < kTextBytes; ++i) {
      constexpr const char* kWords[] = {"no ",   "focal ", "lesion ", "of ",    "the ",
                                        "left ", "right ", "lung. ",  "Liver ", "normal, "};
      text_ += kWords[mix(seed + i) % std::size(kWords)];
    }
    store_le<std::uint16_t>(fragment_head_.data(), 0xFFFE);
    store_le<std::uint16_t>(fragment_head_.data() + 2, 0xE000);
    store_le<std::uint32_t>(fragment_head_.data() + 4, kFragmentBytes);
    store_le<std::uint16_t>(delimiter_.data(), 0xFFFE);
    store_le<std::uint16_t>(delimiter_.data() + 2, 0xE0DD);
    fragments_ = std::max<std::uint64_t>(1, huge_bytes / kFragmentBytes);
  }

  std::uint64_t size() const noexcept override { return 0; }

  std::vector<std::pair<std::string, std::string>> contexts() const override {
    return {{shape_.sop_class, transfer_syntax()}};
  }

  void make(std::uint64_t sender, std::uint64_t index, Object& o) const override {
    const std::uint64_t in_series = index % shape_.series_length;
    const std::uint64_t series = index / shape_.series_length % shape_.series_per_study;
    const std::uint64_t study = index / shape_.series_length / shape_.series_per_study;
    char uid[80];
    // 2.25.1 then kind, seed, sender, study, series, instance: 37 digits, below 2^128.
    const auto base = std::snprintf(uid, sizeof uid, "2.25.1%u%010llu%04llu%09llu", static_cast<unsigned>(kind_),
                                    static_cast<unsigned long long>(seed_ % 10'000'000'000u),
                                    static_cast<unsigned long long>(sender), static_cast<unsigned long long>(study));
    o.study_instance_uid.assign(uid, static_cast<std::size_t>(base));
    char tail[24];
    std::snprintf(tail, sizeof tail, "%02llu", static_cast<unsigned long long>(series + 1));
    o.series_instance_uid = o.study_instance_uid + tail;
    std::snprintf(tail, sizeof tail, "%09llu", static_cast<unsigned long long>(in_series + 1));
    o.sop_instance_uid = o.series_instance_uid + tail;
    o.sop_class_uid = shape_.sop_class;
    o.transfer_syntax_uid = transfer_syntax();
    o.body.clear();
    o.body_bytes = 0;

    ElementWriter w(o.header);
    char number[48];
    w.text(0x0008, 0x0005, "CS", "ISO_IR 100");
    w.text(0x0008, 0x0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
    w.text(0x0008, 0x0016, "UI", o.sop_class_uid);
    w.text(0x0008, 0x0018, "UI", o.sop_instance_uid);
    std::snprintf(number, sizeof number, "2024%02llu%02llu", static_cast<unsigned long long>(study % 12 + 1),
                  static_cast<unsigned long long>(study % 28 + 1));
    w.text(0x0008, 0x0020, "DA", number);
    w.text(0x0008, 0x0030, "TM", "101500");
    std::snprintf(number, sizeof number, "A%llu.%llu", static_cast<unsigned long long>(sender),
                  static_cast<unsigned long long>(study));
    w.text(0x0008, 0x0050, "SH", number);
    w.text(0x0008, 0x0060, "CS", shape_.modality);
    w.text(0x0008, 0x0070, "LO", "Load generator");
    w.text(0x0008, 0x1030, "LO", "Load");
    w.text(0x0008, 0x103E, "LO", "Generated series");
    std::snprintf(number, sizeof number, "LOAD^S%llu^P%llu", static_cast<unsigned long long>(sender),
                  static_cast<unsigned long long>(study));
    w.text(0x0010, 0x0010, "PN", number);
    std::snprintf(number, sizeof number, "L%llu-%llu-%llu", static_cast<unsigned long long>(seed_ % 100000),
                  static_cast<unsigned long long>(sender), static_cast<unsigned long long>(study));
    w.text(0x0010, 0x0020, "LO", number);
    w.text(0x0010, 0x0030, "DA", "19700101");
    w.text(0x0010, 0x0040, "CS", "O");
    w.text(0x0020, 0x000D, "UI", o.study_instance_uid);
    w.text(0x0020, 0x000E, "UI", o.series_instance_uid);
    w.text(0x0020, 0x0010, "SH", "1");
    std::snprintf(number, sizeof number, "%llu", static_cast<unsigned long long>(series + 1));
    w.text(0x0020, 0x0011, "IS", number);
    std::snprintf(number, sizeof number, "%llu", static_cast<unsigned long long>(in_series + 1));
    w.text(0x0020, 0x0013, "IS", number);
    switch (kind_) {
      case Kind::ct:
      case Kind::mr:
        image(w, o, index, in_series);
        break;
      case Kind::tiny:
        w.text(0x0040, 0xA040, "CS", "TEXT");
        w.long_head(0x0040, 0xA160, "UT", kTinyTextBytes);
        borrow(o, as_bytes(text_).subspan(mix(index ^ seed_) % (text_.size() - kTinyTextBytes), kTinyTextBytes));
        break;
      case Kind::huge:
        video(w, o);
        break;
      case Kind::filed:
        break;
    }
  }

 private:
  const char* transfer_syntax() const noexcept {
    return kind_ == Kind::huge ? "1.2.840.10008.1.2.4.102" : "1.2.840.10008.1.2.1";
  }
  static void borrow(Object& o, Bytes bytes) {
    o.body.push_back(bytes);
    o.body_bytes += bytes.size();
  }
  void image(ElementWriter& w, Object& o, std::uint64_t index, std::uint64_t in_series) const {
    char position[64];
    std::snprintf(position, sizeof position, "-250\\-250\\%lld", static_cast<long long>(in_series));
    w.text(0x0020, 0x0032, "DS", position);
    w.text(0x0020, 0x0037, "DS", "1\\0\\0\\0\\1\\0");
    w.text(0x0020, 0x0052, "UI", o.study_instance_uid + "9");
    w.us(0x0028, 0x0002, 1);
    w.text(0x0028, 0x0004, "CS", "MONOCHROME2");
    w.us(0x0028, 0x0010, static_cast<std::uint16_t>(shape_.edge));
    w.us(0x0028, 0x0011, static_cast<std::uint16_t>(shape_.edge));
    w.text(0x0028, 0x0030, "DS", "0.9765625\\0.9765625");
    w.us(0x0028, 0x0100, 16);
    w.us(0x0028, 0x0101, 12);
    w.us(0x0028, 0x0102, 11);
    w.us(0x0028, 0x0103, 0);
    w.text(0x0028, 0x1050, "DS", "40");
    w.text(0x0028, 0x1051, "DS", "400");
    if (kind_ == Kind::ct) {
      w.text(0x0028, 0x1052, "DS", "-1024");
      w.text(0x0028, 0x1053, "DS", "1");
      w.text(0x0028, 0x1054, "LO", "HU");
    }
    const std::uint32_t bytes = shape_.edge * shape_.edge * 2;
    w.long_head(0x7FE0, 0x0010, "OW", bytes);
    borrow(o, std::span(pool_).subspan(mix(index ^ seed_) % (kPoolBytes - bytes) & ~std::size_t{7}, bytes));
  }
  void video(ElementWriter& w, Object& o) const {
    w.us(0x0028, 0x0002, 3);
    w.text(0x0028, 0x0004, "CS", "YBR_PARTIAL_420");
    w.us(0x0028, 0x0006, 0);
    w.text(0x0028, 0x0008, "IS", "1");
    w.us(0x0028, 0x0010, 1080);
    w.us(0x0028, 0x0011, 1920);
    w.us(0x0028, 0x0100, 8);
    w.us(0x0028, 0x0101, 8);
    w.us(0x0028, 0x0102, 7);
    w.us(0x0028, 0x0103, 0);
    w.long_head(0x7FE0, 0x0010, "OB", 0xFFFFFFFFu);
    w.item(0xE000, 0);  // empty basic offset table
    o.body.reserve(2 * fragments_ + 1);
    for (std::uint64_t f = 0; f < fragments_; ++f) {
      borrow(o, fragment_head_);
      borrow(o, std::span(pool_).subspan(mix(f ^ seed_) % (kPoolBytes - kFragmentBytes), kFragmentBytes));
    }
    borrow(o, delimiter_);
  }

  Kind kind_;
  Shape shape_;
  std::uint64_t seed_;
  std::vector<std::byte> pool_;
  std::string text_;
  std::array<std::byte, 8> fragment_head_{}, delimiter_{};
  std::uint64_t fragments_ = 1;
};

}  // namespace

std::unique_ptr<Corpus> generated_corpus(Kind kind, std::uint64_t seed, std::uint64_t huge_bytes) {
  return std::make_unique<GeneratedCorpus>(kind, seed, huge_bytes);
}

}  // namespace cairn::load
