#include "engine/store/format.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>

#include <gtest/gtest.h>

#include "engine/core/checksum.h"
#include "engine/store/event.h"
#include "engine/store/segment_walk.h"

namespace cairn::store {
namespace {

Identity counting_from(unsigned first) {
  Identity identity;
  for (std::size_t i = 0; i < identity.size(); ++i) identity[i] = static_cast<std::byte>(first + i);
  return identity;
}

SegmentHeader example_header() {
  SegmentHeader header;
  header.archive = counting_from(0xa0);
  header.identity = counting_from(0x10);
  header.volume = 2;
  header.segment = 5;
  header.size = 64u << 10;
  header.created_unix_ns = 1;
  header.poisoned = {{4, 8192}};
  return header;
}

InstanceRecord example_commit() {
  InstanceRecord record;
  record.sequence = 3;
  record.instance_number = 7;
  record.received_unix_ns = 2;
  record.sop_class_uid = "1.2";
  record.sop_instance_uid = "1.2.3";
  record.study_instance_uid = "1.2.4";
  record.series_instance_uid = "1.2.5";
  record.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  record.calling_ae = "CT1";
  record.called_ae = "CAIRN";
  record.peer_address = "::1";
  record.stream_length = 10;
  record.data_set_offset = 4;
  record.pixel_data = {8, 2};
  record.header_extents = {{0, 8}};
  record.digest = digest128(as_bytes("0123456789"));
  record.header_crc = crc32c(as_bytes("4567"));
  record.parts = {{{2, 5, 4096}, 10, crc32c(as_bytes("0123456789"))}};
  return record;
}

/// The whole example: header block, one write, footer.
std::vector<std::byte> example_segment() {
  const SegmentHeader header = example_header();
  std::vector<std::byte> bytes(8192);
  std::memcpy(bytes.data(), header.encode().data(), 4096);
  RecordHeader part;
  part.type = RecordType::part;
  part.payload_length = 10;
  part.payload_crc = crc32c(as_bytes("0123456789"));
  part.instance_number = 7;
  part.offset = 4096;
  part.durable_below = 4096;
  part.encode(bytes.data() + 4096, header.identity);
  std::memcpy(bytes.data() + 4160, "0123456789", 10);
  const std::string payload = example_commit().encode();
  RecordHeader commit;
  commit.type = RecordType::commit;
  commit.payload_length = static_cast<std::uint32_t>(payload.size());
  commit.payload_crc = crc32c(as_bytes(payload));
  commit.part_index = 1;
  commit.instance_number = 7;
  commit.stream_offset = 10;
  commit.offset = 4096 + record_bytes(10);
  commit.durable_below = 4096;
  commit.encode(bytes.data() + commit.offset, header.identity);
  std::memcpy(bytes.data() + commit.offset + kRecordHeaderBytes, payload.data(), payload.size());
  const auto footer =
      encode_footer({{commit.offset, commit.payload_length}}, header.identity, Trailer{8192, 8192, 1, 3});
  bytes.insert(bytes.end(), footer.data(), footer.data() + footer.size());
  return bytes;
}

Event example_event() {
  Event event;
  event.sequence = 4;
  event.time_unix_ns = 5;
  event.level = Event::Level::series;
  event.only_copy_too = true;
  event.study_instance_uid = "1.2.4";
  event.series_instance_uid = "1.2.5";
  event.calling_ae = "ADMIN";
  event.peer_address = "::1";
  event.reason = "wrong";
  return event;
}

/// As FORMAT.md prints it: offset, 16 bytes; lines of zeros left out.
std::string listing(const std::vector<std::byte>& bytes, std::size_t first = 0) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    if (std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + 16),
                    [](std::byte b) { return b == std::byte{0}; })) {
      continue;
    }
    char text[16];
    std::snprintf(text, sizeof text, "%04zx:", first + at);
    out += text;
    for (std::size_t i = 0; i < 16; ++i) {
      std::snprintf(text, sizeof text, " %02x", static_cast<unsigned>(bytes[at + i]));
      out += text;
    }
    out += '\n';
  }
  return out;
}

