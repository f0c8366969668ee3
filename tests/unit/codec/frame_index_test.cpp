#include "codec/frame_index.h"

#include <random>

#include <gtest/gtest.h>

namespace cairn::codec {
namespace {

using Blob = std::vector<std::byte>;

void put16(Blob& b, unsigned v) {
  b.push_back(static_cast<std::byte>(v & 255));
  b.push_back(static_cast<std::byte>(v >> 8));
}
void put32(Blob& b, std::uint32_t v) {
  put16(b, v & 0xFFFF);
  put16(b, v >> 16);
}
Blob blob(std::initializer_list<unsigned> values) {
  Blob b;
  for (const unsigned v : values) b.push_back(static_cast<std::byte>(v));
  return b;
}

struct Encapsulated {
  std::vector<std::uint32_t> table;
  std::vector<Blob> fragments;
  bool delimiter = true;

  Blob bytes() const {
    Blob b;
    item(b, 0xE000, static_cast<std::uint32_t>(table.size() * 4));
    for (const std::uint32_t offset : table) put32(b, offset);
    for (const Blob& f : fragments) {
      item(b, 0xE000, static_cast<std::uint32_t>(f.size()));
      b.insert(b.end(), f.begin(), f.end());
    }
    if (delimiter) item(b, 0xE0DD, 0);
    return b;
  }
  static void item(Blob& b, unsigned element, std::uint32_t length) {
    put16(b, 0xFFFE);
    put16(b, element);
    put32(b, length);
  }
};

const TransferSyntax& syntax(std::string_view uid) {
  return *find_transfer_syntax(uid);
}

PixelFormat frames(std::uint64_t count) {
  PixelFormat f;
  f.rows = f.columns = 4;
  f.bits_allocated = f.bits_stored = 8;
  f.number_of_frames = count;
  return f;
}

struct Indexed {
  Blob bytes;
  std::unique_ptr<SpanSource> source;
  Result<FrameIndex> index = fail(Errc::internal, "not built");

  Blob frame(std::uint64_t i) { return index.value().read(*source, i).value(); }
};

Indexed build(const Blob& bytes, const TransferSyntax& ts, const PixelFormat& format, PixelDataValue value = {}) {
  Indexed out;
  out.bytes = bytes;
  out.source = std::make_unique<SpanSource>(out.bytes);
  out.index = FrameIndex::build(*out.source, value, ts, format);
  return out;
}

Blob jpeg(unsigned fill, bool end = true, bool start = true) {
  Blob b = start ? blob({0xFF, 0xD8, 0xFF, 0xE0}) : Blob{};
  b.insert(b.end(), 8, static_cast<std::byte>(fill));
  if (end) b.insert(b.end(), {std::byte{0xFF}, std::byte{0xD9}});
  return b;
}

TEST(FrameIndex, one_frame_is_all_its_fragments) {
  const Encapsulated e{{}, {jpeg(1, false), jpeg(2, false, false), jpeg(3, true, false)}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(1));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.index.value().frame_count(), 1u);
  EXPECT_EQ(indexed.frame(0).size(), 4u + 8 + 8 + 8 + 2);
  EXPECT_EQ(indexed.index.value().notes(), 0u);
}

TEST(FrameIndex, one_frame_stays_one_when_its_table_lists_each_fragment) {
  Encapsulated e{{0, 20}, {jpeg(1, false), jpeg(3, true, false)}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(1));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.index.value().frame_count(), 1u);
  EXPECT_EQ(indexed.frame(0).size(), 22u);
}

TEST(FrameIndex, basic_offset_table_groups_fragments) {
  const Encapsulated e{{0, 8 + 12 + 8 + 10}, {jpeg(1, false), jpeg(2, true, false), jpeg(3)}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(2));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.frame(0).size(), 22u);
  EXPECT_EQ(indexed.frame(1), jpeg(3));
  EXPECT_EQ(indexed.index.value().notes(), 0u);
}

