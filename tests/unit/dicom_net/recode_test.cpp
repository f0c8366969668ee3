// Recoding native data sets: what is read from the result is what is read from the source, whatever the pieces.
#include "engine/dicom/recode.h"

#include <random>

#include <gtest/gtest.h>
#include <zlib.h>

#include "engine/dicom/data_set.h"
#include "engine/dicom/inflate.h"
#include "engine/dicom/part10.h"
#include "engine/dicom/tags.h"
#include "tests/unit/dicom/stream_builder.h"
#include "tests/unit/dicom/test_data.h"

namespace cairn::dicom::test {
namespace {

constexpr Encoding kImplicit{false, false, false}, kExplicit{true, false, false}, kBig{true, true, false};

std::string recoded(std::string_view bytes, Encoding from, Encoding to, unsigned seed) {
  Recoder recoder(from, to);
  std::mt19937 random(seed);
  std::string out;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t n = seed == 0 ? bytes.size() : std::min<std::size_t>(1 + random() % 3000, bytes.size() - at);
    const auto fed = recoder.feed(as_bytes(bytes.substr(at, n)));
    if (!fed) return to_string(fed.error());
    out += recoder.out();
    recoder.out().clear();
    at += n;
  }
  const auto finished = recoder.finish();
  return finished ? out + recoder.out() : to_string(finished.error());
}

// Values, tags and structure; VRs where both say them.
void expect_same(const DataSet& a, const DataSet& b, bool same_vr) {
  std::vector<const Element*> x, y;
  for (const Element& e : a.elements()) {
    if (e.tag.element != 0) x.push_back(&e);
  }
  for (const Element& e : b.elements()) y.push_back(&e);
  ASSERT_EQ(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(x[i]->tag, y[i]->tag);
    std::string value = x[i]->value;
    if (value.size() % 2 != 0) value.push_back(y[i]->value.back());
    EXPECT_TRUE(value == y[i]->value) << to_string(x[i]->tag);
    if (same_vr) EXPECT_EQ(x[i]->vr, y[i]->vr) << to_string(x[i]->tag);
    ASSERT_EQ(x[i]->items.size(), y[i]->items.size()) << to_string(x[i]->tag);
    for (std::size_t k = 0; k < x[i]->items.size(); ++k) expect_same(x[i]->items[k], y[i]->items[k], same_vr);
  }
}

std::string sample(Encoding e) {
  StreamBuilder inner(e), big(e);
  inner.element(tags::ReferencedSOPInstanceUID, VR::UI, "1.2.34").header(tags::PixelRepresentation, VR::US, 2).u16(1);
  StreamBuilder s(e);
  s.instance();
  StreamBuilder first(e);
  first.header({0x0008, 0x0000}, VR::UL, 4).u32(99);
  first.raw(s.bytes());
  first.header(tags::Rows, VR::US, 2).u16(0x0102);
  first.header(tags::PixelRepresentation, VR::US, 2).u16(1);
  first.header(tags::SmallestImagePixelValue, VR::SS, 2).u16(0xfffe);
  first.header({0x0040, 0xa730}, VR::SQ, kUndefined).item(static_cast<std::uint32_t>(inner.bytes().size()));
  first.raw(inner.bytes()).item().raw(inner.bytes()).item_end().sequence_end();
  first.header(tags::PixelData, VR::OW, 40000);
  for (unsigned i = 0; i < 20000; ++i) first.u16((i * 7) & 0xffff);
  return first.bytes();
}

TEST(Recode, EveryPairOfNativeEncodings) {
  for (const Encoding from : {kImplicit, kExplicit, kBig}) {
    const std::string source = sample(from);
    const auto before = DataSet::parse(as_bytes(source), from);
    ASSERT_TRUE(before.has_value());
    for (const Encoding to : {kImplicit, kExplicit, kBig}) {
      const std::string whole = recoded(source, from, to, 0);
      for (unsigned seed = 1; seed < 20; ++seed) ASSERT_TRUE(recoded(source, from, to, seed) == whole) << seed;
      const auto after = DataSet::parse(as_bytes(whole), to);
      ASSERT_TRUE(after.has_value()) << whole.substr(0, 80);
      expect_same(before.value(), after.value(), true);
      EXPECT_EQ(after.value().integer(tags::SmallestImagePixelValue), -2);
      EXPECT_FALSE(after.value().contains({0x0008, 0x0000}));
    }
  }
}

TEST(Recode, TheSameBytesWhenOnlyTheOrderGoesThereAndBack) {
  const std::string there = recoded(sample(kExplicit), kExplicit, kBig, 3);
  EXPECT_TRUE(recoded(there, kBig, kExplicit, 5) == recoded(sample(kExplicit), kExplicit, kExplicit, 7));
}

TEST(Recode, DeflatedComesOutNative) {
  const std::string source = sample(kExplicit);
  std::string deflated(source.size() + 1000, '\0');
  z_stream z{};
  ASSERT_EQ(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(source.data()));
  z.avail_in = static_cast<uInt>(source.size());
  z.next_out = reinterpret_cast<Bytef*>(deflated.data());
  z.avail_out = static_cast<uInt>(deflated.size());
  ASSERT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  deflated.resize(z.total_out);
  deflateEnd(&z);
  if (deflated.size() % 2 != 0) deflated.push_back('\0');
  EXPECT_TRUE(recoded(deflated, {true, false, true}, kImplicit, 4) == recoded(source, kExplicit, kImplicit, 0));
  EXPECT_NE(recoded(deflated.substr(0, deflated.size() / 2), {true, false, true}, kImplicit, 4).find("ends too early"),
            std::string::npos);
}

TEST(Recode, ALongTextOfImplicitBecomesUNAndStaysWhole) {
  StreamBuilder s(kImplicit);
  s.instance().element({0x4008, 0x010b}, VR::ST, std::string(70'001, 'x') + " ");
  const std::string explicit_bytes = recoded(s.bytes(), kImplicit, kExplicit, 2);
  const auto after = DataSet::parse(as_bytes(explicit_bytes), kExplicit);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after.value().find({0x4008, 0x010b})->value.size(), 70'002u);
}

TEST(Recode, BadInputIsAnError) {
  StreamBuilder encapsulated(kExplicit);
  encapsulated.instance().header(tags::PixelData, VR::OB, kUndefined).item(0).sequence_end();
  EXPECT_NE(recoded(encapsulated.bytes(), kExplicit, kImplicit, 0).find("not supported"), std::string::npos);
  const std::string source = sample(kImplicit);
  EXPECT_NE(recoded(source.substr(0, source.size() - 7), kImplicit, kExplicit, 0).find("ends too early"), std::string::npos);
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {  // whatever happens, it ends and does not read beyond
    std::string broken = source.substr(0, 400);
    for (int k = 0; k < 3; ++k) broken[random() % broken.size()] = static_cast<char>(random());
    (void)recoded(broken, i % 2 == 0 ? kImplicit : kBig, kExplicit, static_cast<unsigned>(i));
  }
}

TEST(Recode, RealNativeFiles) {
  CAIRN_NEEDS_TEST_DATA();
  int files = 0;
  for (const auto& path : part10_files()) {
    if (path.string().find("malformed") != std::string::npos) continue;
    const std::string file = read_file(path);
    const auto prefix = read_prefix(as_bytes(file));
    if (!prefix || file.size() > (8u << 20)) continue;
    const std::string& syntax = prefix.value().transfer_syntax_uid;
    if (syntax != "1.2.840.10008.1.2" && syntax != "1.2.840.10008.1.2.1" && syntax != "1.2.840.10008.1.2.2") continue;
    const std::string_view data = std::string_view(file).substr(prefix.value().data_set_offset);
    const Encoding from = encoding_of(syntax);
    const auto before = DataSet::parse(as_bytes(data), from);
    if (!before) continue;
    for (const Encoding to : {kImplicit, kExplicit}) {
      const std::string out = recoded(data, from, to, 9);
      const auto after = DataSet::parse(as_bytes(out), to);
      ASSERT_TRUE(after.has_value()) << path << ": " << (out.size() < 200 ? out : to_string(after.error()));
      SCOPED_TRACE(path.string());
      expect_same(before.value(), after.value(), false);
    }
    ++files;
  }
  EXPECT_GT(files, 100);
}

}  // namespace
}  // namespace cairn::dicom::test