TEST(Format, TheExampleOfTheFormatPageIsReproducedByteForByte) {
  std::ifstream file(CAIRN_SOURCE_DIR "/engine/store/FORMAT.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  const std::string expected = listing(example_segment());
  const auto begin = page.find("```hex\n");
  ASSERT_NE(begin, std::string::npos) << expected;
  const auto end = page.find("```", begin + 7);
  EXPECT_EQ(page.substr(begin + 7, end - begin - 7), expected);
}

TEST(Format, TheEventOfTheFormatPageIsReproducedByteForByte) {
  const std::string payload = example_event().encode();
  ASSERT_EQ(payload.size(), example_event().encoded_bytes());
  RecordHeader header;
  header.type = RecordType::event;
  header.payload_length = static_cast<std::uint32_t>(payload.size());
  header.payload_crc = crc32c(as_bytes(payload));
  header.stream_offset = 4;
  header.offset = header.durable_below = 8192;
  std::vector<std::byte> bytes((header.record_bytes() + 15) & ~std::uint64_t{15});
  header.encode(bytes.data(), example_header().identity);
  std::memcpy(bytes.data() + kRecordHeaderBytes, payload.data(), payload.size());
  std::ifstream file(CAIRN_SOURCE_DIR "/engine/store/FORMAT.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("```event\n" + listing(bytes, 8192) + "```"), std::string::npos) << listing(bytes, 8192);
}

TEST(Format, AnEventReadsBackAndItsLevelAgreesWithItsUids) {
  const Event event = example_event();
  const auto decoded = Event::decode(as_bytes(event.encode()));
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  EXPECT_EQ(decoded.value().encode(), event.encode());
  EXPECT_EQ(decoded.value().reason, "wrong");
  Event wrong = event;
  wrong.sop_instance_uid = "1.2.3";
  EXPECT_FALSE(wrong.check());
  wrong = event;
  wrong.series_instance_uid.clear();
  EXPECT_FALSE(wrong.check());
  wrong = event;
  wrong.subject = 1;
  EXPECT_FALSE(wrong.check());
  wrong = event;
  wrong.reason.assign(kMaxEventText + 1, 'x');
  EXPECT_EQ(wrong.check().error(), Errc::limit_exceeded);
  const std::string encoded = event.encode();
  for (std::size_t length = 0; length < encoded.size(); ++length) {
    EXPECT_FALSE(Event::decode(as_bytes(encoded.substr(0, length))));
  }
  EXPECT_FALSE(Event::decode(as_bytes(encoded + "x")));
}

TEST(Format, TheExampleReadsBack) {
  const auto bytes = example_segment();
  const auto header = SegmentHeader::decode(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header.value().poisoned, example_header().poisoned);
  EXPECT_EQ(header.value().segment, 5u);
  const auto part = RecordHeader::decode(bytes.data() + 4096, header.value().identity, 4096);
  ASSERT_TRUE(part);
  const std::size_t at = 4096 + part->record_bytes();
  const auto commit = RecordHeader::decode(bytes.data() + at, header.value().identity, at);
  ASSERT_TRUE(commit);
  const auto record = InstanceRecord::decode(Bytes(bytes).subspan(at + 64, commit->payload_length));
  ASSERT_TRUE(record) << to_string(record.error());
  EXPECT_EQ(record.value().encode(), example_commit().encode());
  const auto trailer = Trailer::decode(Bytes(bytes).last(kTrailerBytes), header.value().identity, bytes.size());
  ASSERT_TRUE(trailer);
  EXPECT_EQ(trailer->tail, 8192u);
  const auto entries = decode_footer(Bytes(bytes).subspan(trailer->footer_offset + 64, 12), trailer->tail);
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries.value(), (std::vector<CommitEntry>{{at, commit->payload_length}}));
}

TEST(Format, ACompactedSegmentsHeaderReadsBack) {
  SegmentHeader header = example_header();
  header.segment = kFirstCompacted + 4;
  header.poisoned.clear();
  header.first_sequence = 17;
  header.sources.assign(kMaxSources, 0);
  std::iota(header.sources.begin(), header.sources.end(), 5u);
  header.moved.assign(kMaxMoved, 0);
  std::iota(header.moved.begin(), header.moved.end(), 1000u);
  const auto block = header.encode();
  const auto decoded = SegmentHeader::decode(block.bytes());
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  EXPECT_EQ(decoded.value().first_sequence, 17u);
  EXPECT_EQ(decoded.value().sources, header.sources);
  EXPECT_EQ(decoded.value().moved, header.moved);
  for (std::size_t bit = 0; bit < kSegmentHeaderBytes * 8; bit += 3) {
    block.data()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(SegmentHeader::decode(block.bytes())) << bit;
    block.data()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
}

TEST(Record, WithoutItsPartsSaysUntilWhenItWasThere) {
  InstanceRecord record = example_commit();
  record.parts = {{{2, 5, 4096}, 4, 1}, {{}, 6, 0}};
  EXPECT_EQ(InstanceRecord::decode(as_bytes(record.encode())).error(), Errc::malformed);
  record.until = record.sequence;
  EXPECT_EQ(record.encode().size(), record.encoded_bytes());
  const auto decoded = InstanceRecord::decode(as_bytes(record.encode()));
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  EXPECT_EQ(decoded.value().until, record.until);
  EXPECT_TRUE(decoded.value().parts.back().is_gone());
  record.until = record.sequence - 1;
  EXPECT_EQ(InstanceRecord::decode(as_bytes(record.encode())).error(), Errc::malformed);
}

TEST(Format, AnyFlippedBitOfAHeaderIsNoticed) {
  const auto block = example_header().encode();
  for (std::size_t bit = 0; bit < 200 * 8; ++bit) {
    block.data()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(SegmentHeader::decode(block.bytes())) << bit;
    block.data()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  auto bytes = example_segment();
  const Identity identity = example_header().identity;
  for (std::size_t bit = 0; bit < kRecordHeaderBytes * 8; ++bit) {
    bytes[4096 + bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(RecordHeader::decode(bytes.data() + 4096, identity, 4096)) << bit;
    bytes[4096 + bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  for (std::size_t bit = 0; bit < kTrailerBytes * 8; ++bit) {
    std::byte& byte = bytes[bytes.size() - kTrailerBytes + bit / 8];
    byte ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(Trailer::decode(Bytes(bytes).last(kTrailerBytes), identity, bytes.size())) << bit;
    byte ^= static_cast<std::byte>(1 << bit % 8);
  }
}

TEST(Format, ARecordOfAnotherSegmentOrPlaceIsNone) {
  const auto bytes = example_segment();
  EXPECT_TRUE(RecordHeader::decode(bytes.data() + 4096, counting_from(0x10), 4096));
  EXPECT_FALSE(RecordHeader::decode(bytes.data() + 4096, counting_from(0x11), 4096));
  EXPECT_FALSE(RecordHeader::decode(bytes.data() + 4096, counting_from(0x10), 8192));
}

TEST(Record, TruncatedAtAnyLengthIsRefused) {
  const std::string payload = example_commit().encode();
  EXPECT_EQ(payload.size(), example_commit().encoded_bytes());
  for (std::size_t length = 0; length < payload.size(); ++length) {
    EXPECT_FALSE(InstanceRecord::decode(as_bytes(std::string_view(payload).substr(0, length)))) << length;
  }
  EXPECT_FALSE(InstanceRecord::decode(as_bytes(payload + '\0')));
}

TEST(Record, CountsBeyondWhatRemainsAllocateNothing) {
  std::string payload = example_commit().encode();
  const std::size_t count_at = payload.size() - 4 - 24;
  for (std::size_t i = 0; i < 4; ++i) payload[count_at + i] = '\xff';
  EXPECT_EQ(InstanceRecord::decode(as_bytes(payload)).error(), Errc::truncated);
}

TEST(Record, PartsThatDoNotAddUpAreRefused) {
  InstanceRecord record = example_commit();
  record.stream_length = 11;
  EXPECT_EQ(record.check().error(), Errc::mismatch);
  EXPECT_EQ(InstanceRecord::decode(as_bytes(record.encode())).error(), Errc::mismatch);
  record = example_commit();
  record.header_extents = {{4, 6}, {0, 2}};
  EXPECT_EQ(record.check().error(), Errc::malformed);
}

TEST(SegmentNames, AreReadBackStrictly) {
  EXPECT_EQ(segment_name(1), "seg-00000001.cairn");
  EXPECT_EQ(segment_number("seg-00000001.cairn"), 1u);
  EXPECT_EQ(segment_number(segment_name(2'000'000'000u)), 2'000'000'000u);
  EXPECT_EQ(segment_number(segment_name(4'000'000'000u)), 4'000'000'000u);
  EXPECT_EQ(segment_name(kFirstCompacted), "cmp-00000001.cairn");
  EXPECT_EQ(segment_number("cmp-00000001.cairn"), kFirstCompacted);
  for (const char* name :
       {"cmp-00000000.cairn", "cmp-4000000000.cairn", "seg-4000000000.cairn", "seg-1.cairn", "seg-00000001.cairn~",
        "seg-0000000x.cairn", "seg-.cairn", "spare-00000001", "seg-00000000.cairn", "seg--0000001.cairn"}) {
    EXPECT_EQ(segment_number(name), 0u) << name;
  }
}

}  // namespace
}  // namespace cairn::store