TEST(FrameIndex, empty_table_and_as_many_fragments_as_frames_is_one_to_one) {
  const Encapsulated e{{}, {blob({1, 2}), blob({3, 4}), blob({5, 6})}};
  auto indexed = build(e.bytes(), syntax(uids::kRLELossless), frames(3));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.frame(1), blob({3, 4}));
}

TEST(FrameIndex, wrong_table_loses_to_the_fragments) {
  for (const std::vector<std::uint32_t>& table :
       {std::vector<std::uint32_t>{0, 9}, {4, 22}, {0, 0}, {0, 0xFFFFFFF0}, {0}}) {
    const Encapsulated e{table, {jpeg(1), jpeg(2)}};
    auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(2));
    ASSERT_TRUE(indexed.index.has_value());
    EXPECT_TRUE(indexed.index.value().has(IndexNote::basic_table_wrong));
    EXPECT_EQ(indexed.frame(0), jpeg(1));
    EXPECT_EQ(indexed.frame(1), jpeg(2));
  }
}

TEST(FrameIndex, last_table_entry_that_points_at_the_end_is_dropped) {
  const Encapsulated e{{0, 22, 44}, {jpeg(1), jpeg(2)}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(2));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.index.value().frame_count(), 2u);
  EXPECT_TRUE(indexed.index.value().has(IndexNote::extra_table_entry));
  EXPECT_FALSE(indexed.index.value().has(IndexNote::basic_table_wrong));
}

TEST(FrameIndex, without_a_table_frames_are_split_at_their_markers) {
  // The second fragment begins with SOI by chance, but the first did not end: no frame begins there when counts
  // disagree.
  const Encapsulated e{{}, {jpeg(1, false), jpeg(2, true, false), jpeg(3), jpeg(4, false), jpeg(5, true, false)}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGLossless), frames(3));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_TRUE(indexed.index.value().has(IndexNote::split_by_signature));
  EXPECT_EQ(indexed.index.value().frame_count(), 3u);
  EXPECT_EQ(indexed.frame(1), jpeg(3));
  EXPECT_EQ(indexed.frame(2).size(), 22u);
}

TEST(FrameIndex, fragments_that_cannot_be_told_apart_fail_by_name) {
  const Encapsulated e{{}, {blob({1, 2, 3, 4}), blob({5, 6}), blob({7, 8})}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEG2000), frames(2));
  ASSERT_TRUE(indexed.index.has_error());
  EXPECT_EQ(indexed.index.error(), Errc::malformed);
}

TEST(FrameIndex, frames_that_are_missing_are_reported_and_the_rest_served) {
  const Encapsulated e{{0, 22}, {jpeg(1), jpeg(2)}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(5));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.index.value().frame_count(), 2u);
  EXPECT_EQ(indexed.index.value().declared_frames(), 5u);
  EXPECT_TRUE(indexed.index.value().has(IndexNote::frame_count_differs));
  EXPECT_EQ(indexed.frame(1), jpeg(2));
  const auto absent = indexed.index.value().read(*indexed.source, 3);
  ASSERT_TRUE(absent.has_error());
  EXPECT_EQ(absent.error(), Errc::truncated);
}

TEST(FrameIndex, extended_table_cuts_the_padding_and_is_checked) {
  Encapsulated e{{}, {blob({1, 2, 3, 0}), blob({4, 5})}};
  Blob offsets;
  Blob lengths;
  for (const std::uint32_t v : {0u, 0u, 12u, 0u}) put32(offsets, v);
  for (const std::uint32_t v : {3u, 0u, 2u, 0u}) put32(lengths, v);
  PixelDataValue value;
  value.extended_offsets = offsets;
  value.extended_lengths = lengths;
  auto indexed = build(e.bytes(), syntax(uids::kEncapsulatedUncompressed), frames(2), value);
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.frame(0), blob({1, 2, 3}));
  EXPECT_EQ(indexed.index.value().notes(), 0u);

  store_le<std::uint64_t>(offsets.data() + 8, 13);
  auto wrong = build(e.bytes(), syntax(uids::kEncapsulatedUncompressed), frames(2), value);
  ASSERT_TRUE(wrong.index.has_value());
  EXPECT_TRUE(wrong.index.value().has(IndexNote::extended_table_wrong));
  EXPECT_EQ(wrong.frame(0), blob({1, 2, 3, 0}));
}

