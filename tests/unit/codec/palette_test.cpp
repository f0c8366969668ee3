#include "codec/palette.h"

#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "test_dataset.h"

namespace cairn::codec {
namespace {

std::vector<std::byte> words(const std::vector<std::uint16_t>& v) {
  std::vector<std::byte> out(v.size() * 2);
  for (std::size_t i = 0; i < v.size(); ++i) store_le<std::uint16_t>(out.data() + 2 * i, v[i]);
  return out;
}
std::vector<std::byte> bytes(const std::vector<int>& v) {
  std::vector<std::byte> out;
  for (const int b : v) out.push_back(static_cast<std::byte>(b));
  return out;
}

using Entries = std::vector<std::uint16_t>;

Result<PaletteTable> segmented(std::uint16_t count, const std::vector<std::uint16_t>& data) {
  return read_palette(words({count, 0, 16}), words(data), true, false);
}

TEST(Palette, discrete_and_linear_segments) {
  const auto table = segmented(9, {0, 3, 100, 200, 400, 1, 4, 800, 0, 2, 5, 6});
  ASSERT_TRUE(table.has_value()) << to_string(table.error());
  EXPECT_EQ(table.value().entries, (Entries{100, 200, 400, 500, 600, 700, 800, 5, 6}));
  const auto falling = segmented(4, {0, 1, 300, 1, 3, 0});
  ASSERT_TRUE(falling.has_value());
  EXPECT_EQ(falling.value().entries, (Entries{300, 200, 100, 0}));
}

TEST(Palette, indirect_segments_repeat_others) {
  // Bytes 0 to 5: one value; bytes 6 to 11: a line to 40. The third repeats both, a line from where it is.
  const auto table = segmented(6, {0, 1, 10, 1, 2, 40, 2, 2, 0, 0});
  ASSERT_TRUE(table.has_value()) << to_string(table.error());
  EXPECT_EQ(table.value().entries, (Entries{10, 25, 40, 10, 25, 40}));
  const auto second = segmented(7, {0, 1, 10, 1, 2, 40, 2, 2, 0, 0, 2, 0, 0, 0, 0, 1, 9});
  ASSERT_TRUE(second.has_value()) << to_string(second.error());  // one that repeats none
  EXPECT_EQ(second.value().entries.back(), 9);
}

TEST(Palette, segments_of_eight_bits_in_bytes_or_in_words) {
  const Entries expected{10, 25, 40, 10};
  const auto narrow = read_palette(words({4, 0, 8}), bytes({0, 1, 10, 1, 2, 40, 2, 1, 0, 0, 0, 0}), true, false);
  ASSERT_TRUE(narrow.has_value()) << to_string(narrow.error());
  EXPECT_EQ(narrow.value().entries, expected);
  const auto wide = read_palette(words({4, 0, 8}), words({0, 1, 10, 1, 2, 40, 2, 1, 0, 0}), true, false);
  ASSERT_TRUE(wide.has_value()) << to_string(wide.error());
  EXPECT_EQ(wide.value().entries, expected);
}

TEST(Palette, segments_that_do_not_add_up_are_refused) {
  const std::vector<std::vector<std::uint16_t>> broken{
      {},
      {0},
      {0, 1},
      {0, 3, 1, 2},                       // fewer values than announced
      {1, 4, 7},                          // a line from nowhere
      {0, 1, 5, 1, 65535, 9},             // more entries than the table has
      {0, 5, 1, 2, 3, 4, 5},              // the same, discrete
      {0, 1, 5},                          // fewer
      {2, 1, 0, 0},                       // repeats itself
      {0, 1, 5, 2, 1, 6, 0},              // itself again
      {0, 1, 5, 2, 1, 1, 0},              // half a word
      {0, 1, 5, 2, 1, 0, 0xFFFF},         // past the end
      {0, 1, 5, 2, 1, 0, 0, 2, 1, 6, 0},  // an indirect one
      {0, 1, 5, 3, 1, 0},                 // unknown
      {0, 1, 5, 2, 65535, 0, 0},          // more segments than there are
  };
  for (const auto& data : broken) {
    const auto table = segmented(4, data);
    EXPECT_FALSE(table.has_value()) << testing::PrintToString(data);
  }
}

TEST(Palette, entries_lie_in_words_or_bytes) {
  const auto wide = read_palette(words({2, 0xFFFE, 16}), words({1, 0xABCD}), false, true);
  ASSERT_TRUE(wide.has_value());
  EXPECT_EQ(wide.value().first, -2);
  EXPECT_EQ(wide.value().entries, (Entries{1, 0xABCD}));
  EXPECT_EQ(read_palette(words({2, 0xFFFE, 16}), words({1, 2}), false, false).value().first, 0xFFFE);
  const auto narrow = read_palette(words({3, 0, 8}), bytes({1, 2, 250, 0}), false, false);
  ASSERT_TRUE(narrow.has_value());
  EXPECT_EQ(narrow.value().entries, (Entries{1, 2, 250}));
  EXPECT_FALSE(read_palette(words({3, 0, 8}), bytes({1, 2}), false, false).has_value());
  EXPECT_FALSE(read_palette(words({3, 0}), bytes({1, 2, 3}), false, false).has_value());
  // A count of 0 is 65536.
  EXPECT_FALSE(read_palette(words({0, 0, 16}), words({1, 2}), false, false).has_value());
  EXPECT_EQ(read_palette(words({0, 0, 16}), std::vector<std::byte>(131072), false, false).value().entries.size(),
            65536u);
}

Palette palette_of(unsigned bits, const Entries& red, const Entries& green, const Entries& blue,
                   std::int64_t first = 0) {
  return Palette::make({PaletteTable{first, bits, red}, {first, bits, green}, {first, bits, blue}}).value();
}
using Colour = std::array<std::uint8_t, 3>;

TEST(Palette, values_outside_take_the_ends) {
  const Palette p = palette_of(16, {0x1000, 0x2000}, {0x3000, 0x4000}, {0x5000, 0xFF00}, 100);
  EXPECT_EQ(p(-5), (Colour{0x10, 0x30, 0x50}));
  EXPECT_EQ(p(100), (Colour{0x10, 0x30, 0x50}));
  EXPECT_EQ(p(101), (Colour{0x20, 0x40, 0xFF}));
  EXPECT_EQ(p(1e300), (Colour{0x20, 0x40, 0xFF}));
  EXPECT_EQ(p(std::nan("")), (Colour{0x10, 0x30, 0x50}));
}

TEST(Palette, descriptors_that_name_another_width_than_the_entries_have) {
  EXPECT_EQ(palette_of(16, {10}, {20}, {255})(0), (Colour{10, 20, 255}));         // 16 bits said, 8 held
  EXPECT_EQ(palette_of(8, {0x1234}, {0}, {0xFFFF})(0), (Colour{0x12, 0, 0xFF}));  // the reverse
  EXPECT_EQ(palette_of(12, {0x0FF0}, {0}, {0})(0), (Colour{0xFF, 0, 0}));
  EXPECT_FALSE(Palette::make({PaletteTable{0, 8, {1, 2}}, {0, 8, {1}}, {0, 8, {1, 2}}}).has_value());
  EXPECT_FALSE(Palette::make({PaletteTable{0, 8, {1}}, {1, 8, {1}}, {0, 8, {1}}}).has_value());
  EXPECT_FALSE(Palette::make({}).has_value());
}

struct File {
  std::array<std::vector<std::byte>, 3> descriptors, data, segments;
};

File read_tables(const std::filesystem::path& path) {
  const test::Dataset d = test::read_dataset(path);
  const TransferSyntax* const syntax = find_transfer_syntax(d.syntax_uid);
  File file;
  if (syntax == nullptr) return file;
  test::Reader r(d.bytes, syntax->explicit_vr, syntax->big_endian);
  test::Reader::Element e;
  while (r.next(e) && e.tag < 0x7FE00010) {
    const auto value = [&] {
      const Bytes v = Bytes(d.bytes).subspan(e.value, static_cast<std::size_t>(e.length));
      return std::vector<std::byte>(v.begin(), v.end());
    };
    if (e.tag >= 0x00281101 && e.tag <= 0x00281103) file.descriptors[e.tag - 0x00281101] = value();
    if (e.tag >= 0x00281201 && e.tag <= 0x00281203) file.data[e.tag - 0x00281201] = value();
    if (e.tag >= 0x00281221 && e.tag <= 0x00281223) file.segments[e.tag - 0x00281221] = value();
    r.skip(e);
  }
  return file;
}

// An ultrasound image whose tables are thousands of discrete and linear segments. GDCM's lines begin with the value
// before them and end one short of their end, against §C.7.9.2.2: an entry of a line is our entry before it.
TEST(Palette, segments_of_a_real_file_are_what_gdcm_makes_of_them) {
  const auto path = test::data_dir() / "modalities/us/gdcm-US-ALOKA-16.dcm";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test data at " << path;
  const File file = read_tables(path);
  std::array<PaletteTable, 3> tables;
  for (std::size_t c = 0; c < 3; ++c) {
    auto table = read_palette(file.descriptors[c], file.segments[c], true, false);
    ASSERT_TRUE(table.has_value()) << to_string(table.error());
    EXPECT_EQ(table.value().entries.size(), 65536u);
    tables[c] = std::move(table.value());
  }
  EXPECT_TRUE(Palette::make(tables).has_value());
  // The first segments of red, by hand: two values, a line of five to c0c0, more values.
  const Entries begin{0, 0x7070, 0x8080, 0x9090, 0xA0A0, 0xB0B0, 0xC0C0, 0xC8C8, 0xD0D0, 0xD4D4};
  EXPECT_EQ(Entries(tables[0].entries.begin(), tables[0].entries.begin() + 10), begin);
  if (std::system("command -v gdcmconv >/dev/null 2>&1") != 0) GTEST_SKIP() << "gdcmconv is not installed";
  std::string folder = (std::filesystem::temp_directory_path() / "cairn-palette-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const auto expanded = std::filesystem::path(folder) / "out.dcm";
  const std::string command = "gdcmconv --decompress-lut " + path.string() + ' ' + expanded.string();
  EXPECT_EQ(std::system(command.c_str()), 0);
  const File theirs = read_tables(expanded);
  std::filesystem::remove_all(folder);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto table = read_palette(theirs.descriptors[c], theirs.data[c], false, false);
    ASSERT_TRUE(table.has_value()) << to_string(table.error());
    std::size_t other = 0;
    for (std::size_t i = 1; i < 65536; ++i) {
      const int theirs_here = table.value().entries[i];
      const int here = tables[c].entries[i];
      const int before = tables[c].entries[i - 1];
      if (std::abs(theirs_here - here) > 1 && std::abs(theirs_here - before) > 1) ++other;
    }
    EXPECT_LT(other, 200u) << "table " << c;  // lines after a line of one entry, which it does not draw
  }
}

TEST(Palette, every_palette_of_the_data_can_be_read) {
  const auto root = test::data_dir();
  if (!std::filesystem::exists(root)) GTEST_SKIP() << "no test data at " << root;
  std::size_t read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".dcm" || entry.path().string().find("malformed") != std::string::npos) continue;
    const File file = read_tables(entry.path());
    if (file.descriptors[0].empty() || (file.data[0].empty() && file.segments[0].empty())) continue;
    std::array<PaletteTable, 3> tables;
    for (std::size_t c = 0; c < 3; ++c) {
      const bool segments = file.data[c].empty();
      auto table = read_palette(file.descriptors[c], segments ? file.segments[c] : file.data[c], segments, false);
      ASSERT_TRUE(table.has_value()) << entry.path() << ": " << to_string(table.error());
      tables[c] = std::move(table.value());
    }
    EXPECT_TRUE(Palette::make(std::move(tables)).has_value()) << entry.path();
    ++read;
  }
  EXPECT_GE(read, 10u);
}

}  // namespace
}  // namespace cairn::codec