TEST(FrameIndex, delimiter_bytes_inside_a_fragment_end_nothing) {
  Blob f = jpeg(1);
  f.insert(f.begin() + 6, {std::byte{0xFE}, std::byte{0xFF}, std::byte{0xDD}, std::byte{0xE0}});
  const Encapsulated e{{}, {f}};
  auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(1));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.frame(0), f);
}

TEST(FrameIndex, value_without_delimiter_or_cut_inside_an_item_is_noted) {
  Encapsulated e{{}, {jpeg(1), jpeg(2)}};
  e.delimiter = false;
  Blob bytes = e.bytes();
  auto open = build(bytes, syntax(uids::kJPEGBaseline), frames(2));
  ASSERT_TRUE(open.index.has_value());
  EXPECT_TRUE(open.index.value().has(IndexNote::truncated));
  EXPECT_EQ(open.index.value().frame_count(), 2u);
  bytes.resize(bytes.size() - 5);
  auto cut = build(bytes, syntax(uids::kJPEGBaseline), frames(2));
  ASSERT_TRUE(cut.index.has_value());
  EXPECT_TRUE(cut.index.value().has(IndexNote::truncated));
  EXPECT_EQ(cut.frame(0), jpeg(1));
}

TEST(FrameIndex, video_is_one_stream) {
  const Encapsulated e{{}, {blob({1, 2}), blob({3, 4})}};
  auto indexed = build(e.bytes(), syntax("1.2.840.10008.1.2.4.102.1"), frames(300));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.index.value().frame_count(), 1u);
  EXPECT_EQ(indexed.frame(0), blob({1, 2, 3, 4}));
}

TEST(FrameIndex, native_one_bit_frames_run_on_across_bytes) {
  PixelFormat f = frames(5);
  f.rows = 3;
  f.columns = 3;
  f.bits_allocated = f.bits_stored = 1;
  std::mt19937 random(4);
  std::vector<unsigned> bits(45);
  for (auto& b : bits) b = random() & 1u;
  Blob packed(6);
  for (std::size_t i = 0; i < bits.size(); ++i) packed[i / 8] |= static_cast<std::byte>(bits[i] << (i % 8));
  for (const bool big : {false, true}) {
    Blob value = packed;
    if (big) {
      for (std::size_t i = 0; i < value.size(); i += 2) std::swap(value[i], value[i + 1]);
    }
    auto indexed = build(value, syntax(big ? uids::kExplicitVRBigEndian : uids::kExplicitVRLittleEndian), f,
                         {.offset = 0, .length = value.size()});
    ASSERT_TRUE(indexed.index.has_value());
    ASSERT_EQ(indexed.index.value().frame_count(), 5u);
    for (std::size_t frame = 0; frame < 5; ++frame) {
      const Blob got = indexed.frame(frame);
      ASSERT_EQ(got.size(), 2u);
      for (std::size_t i = 0; i < 9; ++i) {
        EXPECT_EQ(std::to_integer<unsigned>(got[i / 8]) >> (i % 8) & 1u, bits[frame * 9 + i]) << frame << " " << i;
      }
    }
  }
}

TEST(FrameIndex, native_odd_frames_of_big_endian_words_are_put_in_order) {
  PixelFormat f = frames(2);
  f.rows = 1;
  f.columns = 3;
  auto indexed = build(blob({2, 1, 4, 3, 6, 5}), syntax(uids::kExplicitVRBigEndian), f, {.offset = 0, .length = 6});
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.frame(0), blob({1, 2, 3}));
  EXPECT_EQ(indexed.frame(1), blob({4, 5, 6}));
}

TEST(FrameIndex, native_excess_and_shortage_are_noted) {
  auto excess = build(Blob(16 + 6), syntax(uids::kExplicitVRLittleEndian), frames(1), {.offset = 0, .length = 22});
  ASSERT_TRUE(excess.index.has_value());
  EXPECT_TRUE(excess.index.value().has(IndexNote::excess_bytes));
  auto shortage = build(Blob(20), syntax(uids::kExplicitVRLittleEndian), frames(3), {.offset = 0, .length = 48});
  ASSERT_TRUE(shortage.index.has_value());
  EXPECT_EQ(shortage.index.value().frame_count(), 1u);
  EXPECT_TRUE(shortage.index.value().has(IndexNote::truncated));
  EXPECT_EQ(shortage.index.value().read(*shortage.source, 1).error(), Errc::truncated);
}

/// Bytes that exist only when asked for: an object larger than memory.
class Pattern final : public ByteSource {
 public:
  explicit Pattern(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    const std::size_t n =
        static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - std::min(offset, size_)));
    for (std::size_t i = 0; i < n; ++i) into[i] = static_cast<std::byte>((offset + i) >> 24);
    return n;
  }

 private:
  std::uint64_t size_;
};

TEST(FrameIndex, objects_past_four_gigabytes_are_addressed_in_64_bits) {
  PixelFormat f = frames(40000);
  f.rows = f.columns = 512;
  f.bits_allocated = f.bits_stored = 16;
  Pattern source(std::uint64_t{40000} * 524288);
  const auto index =
      FrameIndex::build(source, {.offset = 0, .length = source.size()}, syntax(uids::kExplicitVRLittleEndian), f);
  ASSERT_TRUE(index.has_value());
  EXPECT_EQ(index.value().frame_count(), 40000u);
  const auto last = index.value().read(source, 39999);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last.value()[0], static_cast<std::byte>((std::uint64_t{39999} * 524288) >> 24));
}

TEST(FrameIndexProperty, random_groupings_come_back_whatever_table_there_is) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    const std::size_t count = 1 + random() % 6;
    Encapsulated e;
    std::vector<Blob> expected;
    std::uint32_t at = 0;
    const unsigned table = random() % 3;  // none, right, broken
    for (std::size_t f = 0; f < count; ++f) {
      Blob frame = jpeg(random() % 200, true);
      frame.insert(frame.begin() + 8, random() % 60, static_cast<std::byte>(random() % 200));
      expected.push_back(frame);
      if (table != 0) e.table.push_back(at + (table == 2 ? 1 + random() % 7 : 0));
      while (!frame.empty()) {
        std::size_t n = std::min<std::size_t>(frame.size(), 12 + random() % 40);
        if (frame.size() - n < 2) n = frame.size();
        e.fragments.emplace_back(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(n));
        frame.erase(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(n));
        at += 8 + static_cast<std::uint32_t>(n);
      }
    }
    auto indexed = build(e.bytes(), syntax(uids::kJPEGBaseline), frames(count));
    ASSERT_TRUE(indexed.index.has_value()) << to_string(indexed.index.error());
    ASSERT_EQ(indexed.index.value().frame_count(), count);
    for (std::size_t f = 0; f < count; ++f) ASSERT_EQ(indexed.frame(f), expected[f]);
  }
}

TEST(FrameIndex, lengths_past_the_end_allocate_nothing) {
  Blob b;
  Encapsulated::item(b, 0xE000, 0xFFFFFFF0);  // a Basic Offset Table of 4 GiB
  EXPECT_TRUE(build(b, syntax(uids::kJPEGBaseline), frames(1)).index.has_error());
  Blob c;
  Encapsulated::item(c, 0xE000, 0);
  Encapsulated::item(c, 0xE000, 0xFFFFFFF0);
  c.push_back(std::byte{1});
  auto indexed = build(c, syntax(uids::kJPEGBaseline), frames(1));
  ASSERT_TRUE(indexed.index.has_value());
  EXPECT_EQ(indexed.frame(0).size(), 1u);
}

}  // namespace
}  // namespace cairn::codec
